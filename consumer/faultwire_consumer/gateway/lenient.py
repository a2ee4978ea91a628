"""Reads the JSON of strangers: strictly first, and leniently where that fails, never without a bound."""

import json
import math
import re
from typing import Any, Final

import msgspec

from faultwire_shared.json_text import BOM, JSON_DEPTH, UNREADABLE, is_deep, mend_surrogates
from faultwire_shared.text import storable

_INTEGERS: Final = range(-(2**63), 2**64)
"""What msgspec writes in each of its versions."""
_SURE_DIGITS: Final = 18
"""Every integer of so many is one of those."""
_TEXT_DIGITS: Final = 155
"""Larger integers are kept as text up to so many, which is 512 bits: ids, not numbers of anything."""
_brackets: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|(?P<open>[\[{]+)|[\]}]+', re.DOTALL)
_ONLY_DIGITS: Final = bytes(ord("0") if one in b"0123456789" else ord(" ") for one in range(256))


class UnreadableError(Exception):
    """A text is no JSON, however leniently it is read."""

    def __init__(self, what: str, *, at: int) -> None:
        super().__init__(f"{what} at character {at:,}")
        self.what = what
        self.at = at
        """Characters before the place where reading ended."""


def read_json(payload: bytes) -> Any:
    """Read a JSON text whose size the caller has bounded, in time that grows with its size alone.

    What JSON or msgspec refuses is mended where that does no harm: half a surrogate pair and bytes that are
    no UTF-8 become U+FFFD, and so does U+0000, which PostgreSQL cannot hold; NaN, Infinity and floats out of
    range become None; integers beyond 64 bits become text; control characters in texts are taken; what is
    nested deeper than `JSON_DEPTH` is None. Of a key that is there twice the last is taken.

    Returns:
        Plain dicts, lists, texts, numbers, booleans and None, which msgspec can encode.

    Raises:
        UnreadableError: it is no JSON all the same.
    """
    text = payload.removeprefix(BOM)
    if is_deep(text):
        text = _without_depths(text)
    try:
        document = msgspec.json.decode(text)
    except UNREADABLE:
        document = _read_leniently(text)
    return _mended(document) if _may_need_mending(text) else document


def _without_depths(text: bytes) -> bytes:
    """Put null in the place of what is nested too deeply; linear, and one step for each run of brackets."""
    kept, begin, depth = list[bytes](), 0, 0
    for mark in _brackets.finditer(text):
        if mark["open"]:
            if depth <= JSON_DEPTH < depth + len(mark[0]):
                kept += (text[begin : mark.start() + JSON_DEPTH - depth], b"null")
            depth += len(mark[0])
        elif not mark[0].startswith(b'"'):
            if depth - len(mark[0]) <= JSON_DEPTH < depth:
                begin = mark.start() + depth - JSON_DEPTH
            depth -= len(mark[0])
    return b"".join((*kept, text[begin:])) if depth <= JSON_DEPTH else b"".join(kept)


def _read_leniently(text: bytes) -> Any:
    characters = mend_surrogates(text).decode(errors="replace")
    try:
        return _lenient.decode(characters)
    except json.JSONDecodeError as error:
        raise UnreadableError(error.msg, at=error.pos) from None
    except RecursionError:  # of a caller that is deep itself
        raise UnreadableError("it is nested too deeply", at=0) from None


def _nothing(_: str) -> None:
    """NaN, Infinity and -Infinity."""


def _float(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _integer(text: str) -> int | str | None:
    if len(text) > _TEXT_DIGITS:
        return None
    return _storable_integer(int(text))


_lenient: Final = json.JSONDecoder(
    parse_float=_float, parse_int=_integer, parse_constant=_nothing, strict=False
)


def _may_need_mending(text: bytes) -> bool:
    """Return whether there may be anything in it that reads well and cannot be stored or written again."""
    if b"\\u0000" in text or b"\x00" in text:
        return True
    return b"0" * (_SURE_DIGITS + 1) in text.translate(_ONLY_DIGITS)


def _mended(document: Any) -> Any:
    """Mend every text, key and integer in place, without a call for each level."""
    whole = [document]
    waiting: list[Any] = [whole]
    while waiting:
        held = waiting.pop()
        if type(held) is dict:
            pairs = [(storable(key), _storable(value)) for key, value in held.items()]
            held.clear()
            held.update(pairs)
            waiting.extend(value for _, value in pairs if type(value) in (dict, list))
        else:
            held[:] = [_storable(value) for value in held]
            waiting.extend(value for value in held if type(value) in (dict, list))
    return whole[0]


def _storable(value: Any) -> Any:
    if type(value) is str:
        return storable(value)
    return _storable_integer(value) if type(value) is int else value


def _storable_integer(number: int) -> int | str | None:
    if number in _INTEGERS:
        return number
    return str(number) if number.bit_length() <= 512 else None

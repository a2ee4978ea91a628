"""The key by which a client cheaply tells that two errors are the same: never coarser than an incident.

What the worker's fingerprint tells apart (types, calls, identity details, code, category, explicit parts),
this tells apart too, so that a count never goes to another incident. It may tell more apart: that costs a
message, no more.
"""

from itertools import count, islice
from types import CodeType, TracebackType
from typing import Final

from faultwire.capture.chain import CHAIN, EXCEPTIONS, causes_of, is_exception, is_group, text_of
from faultwire.capture.handled import Handled
from faultwire.capture.identity import identity_of
from faultwire.capture.place import BY_CODE, place_number
from faultwire_shared.event import FRAMES, NAME_CHARACTERS
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.known_type import module_of, qualname_of
from faultwire_shared.foreign.trail import TRAILS, Trail, codes_of, trail_of
from faultwire_shared.identity.detail import detail_in_text, kind_of
from faultwire_shared.identity.template import has_words
from faultwire_shared.memo import Memo
from faultwire_shared.snapshot import clean_text

StormKey = tuple[object, ...]

_FINGERPRINT_PARTS: Final = 10
_numbers: Final = count(1)
_trails: Final[Memo[Trail, tuple[tuple[CodeType, ...], int]]] = Memo(TRAILS)
_by_calls: Final[Memo[tuple[int, ...], int]] = Memo(TRAILS)
_kinds: Final[Memo[int, tuple[type, str]]] = Memo()
_CALLS: Final = 10 * FRAMES
"""Calls of one traceback that are looked at; what recurses deeper is told apart no further."""


def storm_key(handled: Handled) -> StormKey | None:
    """The key that errors of one burst have in common; None where the error is too odd to say."""
    try:
        meaning = handled.meaning
        said = meaning.code, meaning.category, handled.severity, _explicit(handled.extras.fingerprint)
        if is_exception(handled.error):
            return (*said, *_chain(handled.error, [EXCEPTIONS], handled.trail))
        template = handled.extras.template
        text = clean_text(handled.error if template is None else template)
        if template is not None and not has_words(text):
            text = clean_text(handled.error)
        return (*said, _logger(handled.extras.tags), text)
    except BaseException as failure:  # noqa: BLE001 - a hostile error has no key, and becomes an event of its own
        pass_interruption(failure)
        return None


def _logger(tags: object) -> object:
    return tags.get("logger") if isinstance(tags, dict) else None


def _explicit(parts: object) -> object:
    if parts is None or isinstance(parts, str):
        return parts
    # An iterator can be read once, and it is the event's to read.
    return (
        tuple(map(clean_text, parts[:_FINGERPRINT_PARTS])) if isinstance(parts, list | tuple) else id(parts)
    )


def _chain(error: BaseException, left: list[int], trail: Trail | None = None) -> StormKey:
    parts: list[object] = []
    for each in islice(causes_of(error), CHAIN):
        left[0] -= 1
        if left[0] < 0:
            break
        parts += _one(each, trail)
        trail = None
        if is_group(each):
            parts += [_chain(member, left) for member in each.exceptions[:EXCEPTIONS] if left[0] > 0]
    return tuple(parts)


def _one(error: BaseException, trail: Trail | None) -> list[object]:
    calls = _calls_of(error.__traceback__, trail)
    parts: list[object] = [type(error), calls]
    attributes = identity_of(error)
    if attributes:
        parts += attributes.items()
    if not calls:
        parts.append(text_of(error))
    else:
        parts.append(detail_in_text(text_of(error), _kind_of(type(error))))
    return parts


def _kind_of(kind: type) -> str:
    known = _kinds.get(id(kind))
    if known is None:
        module, name = module_of(kind), qualname_of(kind)
        text = kind_of(clean_text(module, NAME_CHARACTERS), clean_text(name, NAME_CHARACTERS))
        known = _kinds[id(kind)] = kind, text
    return known[1]


def _calls_of(traceback: TracebackType | None, trail: Trail | None) -> int | tuple[int, ...]:
    """A number for the places and lines of a traceback, the same each time; what is deep is spelt out."""
    trail = trail or trail_of(traceback)
    known = None if trail is None else _trails.get(trail)
    if known is not None:
        return known[1]
    calls = tuple(_calls(traceback))
    # Anew, as another thread may have raised the same exception meanwhile.
    if trail is None or trail_of(traceback) != trail:
        return calls
    number = _by_calls.get(calls)
    if number is None:
        number = _by_calls[calls] = next(_numbers)
    codes = codes_of(traceback)
    if all(id(code) in BY_CODE for code in codes):  # what is compiled anew each time comes never again
        _trails[trail] = codes, number
    return number


def _calls(traceback: TracebackType | None) -> list[int]:
    """The places and lines of a traceback: most of what an error of a burst costs."""
    found: list[int] = []
    while traceback is not None and len(found) < 2 * _CALLS:
        frame = traceback.tb_frame
        known = BY_CODE.get(id(frame.f_code))
        found += (place_number(frame) if known is None else known[1], traceback.tb_lineno)
        traceback = traceback.tb_next
    return found

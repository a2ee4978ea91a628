"""JSON as strangers write it: read strictly first, and as leniently as is harmless where that fails."""

import json
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any, Final

import msgspec

BOM: Final = b"\xef\xbb\xbf"
JSON_DEPTH: Final = 256
"""The most that anything in a body is nested. Python's own limit is another one in each of its versions, and
workers of two versions share one store."""
DEEP_BYTES: Final = 4 * JSON_DEPTH
"""In so many bytes or fewer nothing is nested deeper than half of that, which every Python reads."""
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
"""All that msgspec raises of a body: an integer of 5,000 digits is a plain ``ValueError``."""

_ESCAPE: Final = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair, which is one character
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_STRING: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"?'  # one that does not end goes to the end: no second look at it
_strings: Final = re.compile(_STRING, re.DOTALL)
_marks: Final = re.compile(_STRING + rb"|[\[\]{},]", re.DOTALL)
_NO_BRACKETS: Final = bytes(one for one in range(256) if one not in b"[]{}")
_encoder: Final = msgspec.json.Encoder()


def mend_surrogates(body: bytes) -> bytes:
    """Replace each half of a surrogate pair that stands alone by U+FFFD, escaped or as bytes.

    RFC 8259's grammar allows it, and ``JSON.stringify`` and Python's ``json`` write it of a text that was cut
    in the middle of an emoji; msgspec takes the whole body for no JSON.
    """
    if b"\xed" in body:
        body = _SURROGATE.sub(b"\xef\xbf\xbd", body)
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["lone"] else found[0], body)


def is_deep(body: bytes) -> bool:
    """Return True if anything in a JSON text is nested deeper than is read here."""
    if body.count(b"[") + body.count(b"{") <= JSON_DEPTH:
        return False
    brackets = _strings.sub(b"", body).translate(None, _NO_BRACKETS)
    depths = accumulate(1 if one in b"[{" else -1 for one in brackets)
    return max(depths, default=0) > JSON_DEPTH


def members_of(body: bytes) -> Iterator[bytes]:
    """Yield the members of a JSON array, unread, one of which is nested too deeply for a decoder.

    Raises:
        ValueError: it is no array, or one that does not end.
    """
    depth, begin = 0, 0
    if not body.lstrip().startswith(b"["):
        raise ValueError("no array")
    for mark in _marks.finditer(body):
        match mark[0]:
            case b"[" | b"{":
                depth += 1
                begin = mark.end() if depth == 1 else begin
            case b"]" | b"}":
                depth -= 1
                if depth == 0:
                    yield body[begin : mark.start()].strip()
                    return
            case b"," if depth == 1:
                yield body[begin : mark.start()].strip()
                begin = mark.end()
    raise ValueError("the array does not end")


def encode_anything(document: Any) -> bytes:
    """Encode what was decoded, integers beyond 64 bits too, which msgspec reads and does not write."""
    try:
        return _encoder.encode(document)
    except OverflowError:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else msgspec.to_builtins(value)

"""The body of a dead letter, read as far as it goes: its fields, and the place of what is wrong with it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_shared.event import NAME_CHARACTERS
from faultwire_shared.json_text import BOM, JSON_DEPTH, UNREADABLE, is_deep
from faultwire_shared.text import storable

FIELDS_MAX: Final = 50
VALUE_CHARACTERS: Final = 500
NAME_SHOWN_CHARACTERS: Final = 100
_AROUND: Final = 60
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_BETWEEN: Final = re.compile(rb"[ \t\r\n,]*")
_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_COLON: Final = re.compile(rb"[ \t\r\n]*:[ \t\r\n]*")
_WORD: Final = re.compile(rb"[^ \t\r\n,\]}\[{:\"]+")
_MARK: Final = re.compile(_STRING.pattern + rb"|[\[\]{}]", re.DOTALL)
_PATH: Final = re.compile(r" at (\$[^\s;]*)(?=;|$)")
_SEGMENT: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_BYTE: Final = re.compile(r"\(byte (\d+)\)")


class BodyPlace(Struct, frozen=True, kw_only=True):
    """A place in a body, for people and for programs."""

    path: str
    """The JSON path as the reason names it; ``$`` where the body is no JSON."""
    offset: int
    """Bytes before it."""
    length: int
    """Its bytes; 0 where the body ends too early."""
    line: int
    column: int
    """Both from 1; a column is a character, and a byte that is none counts as one."""
    before: str
    wrong: str
    after: str
    """The text around it on its line, and its own; cut where it is long, bytes that are none escaped."""


def find_place(body: bytes, *, size: int, detail: str) -> BodyPlace | None:
    """Find what is wrong with a body.

    Args:
        body: as it was kept, so perhaps without its secrets, and perhaps cut.
        size: in bytes, before it was cut.
        detail: the dead letter's sentence, which ends in the path of what is wrong.

    Returns:
        None where nothing in it is: the reason lies elsewhere, or the body is gone.
    """
    if not body:
        return None
    named = _PATH.findall(detail)
    path = named[-1] if named else "$"
    span = _span_of_fault(body, size)
    if span is not None:
        return _place(body, "$", span)
    if path == "$":
        return None
    return _place(body, path, span_at(body, path))


def _place(body: bytes, path: str, span: tuple[int, int]) -> BodyPlace:
    offset, end = span
    before = body[:offset]
    line_begin = before.rfind(b"\n") + 1
    wrong, _, _ = _text(body[offset:end]).partition("\n")
    after, _, _ = _text(body[end : end + _AROUND * 4]).partition("\n")
    return BodyPlace(
        path=path,
        offset=offset,
        length=end - offset,
        line=before.count(b"\n") + 1,
        column=len(before[line_begin:].decode("utf-8", "replace")) + 1,
        before=_text(before[max(line_begin, offset - _AROUND * 4) :])[-_AROUND:],
        wrong=wrong[:_AROUND],
        after=after[:_AROUND] if len(wrong) <= _AROUND else "",
    )


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace")


def _span_of_fault(body: bytes, size: int) -> tuple[int, int] | None:
    """Find the first bytes that no reader of JSON can pass; None if there are none."""
    if size > len(body):
        return len(body), len(body)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start, error.end
    if is_deep(body):
        return _too_deep(body)
    try:
        msgspec.json.decode(body.removeprefix(BOM), type=msgspec.Raw)
    except msgspec.MsgspecError as error:
        found = _BYTE.search(str(error))
        skipped = len(body) - len(body.removeprefix(BOM))
        offset = len(body) if found is None else min(int(found[1]) + skipped, len(body))
        return offset, min(offset + 1, len(body))
    except UNREADABLE:
        return None
    return None


def _too_deep(body: bytes) -> tuple[int, int]:
    depth = 0
    for mark in _MARK.finditer(body):
        depth += 1 if mark[0] in (b"[", b"{") else -1 if mark[0] in (b"]", b"}") else 0
        if depth > JSON_DEPTH:
            return mark.span()
    return len(body), len(body)


def span_at(body: bytes, path: str) -> tuple[int, int]:
    """Return where the value at a path begins and ends in a body that is JSON.

    Of what is not there, that is the first byte of what it is missing in.
    """
    begin = _begin_of(body)
    for segment in _SEGMENT.finditer(path):
        name, index = segment.groups()
        if name is not None:
            found = [at for key, at in _members(body, begin) if key == name]
        else:
            found = list(_items(body, begin))[int(index) :][:1]
        if not found:
            return begin, begin + 1
        begin = found[-1]
    return begin, _end_of(body, begin) or begin + 1


def fields_of(body: bytes) -> Mapping[str, str]:
    """Return the fields of an event as JSON texts, up to the first that cannot be read; none of an array.

    At most `FIELDS_MAX`, each cut at `VALUE_CHARACTERS`.
    """
    fields: dict[str, str] = {}
    for name, begin in _members(body, _begin_of(body)):
        end = _end_of(body, begin)
        if end is None or len(fields) == FIELDS_MAX:
            break
        try:
            msgspec.json.decode(body[begin:end], type=msgspec.Raw)
            text = body[begin:end].decode()
        except UNREADABLE:
            break
        short = text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]}…"
        fields[name[:NAME_SHOWN_CHARACTERS]] = short
    return fields


def service_of(body: bytes) -> str:
    """Return the service that a broken event still names; empty if it names none."""
    for name, begin in _members(body, _begin_of(body)):
        end = _end_of(body, begin)
        if name == "service" and end is not None:
            try:
                return storable(msgspec.json.decode(body[begin:end], type=str))[:NAME_CHARACTERS]
            except UNREADABLE:
                return ""
    return ""


def _begin_of(body: bytes) -> int:
    found = _SPACE.match(body, len(body) - len(body.removeprefix(BOM)))
    return found.end() if found else 0


def _members(body: bytes, begin: int) -> Iterator[tuple[str, int]]:
    """Give the names in an object, and where their values begin, as far as it can be read."""
    if body[begin : begin + 1] != b"{":
        return
    at: int | None = begin + 1
    while at is not None:
        between = _BETWEEN.match(body, at)
        name = _STRING.match(body, between.end() if between else at)
        colon = _COLON.match(body, name.end()) if name else None
        if name is None or colon is None:
            return
        try:
            key = msgspec.json.decode(name[0], type=str)
        except UNREADABLE:
            return
        yield key, colon.end()
        at = _end_of(body, colon.end())


def _items(body: bytes, begin: int) -> Iterator[int]:
    """Give where the items of an array begin, as far as it can be read."""
    if body[begin : begin + 1] != b"[":
        return
    at: int | None = begin + 1
    while at is not None:
        between = _BETWEEN.match(body, at)
        at = between.end() if between else at
        end = _end_of(body, at)
        if end is None or end == at:
            return
        yield at
        at = end


def _end_of(body: bytes, begin: int) -> int | None:
    """Return where a value ends; None if it does not."""
    first = body[begin : begin + 1]
    if first == b'"':
        string = _STRING.match(body, begin)
        return string.end() if string else None
    if first not in (b"{", b"["):
        word = _WORD.match(body, begin)
        return word.end() if word else None
    depth = 0
    for mark in _MARK.finditer(body, begin):
        depth += 1 if mark[0] in (b"[", b"{") else -1 if mark[0] in (b"]", b"}") else 0
        if depth == 0:
            return mark.end()
    return None

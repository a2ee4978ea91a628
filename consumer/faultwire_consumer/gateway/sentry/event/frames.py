"""The calls of a stack: where they are, whose they are, and the line that ran."""

import re
from typing import Any, Final

from faultwire_consumer.gateway.bounded import PATH_CHARACTERS, SOURCE_CHARACTERS, ends_of
from faultwire_consumer.gateway.sentry.event.in_app import judge
from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import mapping_of, name_of
from faultwire_shared.event import FRAMES, NAME_CHARACTERS, Frame

_LINES: Final = 10**9
_OF_ADDRESSES: Final = ("javascript", "node")
"""Platforms whose files are addresses, with what serves them behind their names."""
_PATH: Final = "exceptions.frames"
_ORIGIN: Final = re.compile(r"^[A-Za-z][\w+.-]{0,30}://[^/?#]*")
_BEHIND: Final = re.compile(r"[?#].*$", re.DOTALL)


def read_frames(stack: Any, platform: str, notes: ReadingNotes) -> list[Frame]:
    """Read a stack's frames, the outermost call first as all clients send them.

    Of a stack that is too long its begin and its end stay. Local variables are never taken.
    """
    given = mapping_of(stack).get("frames")
    if not isinstance(given, list):
        if given is not None:
            notes.leave_out(_PATH)
        return []
    if len(given) > FRAMES:
        notes.cut(_PATH)
    kept = ends_of(given, FRAMES // 2, FRAMES // 2)
    return [_read(each, platform) for each in kept if isinstance(each, dict)]


def _read(given: dict[str, Any], platform: str) -> Frame:
    file, path = name_of(given.get("filename")), name_of(given.get("abs_path"))
    module, line = name_of(given.get("module")), given.get("context_line")
    return Frame(
        file=place_of(file or path, platform)[-PATH_CHARACTERS:],
        module=module[:NAME_CHARACTERS],
        qualname=name_of(given.get("function"))[:NAME_CHARACTERS],
        line=_line(given.get("lineno")),
        in_app=judge(given.get("in_app"), file=file, path=path, module=module, platform=platform),
        context=[line[:SOURCE_CHARACTERS]] if isinstance(line, str) and line.strip() else [],
    )


def place_of(address: str, platform: str) -> str:
    """Return a file's path: of an address without scheme, host, query and fragment, which are no place."""
    origin = _ORIGIN.match(address)
    if origin is None and platform not in _OF_ADDRESSES:
        return address
    return _BEHIND.sub("", address[origin.end() if origin else 0 :]) or address


def _line(given: Any) -> int:
    """Read a line's number, 0 where there is none: some clients write it as text."""
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 10:
        given = int(given)
    if isinstance(given, float) and given.is_integer():
        given = int(given)
    return given if type(given) is int and 0 < given < _LINES else 0

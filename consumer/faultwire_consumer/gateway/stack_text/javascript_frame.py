"""One line of a JavaScript stack: the call, and where it stands."""

from functools import lru_cache
from typing import Final

from faultwire_consumer.gateway.stack_text.frames import KNOWN_FRAMES, line_number, make_frame
from faultwire_shared.event import Frame

_AT: Final = "at "
_PREFIXES: Final = ("async ", "new ", "async*")
_NATIVE: Final = ("native", "<anonymous>", "[native code]")
_EVALUATED: Final = "eval at "
_LONGEST: Final = 2000


# The calls of one failure are those of the next.
@lru_cache(KNOWN_FRAMES)
def read_frame(line: str) -> Frame | None:
    """Read a line without its margin; None if it names no call."""
    if len(line) > _LONGEST:
        return None
    if line.startswith(_AT):
        return _v8(line.removeprefix(_AT).removesuffix(" {"))
    return _firefox(line)


def _v8(call: str) -> Frame | None:
    """Read ``async Object.pay [as charge] (/srv/app/pay.js:14:11)``, or the place alone."""
    name, found, place = call.partition(" (")
    if not found:
        return _placed("", _without_prefix(call)) if _looks_like_place(call) else None
    place = place.removesuffix(",").removesuffix(")")
    if place.startswith(_EVALUATED):
        place = _outermost(place)
    return _placed(_without_prefix(name.partition(" [as ")[0]), place)


def _firefox(line: str) -> Frame | None:
    """Read ``pay@http://shop/page.js:14:11``; Safari knows calls without a place, as ``[native code]``."""
    name, found, place = line.partition("@")
    if not found or " " in name.removesuffix(" code") or not _looks_like_place(place):
        return None
    if "/" not in place and place not in _NATIVE:
        return None  # an address of a person or a server
    evaluated = place.partition(" line ")
    if evaluated[1] and "> eval" in place:
        place = f"{evaluated[0]}:{evaluated[2].partition(' ')[0]}"
    return _placed(_without_prefix(name.strip("/<")), place)


def _looks_like_place(text: str) -> bool:
    place = text.removesuffix(",")
    if place in _NATIVE:
        return True
    file, _, last = place.rpartition(":")
    return bool(file) and (last.isdecimal() or last.startswith("0x"))


def _placed(name: str, place: str) -> Frame:
    if place.startswith("index "):  # of the promise among those that `Promise.all` waits for
        place = _NATIVE[0]
    file, line = _split_place(place.removesuffix(","))
    return make_frame(file, line, module="", name=name, language="javascript")


def _split_place(place: str) -> tuple[str, int]:
    """Split ``file:line:column``; the file may hold colons."""
    file, _, last = place.rpartition(":")
    if not file or not last.isdecimal():
        return place, 0
    outer, _, line = file.rpartition(":")
    return (outer, line_number(line)) if outer and line.isdecimal() else (file, line_number(last))


def _outermost(place: str) -> str:
    """Return where the ``eval`` stands: of ``eval at a (eval at b (page.js:1:2), <anonymous>:1:1)``."""
    return place.rpartition(" (")[2].partition(")")[0]


def _without_prefix(name: str) -> str:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return name

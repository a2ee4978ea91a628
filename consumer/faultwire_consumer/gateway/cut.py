"""Makes a foreign event as large as it may be: each part within its limit, then parts away until it fits."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from faultwire_consumer.gateway.bounded import ends_of, within_limits
from faultwire_shared.event import EVENT_BYTES, NAME_CHARACTERS
from faultwire_shared.snapshot import Snapshot

_ROOM: Final = 2_048
"""So many bytes more are taken away at each step: the paths of what was cut take some."""
_FIRST_FRAMES: Final = 10
_LAST_FRAMES: Final = 30
_FEW_FRAMES: Final = 20
_SMALL: Final = 256
"""An entry of an object that takes fewer bytes stays while anything else can go."""
_encode: Final = msgspec.json.Encoder().encode

_OPEN_FIELDS: Final = ("context", "request", "user", "tags", "breadcrumbs")

_Document = dict[str, Any]
_Step = Callable[[_Document, int, Snapshot], None]
"""Takes something away from an event that is so many bytes too large, and notes what."""


def fit(document: Mapping[str, Any]) -> bytes:
    """Encode an event of wire version 1 in `EVENT_BYTES` at most.

    Every part is cut to the limit that our own client keeps. If the whole is still too large, these go, one
    after the other, until it is not: frames in the middle, local variables, source lines around those that
    ran, the largest of the context, the oldest breadcrumbs, the largest of the request, user and tags, and
    in the end all but the raised exception with its last frames. What was cut is listed in ``truncated``,
    after what is there.

    Args:
        document: made of what `read_json` returns, enums and times; it stays as it is.
    """
    snapshot = Snapshot()
    for path in document.get("truncated") or ():
        snapshot.cut(snapshot.text("truncated", path, NAME_CHARACTERS))
    event = within_limits(document, snapshot)
    body = _encoded(event, snapshot)
    for step in _STEPS:
        if len(body) <= EVENT_BYTES:
            break
        step(event, len(body) - EVENT_BYTES + _ROOM, snapshot)
        body = _encoded(event, snapshot)
    return body


def _encoded(event: _Document, snapshot: Snapshot) -> bytes:
    return _encode(event | {"truncated": snapshot.truncated} if snapshot.truncated else event)


def _exceptions_in(chain: list[_Document]) -> Iterator[_Document]:
    """Yield all of a chain, the members of groups too."""
    for one in chain:
        yield one
        for members in one.get("members", ()):
            yield from _exceptions_in(members)


def _fewer_frames(event: _Document, _: int, snapshot: Snapshot) -> None:
    for one in _exceptions_in(event.get("exceptions", [])):
        frames = one.get("frames", [])
        one["frames"] = ends_of(frames, _FIRST_FRAMES, _LAST_FRAMES)
        if len(one["frames"]) < len(frames):
            snapshot.cut("exceptions.frames")


def _changed_frames(path: str, change: Callable[[_Document], bool]) -> _Step:
    """Return a step that changes all frames; the change returns whether there was anything to take."""

    def step(event: _Document, _: int, snapshot: Snapshot) -> None:
        exceptions = _exceptions_in(event.get("exceptions", []))
        if sum(change(frame) for one in exceptions for frame in one.get("frames", ())):
            snapshot.cut(path)

    return step


def _without_variables(frame: _Document) -> bool:
    return bool(frame.pop("vars", None))


def _with_the_line_that_ran(frame: _Document) -> bool:
    """By that line events are grouped, not by those around it."""
    lines = frame.get("context", ())
    if len(lines) > 1:
        frame["context"] = [lines[len(lines) // 2]]
    return len(lines) > 1


def _without_largest(name: str) -> _Step:
    """Return a step that takes the largest entries of an object, until no more need go or all are small."""

    def step(event: _Document, excess: int, snapshot: Snapshot) -> None:
        held = event.get(name, {})
        sizes = {key: len(_encode({key: value})) for key, value in held.items()}
        for key in sorted(sizes, key=lambda key: (-sizes[key], key)):
            if excess <= 0 or sizes[key] < _SMALL:
                break
            del held[key]
            excess -= sizes[key]
            snapshot.cut(f"{name}.{key}")

    return step


def _without_oldest_breadcrumbs(event: _Document, excess: int, snapshot: Snapshot) -> None:
    crumbs = event.get("breadcrumbs", [])
    while crumbs and excess > 0:
        excess -= len(_encode(crumbs.pop(0)))
        snapshot.cut("breadcrumbs")


def _only_raised(event: _Document, _: int, snapshot: Snapshot) -> None:
    """Leave what always fits: whatever the characters, a few frames of one exception."""
    for name in _OPEN_FIELDS:
        if event.pop(name, None):
            snapshot.cut(name)
    for one in event.get("exceptions", [])[:1]:
        frames = [frame | {"context": []} for frame in one.get("frames", [])[-_FEW_FRAMES:]]
        event["exceptions"] = [one | {"frames": frames, "members": [], "notes": [], "attributes": {}}]
        snapshot.cut("exceptions")


_STEPS: Final[tuple[_Step, ...]] = (
    _fewer_frames,
    _changed_frames("exceptions.frames.vars", _without_variables),
    _changed_frames("exceptions.frames.context", _with_the_line_that_ran),
    _without_largest("context"),
    _without_oldest_breadcrumbs,
    _without_largest("request"),
    _without_largest("user"),
    _without_largest("tags"),
    _only_raised,
)

"""A foreign event's parts, each within the limits that our own client keeps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from faultwire_shared.event import (
    FRAMES,
    NAME_CHARACTERS,
    STRING_CHARACTERS,
    Event,
    ExceptionInfo,
    Frame,
)
from faultwire_shared.snapshot import Bounds, Snapshot

T = TypeVar("T")

CHAIN: Final = 20
"""Exceptions from the one raised to its root cause, at most: as many as our client sends."""
EXCEPTIONS: Final = 50
"""Exceptions in one event, the members of groups among them, at most."""
GROUP_DEPTH: Final = 3
NOTES: Final = 10
FINGERPRINT_PARTS: Final = 10
BREADCRUMBS: Final = 50
SOURCE_LINES: Final = 11
SOURCE_CHARACTERS: Final = 200
PATH_CHARACTERS: Final = 400

_SHORT: Final = Bounds(text=NAME_CHARACTERS)
"""Of tags and attributes, which are labels."""
_VARIABLES: Final = Bounds(depth=3, items=25, text=256, values=100, characters=2_048)
_TEXTS: Final = {
    **dict.fromkeys(("service", "environment", "release", "code", "host", "producer_id"), NAME_CHARACTERS),
    **dict.fromkeys(("id", "severity_text", "trace_id", "span_id"), NAME_CHARACTERS),
    **dict.fromkeys(("message", "template", "transaction"), STRING_CHARACTERS),
}
_EXCEPTION_TEXTS: Final = {"type": NAME_CHARACTERS, "module": NAME_CHARACTERS, "value": STRING_CHARACTERS}
_FRAME_TEXTS: Final = {"file": PATH_CHARACTERS, "module": NAME_CHARACTERS, "qualname": NAME_CHARACTERS}
_SDK_TEXTS: Final = {"name": NAME_CHARACTERS, "version": NAME_CHARACTERS}


def within_limits(document: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    """Copy an event with each of its parts cut to its limit; what is cut is noted in the snapshot.

    Args:
        document: an event of wire version 1. Fields that it does not have are left out, and so is null.
        snapshot: a new one. The open fields share its bounds: the user and the request have them first.
    """
    event = _known(document, Event.__struct_fields__)
    event |= _texts(event, _TEXTS, "", snapshot)
    event |= {name: snapshot.mapping(name, event[name]) for name in ("user", "request") if name in event}
    for name, take in _TAKEN.items():
        if name in event:
            event[name] = take(event[name], snapshot)
    return event


def ends_of(items: Sequence[T], first: int, last: int) -> list[T]:
    """Return the items without those in the middle, if there are more than both numbers."""
    return [*items] if len(items) <= first + last else [*items[:first], *items[-last:]]


class _Chains:
    """Chains of exceptions, all of which share one bound."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._left = EXCEPTIONS

    def chain(self, held: Sequence[Mapping[str, Any]], depth: int = 0) -> list[dict[str, Any]]:
        """Cut a chain: the raised exception and the root cause stay."""
        kept = ends_of(held, CHAIN // 2, CHAIN // 2)[: self._left]
        if len(kept) < len(held):
            self._snapshot.cut("exceptions")
        self._left -= len(kept)
        return [self._one(each, depth) for each in kept]

    def _one(self, held: Mapping[str, Any], depth: int) -> dict[str, Any]:
        snapshot = self._snapshot
        one = _known(held, ExceptionInfo.__struct_fields__)
        one |= _texts(one, _EXCEPTION_TEXTS, "exceptions.", snapshot)
        if one.get("attributes"):
            one["attributes"] = _labels("exceptions.attributes", one["attributes"], snapshot)
        if notes := one.get("notes"):
            one["notes"] = [snapshot.text("exceptions.notes", note) for note in notes[:NOTES]]
        if frames := one.get("frames"):
            one["frames"] = _frames(frames, snapshot)
        if members := one.get("members"):
            one["members"] = self._members(members, depth)
        return one

    def _members(self, held: Sequence[Sequence[Mapping[str, Any]]], depth: int) -> list[list[dict[str, Any]]]:
        inner = held if depth < GROUP_DEPTH else ()
        kept = [self.chain(chain, depth + 1) for chain in inner if self._left > 0]
        if len(kept) < len(held):
            self._snapshot.cut("exceptions.members")
        return kept


def _frames(held: Sequence[Mapping[str, Any]], snapshot: Snapshot) -> list[dict[str, Any]]:
    kept = ends_of(held, FRAMES // 2, FRAMES // 2)
    if len(kept) < len(held):
        snapshot.cut("exceptions.frames")
    return [_frame(each, snapshot) for each in kept]


def _frame(held: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    frame = _known(held, Frame.__struct_fields__)
    frame |= _texts(frame, _FRAME_TEXTS, "exceptions.frames.", snapshot)
    if lines := frame.get("context"):
        frame["context"] = _source(lines, snapshot)
    if variables := frame.get("vars"):
        own = Snapshot(_VARIABLES)
        frame["vars"] = own.mapping("vars", variables)
        if own.truncated:
            snapshot.cut("exceptions.frames.vars")
    return frame


def _source(lines: Sequence[str], snapshot: Snapshot) -> list[str]:
    """Cut source lines; the one in the middle, which ran, stays there."""
    ran = len(lines) // 2
    around = SOURCE_LINES // 2
    kept = lines if len(lines) <= SOURCE_LINES else lines[ran - around : ran + around + 1]
    return [snapshot.text("exceptions.frames.context", line, SOURCE_CHARACTERS) for line in kept]


def _labels(name: str, held: Mapping[str, Any], snapshot: Snapshot) -> dict[str, Any]:
    own = Snapshot(_SHORT)
    kept = own.scalars(name, held)
    _note(own, snapshot)
    return kept


def _breadcrumbs(held: Sequence[Mapping[str, Any]], snapshot: Snapshot) -> list[dict[str, Any]]:
    """Cut breadcrumbs: the newest have the first share of their bounds."""
    own = Snapshot()
    kept = [own.mapping("breadcrumbs", crumb) for crumb in reversed(held[-BREADCRUMBS:])]
    if len(kept) < len(held):
        snapshot.cut("breadcrumbs")
    _note(own, snapshot)
    return kept[::-1]


def _note(own: Snapshot, snapshot: Snapshot) -> None:
    for path in own.truncated:
        snapshot.cut(path)


def _known(held: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name in names if (value := held.get(name)) is not None}


def _texts(
    held: Mapping[str, Any], limits: Mapping[str, int], path: str, snapshot: Snapshot
) -> dict[str, str]:
    return {
        name: snapshot.text(f"{path}{name}", held[name], most)
        for name, most in limits.items()
        if name in held
    }


_TAKEN: Final[Mapping[str, Callable[[Any, Snapshot], Any]]] = {
    "exceptions": lambda held, snapshot: _Chains(snapshot).chain(held),
    "tags": lambda held, snapshot: _labels("tags", held, snapshot),
    "context": lambda held, snapshot: snapshot.mapping("context", held),
    "breadcrumbs": _breadcrumbs,
    "fingerprint": lambda held, snapshot: [
        snapshot.text("fingerprint", part, NAME_CHARACTERS) for part in held[:FINGERPRINT_PARTS]
    ],
    "sdk": lambda held, snapshot: _texts(held, _SDK_TEXTS, "sdk.", snapshot),
}

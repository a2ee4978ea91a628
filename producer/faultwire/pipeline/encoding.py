"""An event's JSON, within its bounds, no matter what a processor has put into it."""

from collections.abc import Callable
from itertools import chain
from typing import Any, Final

import msgspec

from faultwire_shared.clock import exact_utc
from faultwire_shared.codec import encode
from faultwire_shared.event import EVENT_BYTES, Event, ExceptionInfo, Frame
from faultwire_shared.snapshot import Snapshot, clean_text

_FEW_FRAMES: Final = 20
_TEXTS: Final = (
    *("severity_text", "code", "message", "template", "environment", "release", "host"),
    *("transaction", "trace_id", "span_id"),
)
_TIMES: Final = ("occurred_at", "first_at", "last_at")


ChangeFrames = Callable[[list[Frame]], list[Frame]]
"""Returns other frames in their place, or the very same list."""


class Unencodable(Exception):  # noqa: N818 - named for what it says of the event; counted, never shown
    """An event that no longer can be written as JSON, as a processor put something foreign into it."""


def encode_bounded(event: Event) -> tuple[bytes, Event]:
    """The event's JSON of at most ``EVENT_BYTES``, and the event that it says.

    What does not fit goes step by step, the least useful first, and is listed in ``truncated``.

    Raises:
        Unencodable: a processor put in what JSON cannot say.
    """
    body = _encode(event)
    for step in _STEPS:
        if len(body) <= EVENT_BYTES:
            break
        event = step(event)
        body = _encode(event)
    return body, event


def _encode(event: Event) -> bytes:
    try:
        return encode(event)
    except Exception:  # noqa: BLE001 - what processors leave may be anything; clean it, once
        return _encode_cleaned(event)


def _encode_cleaned(event: Event) -> bytes:
    try:
        return encode(_cleaned(event))
    except Exception as error:  # noqa: BLE001 - as above
        raise Unencodable(clean_text(error)) from None


def _cleaned(event: Event) -> Event:
    """The event with what is no plain value made plain: subclasses of texts, numbers and times among it."""
    snapshot = Snapshot()
    fields: dict[str, Any] = {
        name: snapshot.mapping(name, getattr(event, name)) for name in ("context", "user", "request")
    }
    fields |= {name: clean_text(text) for name in _TEXTS if (text := getattr(event, name)) is not None}
    fields |= {name: exact_utc(at) for name in _TIMES if (at := getattr(event, name)) is not None}
    return msgspec.structs.replace(
        event,
        tags=snapshot.scalars("tags", event.tags),
        breadcrumbs=[],
        exceptions=[_with_frames(each, _without_variables) for each in event.exceptions],
        fingerprint=[clean_text(part) for part in event.fingerprint],
        **fields,
    )


def _without(*names: str) -> Callable[[Event], Event]:
    def drop(event: Event) -> Event:
        held = [name for name in names if getattr(event, name)]
        empty: dict[str, Any] = {name: type(getattr(event, name))() for name in held}
        return msgspec.structs.replace(event, truncated=[*event.truncated, *held], **empty)

    return drop


def _changing_frames(path: str, change: ChangeFrames) -> Callable[[Event], Event]:
    def step(event: Event) -> Event:
        exceptions = [_with_frames(each, change) for each in event.exceptions]
        if all(new is old for new, old in zip(exceptions, event.exceptions, strict=True)):
            return event
        cut = event.truncated if path in event.truncated else [*event.truncated, path]
        return msgspec.structs.replace(event, truncated=cut, exceptions=exceptions)

    return step


def _with_frames(one: ExceptionInfo, change: ChangeFrames) -> ExceptionInfo:
    """The exception and its members with other frames; the very same one if there is nothing to change."""
    frames = change(one.frames)
    members = [[_with_frames(each, change) for each in causes] for causes in one.members]
    inner = zip(chain.from_iterable(members), chain.from_iterable(one.members), strict=True)
    if frames is one.frames and all(new is old for new, old in inner):
        return one
    return msgspec.structs.replace(one, frames=frames, members=members)


def _without_variables(frames: list[Frame]) -> list[Frame]:
    if not any(frame.vars for frame in frames):
        return frames
    return [msgspec.structs.replace(frame, vars={}) for frame in frames]


def _with_the_line_that_ran(frames: list[Frame]) -> list[Frame]:
    """By that line events are grouped, not by those around it."""
    if not any(len(frame.context) > 1 for frame in frames):
        return frames
    return [msgspec.structs.replace(frame, context=[frame.ran] if frame.context else []) for frame in frames]


def _without_source(frames: list[Frame]) -> list[Frame]:
    return [msgspec.structs.replace(frame, context=[]) for frame in frames]


def _only_raised(event: Event) -> Event:
    kept = [msgspec.structs.replace(each, members=[], notes=[]) for each in event.exceptions[:1]]
    return msgspec.structs.replace(event, truncated=["exceptions"], exceptions=kept, fingerprint=[])


_STEPS: Final = (
    _changing_frames("exceptions.frames.vars", _without_variables),
    _without("breadcrumbs"),
    _changing_frames("exceptions.frames.context", _with_the_line_that_ran),
    _without("context"),
    _changing_frames("exceptions.frames.context", _without_source),
    _without("request", "user", "tags"),
    _changing_frames("exceptions.frames", lambda frames: frames[-_FEW_FRAMES:]),
    _only_raised,
)

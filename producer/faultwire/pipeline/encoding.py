"""An event's JSON, within its bounds, no matter what a processor has put into it."""

from collections.abc import Callable
from typing import Any, Final

import msgspec

from faultwire_shared.clock import exact_utc
from faultwire_shared.codec import encode
from faultwire_shared.event import EVENT_BYTES, Event, ExceptionInfo
from faultwire_shared.snapshot import Snapshot, clean_text

_FEW_FRAMES: Final = 20
_TEXTS: Final = (
    *("severity_text", "code", "message", "template", "environment", "release", "host"),
    *("transaction", "trace_id", "span_id"),
)
_TIMES: Final = ("occurred_at", "first_at", "last_at")


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
        fingerprint=[clean_text(part) for part in event.fingerprint],
        **fields,
    )


def _without(*names: str) -> Callable[[Event], Event]:
    def drop(event: Event) -> Event:
        held = [name for name in names if getattr(event, name)]
        empty: dict[str, Any] = {name: type(getattr(event, name))() for name in held}
        return msgspec.structs.replace(event, truncated=[*event.truncated, *held], **empty)

    return drop


def _without_source(event: Event) -> Event:
    return _with_exceptions(event, "exceptions.frames.context", lambda each: _thin(each, drop_source=True))


def _with_few_frames(event: Event) -> Event:
    return _with_exceptions(event, "exceptions.frames", lambda each: _thin(each, drop_source=False))


def _thin(one: ExceptionInfo, *, drop_source: bool) -> ExceptionInfo:
    frames = one.frames
    if drop_source:
        frames = [msgspec.structs.replace(frame, context=[]) for frame in frames]
    else:
        frames = frames[-_FEW_FRAMES:]
    members = [[_thin(each, drop_source=drop_source) for each in chain] for chain in one.members]
    return msgspec.structs.replace(one, frames=frames, members=members)


def _with_exceptions(event: Event, path: str, change: Callable[[ExceptionInfo], ExceptionInfo]) -> Event:
    return msgspec.structs.replace(
        event,
        truncated=[*event.truncated, path],
        exceptions=[change(each) for each in event.exceptions],
    )


def _only_raised(event: Event) -> Event:
    kept = [msgspec.structs.replace(each, members=[], notes=[]) for each in event.exceptions[:1]]
    return msgspec.structs.replace(event, truncated=["exceptions"], exceptions=kept, fingerprint=[])


_STEPS: Final = (
    _without("breadcrumbs"),
    _without("context"),
    _without_source,
    _without("request", "user", "tags"),
    _with_few_frames,
    _only_raised,
)

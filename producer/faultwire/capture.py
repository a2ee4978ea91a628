"""An exception and its context become an event: pure, bounded, and immune to what they contain."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from faultwire.chain import Chain
from faultwire_shared import __version__
from faultwire_shared.codec import encode
from faultwire_shared.event import (
    EVENT_BYTES,
    NAME_CHARACTERS,
    SCHEMA_VERSION,
    Category,
    ErrorSeverity,
    Event,
    ExceptionInfo,
    Sdk,
)
from faultwire_shared.event_id import new_event_id
from faultwire_shared.snapshot import Snapshot, clean_text
from faultwire_shared.taxonomy import DEFAULTS, Classification, classify

Clock = Callable[[], datetime]

SDK: Final = Sdk(name="faultwire-python", version=__version__)
_FINGERPRINT_PARTS: Final = 10
_FEW_FRAMES: Final = 20


class Origin(Struct, frozen=True, kw_only=True):
    """What all events of one manager share."""

    service: str
    environment: str
    release: str | None
    host: str | None


class Extras(Struct, frozen=True, kw_only=True):
    """What a caller may add to one event."""

    context: object = None
    tags: object = None
    user: object = None
    request: object = None
    transaction: object = None
    fingerprint: Iterable[object] | None = None
    handled: bool = True


class Unencodable(Exception):  # noqa: N818 - named for what it says of the event; counted, never shown
    """An event that no longer can be written as JSON, as a processor put something foreign into it."""


def event_from(
    error: object,
    *,
    event_id: str,
    now: datetime,
    origin: Origin,
    meaning: Classification,
    severity: object = None,
    extras: Extras,
) -> Event:
    """The event of an error that a service hands over; a text in place of an exception is taken too.

    Args:
        error: an exception, raised or not.
        event_id: as minted by ``new_event_id`` for the day of ``now``.
        now: when it occurred, in UTC.
        origin: who says so.
        meaning: as ``meaning_of`` the error has it.
        severity: any usual spelling; without one, what the kind of error says.
        extras: what the caller adds.
    """
    snapshot = Snapshot()
    level, spelling = _severity(severity, meaning)
    raised = isinstance(error, BaseException)
    exceptions = Chain(snapshot).read(error) if isinstance(error, BaseException) else []
    return Event(
        id=event_id,
        schema_version=SCHEMA_VERSION,
        occurred_at=now,
        severity=level,
        service=origin.service,
        severity_text=spelling,
        category=meaning.category,
        code=meaning.code,
        message=exceptions[0].value if raised else snapshot.text("message", error) or "(no text)",
        environment=origin.environment,
        release=origin.release,
        host=origin.host,
        handled=bool(extras.handled),
        exceptions=exceptions,
        context=snapshot.mapping("context", extras.context),
        tags=snapshot.scalars("tags", extras.tags),
        user=snapshot.mapping("user", extras.user, alone="id"),
        request=snapshot.mapping("request", extras.request),
        transaction=None if extras.transaction is None else snapshot.text("transaction", extras.transaction),
        fingerprint=_fingerprint(extras.fingerprint),
        truncated=snapshot.truncated,
        sdk=SDK,
    )


def capture(
    error: object, *, now: datetime, origin: Origin, severity: object, extras: Extras
) -> tuple[Event, Classification]:
    """The event of an error and what it means, with a new id; never raises, whatever it is handed."""
    now = now.replace(microsecond=now.microsecond // 1000 * 1000)
    event_id = new_event_id(now)
    try:
        meaning = meaning_of(error)
        event = event_from(
            error,
            event_id=event_id,
            now=now,
            origin=origin,
            meaning=meaning,
            severity=severity,
            extras=extras,
        )
        return event, meaning
    except Exception:  # noqa: BLE001 - whatever a hostile error does, the host gets its answer
        least = least_event(error, event_id=event_id, now=now, origin=origin, severity=severity)
        return least, DEFAULTS[Category.SYSTEM]


def least_event(
    error: object, *, event_id: str, now: datetime, origin: Origin, severity: object = None
) -> Event:
    """What can be said of an error whose capture failed: its type, when and where."""
    meaning = DEFAULTS[Category.SYSTEM]
    level, spelling = _severity(severity, meaning)
    kind = type(error)
    return Event(
        id=event_id,
        schema_version=SCHEMA_VERSION,
        occurred_at=now,
        severity=level,
        service=origin.service,
        severity_text=spelling,
        code=meaning.code,
        message=f"<uncaptured {clean_text(kind.__name__, NAME_CHARACTERS)}>",
        environment=origin.environment,
        release=origin.release,
        host=origin.host,
        exceptions=[ExceptionInfo(type=clean_text(kind.__name__, NAME_CHARACTERS))],
        truncated=["exceptions"],
        sdk=SDK,
    )


def meaning_of(error: object) -> Classification:
    """What an error means, whatever its class declares."""
    try:
        meaning = classify(error) if isinstance(error, BaseException) else DEFAULTS[Category.SYSTEM]
        if type(meaning.code) is str and meaning.code.isascii() and len(meaning.code) <= NAME_CHARACTERS:
            return meaning
        return msgspec.structs.replace(meaning, code=clean_text(meaning.code, NAME_CHARACTERS))
    except Exception:  # noqa: BLE001 - a subclass may declare its code as a property that raises
        return DEFAULTS[Category.SYSTEM]


def _severity(given: object, meaning: Classification) -> tuple[ErrorSeverity, str | None]:
    if type(given) is ErrorSeverity:
        return given, None
    if given is None:
        given = meaning.severity
        if type(given) is ErrorSeverity:
            return given, None
    # issubclass, as isinstance would ask a hostile object for its __class__.
    number = issubclass(type(given), int)
    return ErrorSeverity.parse(int(given) if number else clean_text(given, NAME_CHARACTERS))  # type: ignore[call-overload]  # it is one


def _fingerprint(parts: Iterable[object] | None) -> list[str]:
    if parts is None:
        return []
    if isinstance(parts, str):
        parts = (parts,)
    try:
        return [clean_text(part, NAME_CHARACTERS) for part, _ in zip(parts, range(_FINGERPRINT_PARTS))]  # noqa: B905 - the range is the bound
    except Exception:  # noqa: BLE001 - a caller's iterable may raise anything
        return []


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
    snapshot = Snapshot()
    open_fields = {
        name: snapshot.mapping(name, getattr(event, name)) for name in ("context", "user", "request")
    }
    try:
        return encode(
            msgspec.structs.replace(
                event,
                message=clean_text(event.message),
                tags=snapshot.scalars("tags", event.tags),
                breadcrumbs=[],
                **open_fields,
            )
        )
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise Unencodable(clean_text(error)) from None


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

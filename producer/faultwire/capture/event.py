"""A handled error becomes an event: pure, bounded, and immune to what the error and its context contain."""

from typing import Any, Final

from msgspec import Struct

from faultwire.capture.chain import Chain, is_exception
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import Handled
from faultwire.capture.scope import EMPTY, Scope, Surroundings
from faultwire_shared import __version__
from faultwire_shared.event import (
    NAME_CHARACTERS,
    SCHEMA_VERSION,
    Event,
    ExceptionInfo,
    Scalar,
    Sdk,
)
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.known_type import name_of
from faultwire_shared.snapshot import Snapshot, clean_text
from faultwire_shared.trace_context import TraceContext

SDK: Final = Sdk(name="faultwire-python", version=__version__)
NO_TEXT: Final = "(no text)"
_FINGERPRINT_PARTS: Final = 10
_NOTHING: Final = Surroundings()


class Origin(Struct, frozen=True, kw_only=True):
    """Fields that all events of one manager share."""

    service: str
    environment: str
    release: str | None
    host: str | None


def capture(
    handled: Handled,
    *,
    event_id: str,
    origin: Origin,
    frames: FrameReader,
    scope: Scope = EMPTY,
    trace: TraceContext | None = None,
) -> Event:
    """The event of an error; never raises, no matter what it is handed."""
    try:
        return event_from(handled, event_id=event_id, origin=origin, frames=frames, scope=scope, trace=trace)
    except BaseException as error:  # noqa: BLE001 - whatever a hostile error does, the host gets its answer
        pass_interruption(error)
        return least_event(handled, event_id=event_id, origin=origin)


def event_from(
    handled: Handled,
    *,
    event_id: str,
    origin: Origin,
    frames: FrameReader,
    scope: Scope = EMPTY,
    trace: TraceContext | None = None,
) -> Event:
    """The event of an error that a service hands over; a text in place of an exception is taken too.

    Args:
        handled: the error, and what the caller said about it.
        event_id: as minted by ``new_event_id`` for the day of the error.
        origin: who says so.
        frames: reads its tracebacks.
        scope: what was bound for the running request; the caller's own words win.
        trace: the running span, which wins over the request's.
    """
    snapshot = Snapshot()
    error, extras = handled.error, handled.extras
    exceptions = Chain(snapshot, frames).read(error, handled.trail) if is_exception(error) else []
    around = _NOTHING if scope is EMPTY else scope.surroundings()
    transaction = around.transaction if extras.transaction is None else extras.transaction
    trace_id, span_id = (trace and trace[:2]) or around.trace or (None, None)
    return Event(
        id=event_id,
        schema_version=SCHEMA_VERSION,
        occurred_at=handled.at,
        severity=handled.severity,
        service=origin.service,
        severity_text=handled.spelling,
        category=handled.meaning.category,
        code=handled.meaning.code,
        message=exceptions[0].value if exceptions else snapshot.text("message", error) or NO_TEXT,
        template=None if extras.template is None else snapshot.text("template", extras.template),
        environment=origin.environment,
        release=origin.release,
        host=origin.host,
        handled=bool(extras.handled),
        exceptions=exceptions,
        context=snapshot.mapping("context", extras.context),
        tags=_tags(snapshot, scope, extras.tags),
        user=snapshot.mapping("user", around.user if extras.user is None else extras.user, alone="id"),
        request=snapshot.mapping("request", around.request if extras.request is None else extras.request),
        transaction=None if transaction is None else snapshot.text("transaction", transaction),
        breadcrumbs=list(scope.breadcrumbs),
        trace_id=trace_id,
        span_id=span_id,
        fingerprint=_fingerprint(extras.fingerprint),
        truncated=snapshot.truncated,
        sdk=SDK,
    )


def least_event(handled: Handled, *, event_id: str, origin: Origin) -> Event:
    """The event of an error whose capture failed: its type, time and place."""
    name = clean_text(name_of(type(handled.error)), NAME_CHARACTERS)
    return Event(
        id=event_id,
        schema_version=SCHEMA_VERSION,
        occurred_at=handled.at,
        severity=handled.severity,
        service=origin.service,
        severity_text=handled.spelling,
        category=handled.meaning.category,
        code=handled.meaning.code,
        message=f"<uncaptured {name}>",
        environment=origin.environment,
        release=origin.release,
        host=origin.host,
        exceptions=[ExceptionInfo(type=name)],
        truncated=["exceptions"],
        sdk=SDK,
    )


def _tags(snapshot: Snapshot, scope: Scope, given: object) -> dict[str, Scalar]:
    found = snapshot.scalars("tags", given)
    return {**scope.tags, **found} if scope.tags else found


def _fingerprint(parts: Any) -> list[str]:
    if parts is None:
        return []
    if isinstance(parts, str):
        parts = (parts,)
    try:
        return [clean_text(part, NAME_CHARACTERS) for part, _ in zip(parts, range(_FINGERPRINT_PARTS))]  # noqa: B905 - the range is the bound
    except BaseException as error:  # noqa: BLE001 - a caller's iterable may raise anything
        pass_interruption(error)
        return []

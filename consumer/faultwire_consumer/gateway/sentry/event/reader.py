"""Reads a Sentry event field by field: what does not fit is left out and named, and the event kept."""

from typing import Any, Final

import msgspec

from faultwire_consumer.gateway.cut import fit
from faultwire_consumer.gateway.lenient import UnreadableError, read_json
from faultwire_consumer.gateway.reading import ReadEvent, ReadingContext
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event.breadcrumbs import read_breadcrumbs
from faultwire_consumer.gateway.sentry.event.chain import SentryExceptions, read_exceptions
from faultwire_consumer.gateway.sentry.event.context import read_context
from faultwire_consumer.gateway.sentry.event.fingerprint import read_fingerprint
from faultwire_consumer.gateway.sentry.event.identity import event_id, id_of_content, read_id
from faultwire_consumer.gateway.sentry.event.level import SentryLevel, read_level
from faultwire_consumer.gateway.sentry.event.moment import SentryMoment, parse_moment, read_moment
from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.origin import SentryOrigin, read_origin, read_sdk
from faultwire_consumer.gateway.sentry.event.request import read_request
from faultwire_consumer.gateway.sentry.event.shape import name_of
from faultwire_consumer.gateway.sentry.event.tags import read_tags
from faultwire_consumer.gateway.sentry.event.text import read_text
from faultwire_consumer.gateway.sentry.event.trace import read_trace
from faultwire_consumer.gateway.sentry.event.user import read_user
from faultwire_shared.event import SCHEMA_VERSION, Event, Sdk

NO_TEXT: Final = "(no text)"
"""The message of an event that says nothing at all: one of them is to be there."""
_TRANSACTION: Final = "transaction"
_UNREAD: Final = "not_read"
"""Names in the context what of the event had no meaning."""


class UnreadableEventError(Exception):
    """Nothing of an event can be kept: it is no JSON, however leniently read, not an object, or no error."""

    def __init__(self, what: str, *, kind: str = "") -> None:
        super().__init__(what)
        self.kind = kind
        """What it is instead, where it is something that is left out on purpose: a ``transaction``."""


def read_event(payload: bytes, context: ReadingContext, envelope: EnvelopeHeader) -> ReadEvent:
    """Read one event's JSON, of a store's body or of an envelope's item.

    The envelope's ``event_id`` wins over the event's own: a second event of the same envelope is to be
    given a header without one. A store's body, which has no header, is given an empty one.

    Raises:
        UnreadableEventError: nothing of it can be kept.
    """
    given = _object(payload)
    moment = read_moment(given.get("timestamp"), sent_at=envelope.sent_at, received_at=context.received_at)
    level = read_level(given.get("level"))
    event = _event(given, moment, level, context, envelope)
    event = msgspec.structs.replace(event, id=_id(given, payload, moment, context, envelope))
    return ReadEvent(
        id=event.id, severity=level.severity, body=fit(msgspec.to_builtins(event)), sdk=event.sdk or Sdk()
    )


def _object(payload: bytes) -> dict[str, Any]:
    try:
        given = read_json(payload)
    except UnreadableError as error:
        raise UnreadableEventError(str(error)) from None
    if not isinstance(given, dict):
        raise UnreadableEventError("it is not an object")
    if given.get("type") == _TRANSACTION:
        raise UnreadableEventError("it is no error", kind=_TRANSACTION)
    return given


def _id(
    given: dict[str, Any],
    payload: bytes,
    moment: SentryMoment,
    context: ReadingContext,
    envelope: EnvelopeHeader,
) -> str:
    """Name the event; one without an id and a time by its content and arrival: it may well happen again."""
    digits = read_id(envelope.event_id, given.get("event_id"))
    if digits is None:
        timeless = parse_moment(given.get("timestamp")) is None
        arrival = context.received_at.isoformat() if timeless else ""
        digits = id_of_content(context.service.encode(), arrival.encode(), payload)
    return event_id(moment.told_at, digits)


def _event(
    given: dict[str, Any],
    moment: SentryMoment,
    level: SentryLevel,
    context: ReadingContext,
    envelope: EnvelopeHeader,
) -> Event:
    notes = ReadingNotes()
    text, origin, trace = read_text(given), read_origin(given), read_trace(given, envelope.trace)
    exceptions = read_exceptions(given, text.message, notes)
    chain = exceptions.chain
    around = read_context(given, exceptions=exceptions, moment=moment, notes=notes)
    event = Event(
        id="",
        schema_version=SCHEMA_VERSION,
        occurred_at=moment.occurred_at,
        severity=level.severity,
        severity_text=level.word,
        service=context.service,
        message=text.message or _text_of(exceptions),
        template=text.template,
        environment=origin.environment,
        release=origin.release,
        host=origin.host,
        handled=exceptions.handled,
        exceptions=chain,
        tags=read_tags(given, notes),
        user=read_user(given, context.address, notes),
        request=read_request(given, notes),
        breadcrumbs=read_breadcrumbs(given, notes),
        transaction=_transaction(given),
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        fingerprint=read_fingerprint(given.get("fingerprint"), notes),
        sdk=read_sdk(given.get("sdk")) or envelope.sdk or context.sdk,
    )
    _note_unread(given, level, origin, notes)
    unread = {_UNREAD: notes.unread} if notes.unread else {}
    return msgspec.structs.replace(event, context=around | unread, truncated=notes.truncated)


def _note_unread(
    given: dict[str, Any], level: SentryLevel, origin: SentryOrigin, notes: ReadingNotes
) -> None:
    """Note what names nothing in the place where it stands, and was taken for absent."""
    read = {
        "event_id": read_id(given.get("event_id")),
        "timestamp": parse_moment(given.get("timestamp")),
        "level": level.word,
        "release": origin.release,
        "environment": name_of(given.get("environment")) == origin.environment,
    }
    for name, found in read.items():
        if not found and given.get(name) not in (None, ""):
            notes.leave_out(name)


def _text_of(exceptions: SentryExceptions) -> str:
    """Return the raised exception's text, which may be empty if there is a type."""
    raised = exceptions.chain[0] if exceptions.chain else None
    return NO_TEXT if raised is None or not (raised.type or raised.value) else raised.value


def _transaction(given: dict[str, Any]) -> str | None:
    """Return the route or the job, which the oldest clients call the culprit."""
    return name_of(given.get("transaction")) or name_of(given.get("culprit")) or None

"""One event of a delivery on its way into the store: a row with its group, or a dead letter."""

from datetime import datetime

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.figures.user import user_key
from faultwire_consumer.domain.outcome import (
    AccessReason,
    DeadLettered,
    DeadLetterReason,
    StoreReason,
    WorkerReason,
)
from faultwire_consumer.domain.rules import Facts
from faultwire_consumer.domain.search_text import search_text
from faultwire_consumer.ingest.read.dead_letter import scrubbed_letter, with_oddity
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper, values_in
from faultwire_consumer.ingest.read.narrow import NarrowEvent, decode_narrow, event_id_in, number_in
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.ingest.read.wire_time import (
    storable_time,
    was_never_set,
    without_leap_seconds,
)
from faultwire_consumer.store.contract.store import EventRow, NewFingerprint, Place
from faultwire_consumer.store.dead_letters.record import NewDeadLetter
from faultwire_consumer.store.postgresql.partition import partition_day
from faultwire_shared.codec import PRODUCER_TYPE, Undecodable, UndecodableReason, decode_report
from faultwire_shared.event import ErrorSeverity, Scalar
from faultwire_shared.event_id import day_of
from faultwire_shared.failpoint import failpoint
from faultwire_shared.json_text import mend_surrogates
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.producer_report import ProducerReport
from faultwire_shared.taxonomy import DEFAULTS
from faultwire_shared.text import storable

log = get_logger(__name__)


class Decoded(Struct, frozen=True):
    """An event that can be stored: its row, its group, and what is needed if the store rejects it."""

    row: EventRow
    grouped: Grouped
    category: str
    code: str
    type: str
    tags: dict[str, Scalar]
    host: str | None
    """The machine that the event names."""
    delivery: Delivery
    opens_as: str | None = None
    """The service of an incident that it opens, where that is not its own."""

    def facts(self, severity: ErrorSeverity | None = None) -> Facts:
        """Return the event's facts for rules, or with a ``severity`` given its incident's."""
        return Facts(
            severity=severity or self.row.severity,
            category=self.category,
            service=self.row.service,
            environment=self.row.environment,
            release=self.row.release or "",
            code=self.code,
            type=self.type,
            tags=self.tags,
        )

    @property
    def place(self) -> Place:
        """Return where the fingerprint was seen."""
        return Place(self.row.fingerprint, self.row.environment, self.row.release or "")

    def new_fingerprint(self, joins: bytes | None = None) -> NewFingerprint:
        """Build what the store must know about a fingerprint that it has not seen.

        Args:
            joins: a known fingerprint, whose incident the new one belongs to as well.
        """
        fingerprint = self.grouped.fingerprint
        return NewFingerprint(
            fingerprint=fingerprint.key,
            version=fingerprint.version,
            digest=fingerprint.digest,
            parts_json=msgspec.json.encode(fingerprint.parts).decode(),
            service=self.opens_as or self.row.service,
            title=storable(self.grouped.title),
            culprit=storable(self.grouped.culprit),
            severity=self.row.severity,
            category=self.category,
            code=self.code,
            occurred_at=self.row.occurred_at,
            search_text=search_text(self._texts(), self.tags),
            joins=joins,
        )

    def _texts(self) -> list[str]:
        """List the texts by which an incident is searched besides its tags, the short and sure ones first."""
        # Decoded again, once for each fingerprint: held for every event of a batch, its many small objects
        # kept Python's cycle collector busy.
        event = decode_narrow(self.row.doc)
        short = [self.grouped.title, self.row.service, self.code, self.grouped.culprit]
        return [*short, event.message, *values_in(event)]


class Rejected(Struct, frozen=True):
    """An event that cannot be stored: its dead letter, and the outcome that says so."""

    dead_letter: NewDeadLetter
    outcome: DeadLettered
    sender: str = ""
    """The token that it was sent by."""


class ReceivedReport(Struct, frozen=True):
    """A producer's report about itself."""

    report: ProducerReport
    body: bytes
    delivery: Delivery
    received_at: datetime


Candidate = Decoded | Rejected | ReceivedReport


def candidates_of(
    delivery: Delivery, *, grouper: Grouper, scrubber: BodyScrubber, received_at: datetime
) -> list[Candidate]:
    """Decode, scrub and group every event of a delivery; a bad one leaves its neighbours alone."""
    reading = _Reading(delivery, grouper, scrubber, received_at)
    if delivery.fault is not None:
        return [_undecodable(reading, delivery.body, delivery.fault)]
    return [_candidate(reading, bytes(raw)) for raw in delivery.events]


class ServiceNotAllowedError(Exception):
    """The sender does not speak for the service that an event or report names; the text says so."""


class _Reading(Struct, frozen=True):
    """A delivery, and what its events are read with."""

    delivery: Delivery
    grouper: Grouper
    scrubber: BodyScrubber
    received_at: datetime


def _candidate(reading: _Reading, body: bytes) -> Candidate:
    """Read one event; whatever it brings out in the worker, it is a dead letter of its own."""
    failpoint("worker.decoding", body)
    try:
        try:
            return _read(reading, body)
        except Undecodable as error:
            return _read_mended(reading, body, error)
    except Undecodable as error:
        return _undecodable(reading, body, error)
    except ServiceNotAllowedError as error:
        return _scrubbed(reading, body, AccessReason.SERVICE_NOT_ALLOWED, str(error))
    except Exception as error:
        log.exception("delivery.failed", origin=reading.delivery.origin)
        detail = f"{type(error).__name__} in the worker, whose log says more, at $"
        return _scrubbed(reading, body, WorkerReason.FAILED, detail)


def _read_mended(reading: _Reading, body: bytes, error: Undecodable) -> Decoded | ReceivedReport:
    """Read an event again; a leap second costs nothing, half a surrogate pair one character.

    Raises:
        Undecodable: there is nothing to mend, or something else is wrong too.
    """
    mended = _mended(body, error.reason)
    if mended == body:
        raise error
    try:
        return _read(reading, mended)
    except Undecodable as other:
        return _read_mended(reading, mended, other)


def _mended(body: bytes, reason: UndecodableReason) -> bytes:
    match reason:
        case UndecodableReason.MALFORMED:
            return mend_surrogates(body)
        case UndecodableReason.INVALID:
            return without_leap_seconds(mend_surrogates(body))  # it may be both, and the time comes first
    return body


def _read(reading: _Reading, body: bytes) -> Decoded | ReceivedReport:
    delivery = reading.delivery
    if delivery.message_type == PRODUCER_TYPE:
        report = decode_report(body)
        _check_service(delivery, report.service)
        return ReceivedReport(report, body, delivery, reading.received_at)
    event = decode_narrow(body)
    _check_service(delivery, event.service)
    stacks: list[bytes] = []
    if event.scrubbed:
        pass
    elif inert := reading.scrubber.mark_inert(body, event):
        body, stacks = inert.body, inert.stacks
    else:
        body = reading.scrubber.scrub_event(body)
        event = decode_narrow(body)
    return _readable(event, body, delivery, reading.grouper.group(event, stacks), reading.received_at)


def _check_service(delivery: Delivery, service: str) -> None:
    if delivery.allowance is not None and not delivery.allowance.covers(service):
        raise ServiceNotAllowedError(delivery.allowance.spell_refusal(service))


def _undecodable(reading: _Reading, body: bytes, error: Undecodable) -> Rejected:
    """Build the dead letter of what cannot be read; its number is no news of a service not its own."""
    numbered, allowance = number_in(body), reading.delivery.allowance
    if allowance and numbered and numbered[1] and not allowance.covers(numbered[1]):
        detail = f"{allowance.spell_refusal(numbered[1])}; nor can it be read: {error.detail} at {error.path}"
        return _scrubbed(reading, body, AccessReason.SERVICE_NOT_ALLOWED, detail)
    return _scrubbed(reading, body, error.reason, f"{error.detail} at {error.path}")


def _scrubbed(reading: _Reading, body: bytes, reason: DeadLetterReason, detail: str) -> Rejected:
    rejected = unreadable(reading.delivery, body, reason, detail, reading.received_at)
    letter = scrubbed_letter(rejected.dead_letter, reading.scrubber)
    return Rejected(letter, DeadLettered(reason, letter.detail, letter.event_id), rejected.sender)


def unreadable(
    delivery: Delivery, body: bytes, reason: DeadLetterReason, detail: str, at: datetime
) -> Rejected:
    """Build a dead letter with this body, which holds no secret any more, and its outcome."""
    event_id, detail = event_id_in(body), with_oddity(detail, delivery)
    dead_letter = NewDeadLetter(
        body=body,
        reason=reason,
        detail=detail,
        event_id=event_id,
        origin=delivery.origin,
        message_type=delivery.message_type,
        attempts=delivery.attempts,
        at=at,
        size=delivery.size,
    )
    return Rejected(dead_letter, DeadLettered(reason, detail, event_id), sender_of(delivery))


def sender_of(delivery: Delivery) -> str:
    """Return the token that a delivery was sent by; empty for none."""
    return "" if delivery.allowance is None else delivery.allowance.sender


def reject(candidate: Decoded | ReceivedReport, why: str) -> Rejected:
    """Turn an event or report that the database rejects into a dead letter."""
    if isinstance(candidate, ReceivedReport):
        reason, detail = StoreReason.REJECTED_BY_STORE, f"{why} at $"
        return unreadable(candidate.delivery, candidate.body, reason, detail, candidate.received_at)
    row = candidate.row
    return unreadable(
        candidate.delivery, row.doc, StoreReason.REJECTED_BY_STORE, f"{why} at $", row.received_at
    )


def _readable(
    event: NarrowEvent, body: bytes, delivery: Delivery, grouped: Grouped, received_at: datetime
) -> Decoded:
    severity, _ = ErrorSeverity.parse(event.severity)
    row = EventRow(
        occurred_day=partition_day(day_of(event.id), today=received_at.date()),
        event_id=event.id,
        fingerprint=grouped.fingerprint.key,
        occurred_at=storable_time(event.occurred_at, received_at=received_at),
        received_at=received_at,
        severity=severity,
        service=storable(event.service),
        environment=storable(event.environment),
        release=None if event.release is None else storable(event.release),
        count=event.count,
        producer_id=None if event.producer_id is None else storable(event.producer_id),
        sequence=event.sequence,
        doc=body,
        last_at=_last_at(event, received_at),
        host=event.host,
        user=user_key(event.user) if event.user else None,
        tags=event.tags,
    )
    code = storable(event.code) or DEFAULTS[event.category].code
    raised = event.exceptions[0].type if event.exceptions else ""
    return Decoded(row, grouped, event.category.value, code, raised, event.tags, event.host, delivery)


def _last_at(event: NarrowEvent, received_at: datetime) -> datetime | None:
    if event.last_at is None or was_never_set(event.last_at):
        return None
    return storable_time(event.last_at, received_at=received_at)

"""The outcome of one event: a value for each, and a message is settled by the worst of its events."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from msgspec import Struct

from faultwire_shared.codec import UndecodableReason


class StoreReason(StrEnum):
    """The reason why an event that could be read cannot be stored."""

    REJECTED_BY_STORE = "rejected_by_store"
    PAST_RETENTION = "past_retention"
    ID_TAKEN = "id_taken"
    """Another event, of another service or producer, was stored under its id before."""


class WorkerReason(StrEnum):
    """The worker's own reason for not reading an event."""

    FAILED = "failed_in_worker"
    """A mistake of this release; it can be replayed after an upgrade."""


class AccessReason(StrEnum):
    """The reason why an event that could be read may not be brought by its sender."""

    SERVICE_NOT_ALLOWED = "service_not_allowed"
    """It names a service that its sender does not speak for."""


class BrokerReason(StrEnum):
    """The broker's reason for dead-lettering a message; its content may be perfectly sound."""

    DELIVERY_LIMIT = "delivery_limit"
    REJECTED = "rejected_at_broker"
    EXPIRED = "expired_at_broker"
    QUEUE_FULL = "dropped_by_full_queue"
    UNKNOWN = "dead_lettered_by_broker"


DeadLetterReason = UndecodableReason | StoreReason | WorkerReason | AccessReason | BrokerReason


class Stored(Struct, frozen=True):
    """Committed, and counted, for the first time."""

    event_id: str


class Duplicate(Struct, frozen=True):
    """Stored before; redelivery is normal and changes nothing."""

    event_id: str


class DeadLettered(Struct, frozen=True):
    """Kept as a dead letter, committed with the batch."""

    reason: DeadLetterReason
    detail: str
    event_id: str | None


class Noted(Struct, frozen=True):
    """A producer's report, added to the audit."""

    producer_id: str


class Retry(Struct, frozen=True):
    """Nothing was written; the delivery goes back."""

    reason: str


Outcome = Stored | Duplicate | DeadLettered | Noted | Retry


def must_return(outcomes: Sequence[Outcome]) -> bool:
    """Return True if a delivery must go back: one event that was not kept is enough."""
    return any(isinstance(outcome, Retry) for outcome in outcomes)


def result_of(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as senders and operators read it, in JSON's types."""
    match outcome:
        case Stored(event_id):
            return {"id": event_id, "status": "stored"}
        case Duplicate(event_id):
            return {"id": event_id, "status": "duplicate"}
        case DeadLettered(reason, detail, dead_id):
            return {"id": dead_id, "status": "dead_lettered", "reason": reason, "detail": detail}
        case Noted(producer_id):
            return {"id": None, "status": "noted", "producer_id": producer_id}
        case Retry(why):
            return {"id": None, "status": "retry", "reason": why}

"""Cures of dead letters, by their reasons: a sentence for whoever decides what becomes of them."""

from collections.abc import Mapping
from typing import Final

from faultwire_consumer.domain.outcome import (
    AccessReason,
    BrokerReason,
    DeadLetterReason,
    StoreReason,
    WorkerReason,
)
from faultwire_shared.codec import UndecodableReason

_CURES: Final[Mapping[DeadLetterReason, str]] = {
    UndecodableReason.MALFORMED: "It is not JSON: mend its publisher; edit and replay what is worth it.",
    UndecodableReason.INVALID: (
        "A field is missing or of another type: mend its publisher; edit and replay what is worth it."
    ),
    UndecodableReason.BAD_ID: (
        "Its publisher makes ids of its own: see the wire contract; edit the id, then replay."
    ),
    UndecodableReason.TOO_LARGE: "More than the wire allows: have its publisher send less; edit to keep it.",
    UndecodableReason.TOO_DEEP: "Nested deeper than the wire allows: flatten its context, then replay.",
    UndecodableReason.TOO_MANY: "Too many events in one message: have its publisher send smaller batches.",
    UndecodableReason.SCHEMA_UNSUPPORTED: "From a newer client: upgrade this worker, then replay.",
    UndecodableReason.TYPE_UNSUPPORTED: (
        "A message of a kind that this worker does not read: upgrade it, or see who publishes here."
    ),
    StoreReason.REJECTED_BY_STORE: (
        "The database refuses a value in it: the detail names which; edit it, then replay."
    ),
    StoreReason.PAST_RETENTION: (
        "Of a day that is no longer kept: replay it under an id of today, or discard it. Nobody can tell "
        "whether it was counted before."
    ),
    StoreReason.ID_TAKEN: (
        "Another event has its id: edit the id and replay, if this is really another event."
    ),
    WorkerReason.FAILED: "A mistake in this release: its log says which; upgrade, then replay.",
    AccessReason.SERVICE_NOT_ALLOWED: (
        "Its sender may not speak for this service: mend the token's patterns; a replay is your word that it "
        "is right."
    ),
    BrokerReason.DELIVERY_LIMIT: (
        "Workers died or lost their connection with it again and again: it may be sound; replay it alone."
    ),
    BrokerReason.REJECTED: "Somebody rejected it at the broker: it may be sound; try a dry run, then replay.",
    BrokerReason.EXPIRED: "It waited in the broker longer than it may: replay it.",
    BrokerReason.QUEUE_FULL: "A queue was full: add workers or room, then replay.",
    BrokerReason.UNKNOWN: "The broker gave it up without saying why: try a dry run, then replay.",
}
_BY_WORD: Final = {reason.value: cure for reason, cure in _CURES.items()}
_OF_ANOTHER_RELEASE: Final = "A reason that this release does not know: look at it before you decide."


def cure_of(reason: str) -> str:
    """Return what mends dead letters of a reason, also of one that another release wrote down."""
    return _BY_WORD.get(reason, _OF_ANOTHER_RELEASE)

"""Enqueuing of notifications, in the transaction of what they report, once for each receiver."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, structs

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.pile import insertion, write_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.event import ErrorSeverity

_ENQUEUE: Final = {
    dialect: insert(outbox).on_conflict_do_nothing(index_elements=[outbox.c.idempotency_key])
    for dialect, insert in INSERT.items()
}


class NewNotification(Struct, frozen=True, kw_only=True):
    """A new notification for one receiver, as decided by rules."""

    idempotency_key: str
    """Made of what is reported and to whom: workers that race, and a redelivery, write it once."""
    receiver: str
    rule: str
    kind: NotificationKind = NotificationKind.INCIDENT
    reason: NotificationReason
    incident_id: int | None
    episode: int = 0
    severity: ErrorSeverity
    event_id: str | None = None
    detail: str = ""
    urgent: bool
    ordinal: int = 0
    remind_seconds: int | None = None
    created_at: datetime
    due_at: datetime
    since: datetime | None = None
    until: datetime | None = None
    facts: str | None = None
    """What silences are matched with, as `faultwire_consumer.domain.silence.matcher` writes it."""
    count_before: int | None = None
    """The incident's count before what is told."""
    hears: str | None = None
    """Reasons that the receiver asks for itself, as `encode_hears` writes them."""


_COLUMNS: Final = (*NewNotification.__struct_fields__, "state", "attempts")
NOTIFICATIONS: Final = insertion(
    "notifications", outbox, _COLUMNS, conflict="ON CONFLICT (idempotency_key) DO NOTHING"
)


async def enqueue(tx: Transaction, notifications: Iterable[NewNotification]) -> None:
    """Insert notifications that are not there yet, in the order of their keys."""
    unique = {notification.idempotency_key: notification for notification in notifications}
    if not unique:
        return
    rows = [row_of(unique[key]) for key in sorted(unique)]
    if tx.pile is not None:
        await tx.pile.add(write_of(NOTIFICATIONS, _COLUMNS, rows))
    else:
        await tx.execute(_ENQUEUE[tx.dialect], rows)


def row_of(notification: NewNotification) -> dict[str, Any]:
    """Return a notification as a new row of the outbox."""
    row = structs.asdict(notification)
    return row | {
        "kind": notification.kind.value,
        "reason": notification.reason.value,
        "severity": notification.severity.rank,
        "state": "waiting",
        "attempts": 0,
    }

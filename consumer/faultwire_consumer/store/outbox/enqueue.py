"""Notifications on their way: written in the transaction of what they tell, once for each receiver."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct, structs

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.event import ErrorSeverity

_ENQUEUE: Final = {
    dialect: insert(outbox).on_conflict_do_nothing(index_elements=[outbox.c.idempotency_key])
    for dialect, insert in INSERT.items()
}


class NewNotification(Struct, frozen=True, kw_only=True):
    """A notification for one receiver, as rules decided it."""

    idempotency_key: str
    """Made of what it tells and to whom: workers that race, and a redelivery, write it once."""
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


async def enqueue(tx: Transaction, alerts: Iterable[NewNotification]) -> None:
    """Write notifications that are not there yet, in the order of their keys."""
    unique = {alert.idempotency_key: alert for alert in alerts}
    if unique:
        await tx.execute(_ENQUEUE[tx.dialect], [row_of(unique[key]) for key in sorted(unique)])


def row_of(alert: NewNotification) -> dict[str, Any]:
    """The alert as a new row of the outbox."""
    row = structs.asdict(alert)
    return row | {
        "kind": alert.kind.value,
        "reason": alert.reason.value,
        "severity": alert.severity.rank,
        "state": "waiting",
        "attempts": 0,
    }

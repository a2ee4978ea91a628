"""Notifications that an operator has sent again: back into the outbox as they were, under the same key."""

from datetime import datetime

from sqlalchemy import select, update

from faultwire_consumer.domain.sending import (
    RESENT,
    NotificationState,
    StageDecision,
    StageReason,
)
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.claim import StageEntry, record_stages
from faultwire_consumer.store.outbox.queries import COLUMNS, StoredNotification, notification_from
from faultwire_consumer.store.schema.notify import outbox


async def lock_notification(tx: Transaction, notification_id: int) -> StoredNotification | None:
    """Load and lock one notification."""
    rows = await tx.execute(select(*COLUMNS).where(outbox.c.id == notification_id).with_for_update())
    return notification_from(rows[0]) if rows else None


async def resend(tx: Transaction, notification_id: int, *, detail: str, now: datetime) -> None:
    """Have a notification sent again, with those that are grouped into it.

    Its attempts go on counting, since each has a number of its own; the day after which it is given up
    begins anew with the next one. No stage looks at it any more: somebody asked for it.

    Args:
        tx: the transaction.
        notification_id: the notification, locked and neither waiting nor grouped into another.
        detail: who asked, and why, for its trace.
        now: the current time, at which it is due.
    """
    anew = {"finished_at": None, "lease_token": None, "lease_until": None, "attempted_at": None}
    await tx.execute(
        update(outbox)
        .where(outbox.c.id == notification_id)
        .values(
            state=NotificationState.WAITING.value,
            state_reason=StageReason.RESENT.value,
            due_at=now,
            resent_at=now,
            **anew,
        )
    )
    await tx.execute(
        update(outbox)
        .where(outbox.c.carrier_id == notification_id)
        .values(state=NotificationState.CARRIED.value, finished_at=None)
    )
    entry = StageEntry(
        outbox_id=notification_id,
        at=now,
        stage=RESENT,
        decision=StageDecision.RESENT,
        reason=StageReason.RESENT,
        detail=detail,
    )
    await record_stages(tx, [entry])

"""What came of an attempt, written by the dispatcher that holds the lease, and by nobody else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from sqlalchemy import select, update

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.sending import NotificationState, StageReason
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.schema.notify import outbox, outbox_attempts
from faultwire_shared.event import ErrorSeverity


class Mark(Struct, frozen=True, kw_only=True):
    """One attempt's outcome, and where the notification stands by it."""

    outbox_id: int
    number: int
    token: str
    ended_at: datetime
    outcome: str
    reason: str | None
    detail: str
    state: NotificationState
    state_reason: StageReason | None = None
    due_at: datetime | None = None
    """When to try again."""


async def mark(tx: Transaction, one: Mark) -> bool:
    """Write what came of an attempt; False where the lease is another's by now.

    The attempt is written down in any case: it was made.
    """
    attempt = outbox_attempts.c
    await tx.execute(
        update(outbox_attempts)
        .where(attempt.outbox_id == one.outbox_id, attempt.number == one.number)
        .values(ended_at=one.ended_at, outcome=one.outcome, reason=one.reason, detail=one.detail)
    )
    values: dict[str, Any] = {
        "state": one.state.value,
        "state_reason": one.state_reason.value if one.state_reason else None,
        "lease_token": None,
        "lease_until": None,
    }
    if one.state is NotificationState.WAITING:
        values["due_at"] = one.due_at
    else:
        values["finished_at"] = one.ended_at
    held = await tx.execute(
        update(outbox)
        .where(outbox.c.id == one.outbox_id, outbox.c.lease_token == one.token)
        .values(**values)
        .returning(outbox.c.id)
    )
    if not held:
        return False
    if one.state is not NotificationState.WAITING:
        del values["lease_token"], values["lease_until"]
        await tx.execute(update(outbox).where(outbox.c.carrier_id == one.outbox_id).values(**values))
    if one.state is NotificationState.SENT:
        await _enqueue_reminders(tx, one.outbox_id, now=one.ended_at)
    return True


async def _enqueue_reminders(tx: Transaction, outbox_id: int, *, now: datetime) -> None:
    """Each incident that was told of is told of again, until somebody acknowledges or resolves it."""
    rows: Sequence[Any] = await tx.execute(
        select(outbox).where(
            (outbox.c.id == outbox_id) | (outbox.c.carrier_id == outbox_id),
            outbox.c.remind_seconds.is_not(None),
        )
    )
    await enqueue(tx, [_reminder(row, now) for row in rows])


def _reminder(row: Any, now: datetime) -> NewNotification:
    ordinal = row.ordinal + 1
    what = f"{incident_name(row.incident_id)}:{row.episode}:{NotificationReason.REMINDER}-{ordinal}"
    return NewNotification(
        idempotency_key=f"{row.rule}:{what}:{row.receiver}",
        receiver=row.receiver,
        rule=row.rule,
        reason=NotificationReason.REMINDER,
        incident_id=row.incident_id,
        episode=row.episode,
        severity=ErrorSeverity.from_rank(row.severity),
        event_id=row.event_id,
        urgent=row.urgent,
        ordinal=ordinal,
        remind_seconds=row.remind_seconds,
        created_at=now,
        due_at=now + timedelta(seconds=row.remind_seconds),
    )

"""Recording of an attempt's outcome, by the dispatcher that holds the lease and by no other."""

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
    """One attempt's outcome, and the notification's state after it."""

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
    """The time to try again."""


async def mark(tx: Transaction, mark: Mark) -> bool:
    """Record an attempt's outcome; return False if another dispatcher has the lease by now.

    The attempt is recorded in any case, since it was made.
    """
    attempt = outbox_attempts.c
    await tx.execute(
        update(outbox_attempts)
        .where(attempt.outbox_id == mark.outbox_id, attempt.number == mark.number)
        .values(ended_at=mark.ended_at, outcome=mark.outcome, reason=mark.reason, detail=mark.detail)
    )
    values: dict[str, Any] = {
        "state": mark.state.value,
        "state_reason": mark.state_reason.value if mark.state_reason else None,
        "lease_token": None,
        "lease_until": None,
    }
    if mark.state is NotificationState.WAITING:
        values["due_at"] = mark.due_at
    else:
        values["finished_at"] = mark.ended_at
    held = await tx.execute(
        update(outbox)
        .where(outbox.c.id == mark.outbox_id, outbox.c.lease_token == mark.token)
        .values(**values)
        .returning(outbox.c.id)
    )
    if not held:
        return False
    if mark.state is not NotificationState.WAITING:
        del values["lease_token"], values["lease_until"]
        await tx.execute(update(outbox).where(outbox.c.carrier_id == mark.outbox_id).values(**values))
    if mark.state is NotificationState.SENT:
        await _enqueue_reminders(tx, mark.outbox_id, now=mark.ended_at)
    return True


async def _enqueue_reminders(tx: Transaction, outbox_id: int, *, now: datetime) -> None:
    """Enqueue a reminder for each incident in the message, until somebody acknowledges or resolves it."""
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
        facts=row.facts,
        hears=row.hears,
        created_at=now,
        due_at=now + timedelta(seconds=row.remind_seconds),
    )

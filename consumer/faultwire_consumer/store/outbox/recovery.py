"""Recovery notices, written in the transaction of what they tell, for the receivers that were told before.

A receiver was told if a notification of the episode was attempted, or is about to be: whether it arrived
is judged when the notice would go out, see `faultwire_consumer.store.outbox.told`.
"""

from collections.abc import Collection
from typing import Any

from sqlalchemy import and_, func, or_, select

from faultwire_consumer.domain.incident import Transition
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.notification import RECOVERIES, NotificationReason
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.domain.telling.recovery import describe_recovery, does_hear, recovery_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.event import ErrorSeverity


async def enqueue_recoveries(tx: Transaction, transitions: Collection[Transition]) -> None:
    """Enqueue a notice for each receiver that was told of an incident and hears of what became of it."""
    for transition in transitions:
        reason = recovery_of(transition)
        if reason is not None:
            rows = await tx.execute(_select_told(transition))
            notices = [_notice(row, reason, transition) for row in rows if does_hear(row.hears, reason)]
            await enqueue(tx, notices)


def _select_told(transition: Transition) -> Any:
    """Select the last notification of the episode that each receiver was told, and their number.

    A threshold's belongs to no episode, and a receiver keeps an alert open by it all the same.
    """
    row = outbox.c
    is_out = or_(
        row.attempts > 0,
        and_(row.state == NotificationState.WAITING.value, row.due_at <= transition.at),
    )
    told = (
        select(func.max(row.id).label("id"), func.count().label("told"))
        .where(
            row.incident_id == transition.incident_id,
            or_(
                row.episode == transition.episode,
                and_(row.episode == 0, row.reason == NotificationReason.THRESHOLD.value),
            ),
            row.hears.is_not(None),
            is_out,
            row.reason.not_in(sorted(RECOVERIES)),
        )
        .group_by(row.receiver)
        .subquery()
    )
    columns = (row.receiver, row.rule, row.hears, row.severity, row.event_id, row.facts)
    return select(*columns, told.c.told).join_from(outbox, told, told.c.id == row.id).order_by(row.id)


def _notice(row: Any, reason: NotificationReason, transition: Transition) -> NewNotification:
    # With the number that was told: what is told after a reopening has an end of its own, and a second
    # resolve of the same is none.
    what = f"{incident_name(transition.incident_id)}:{transition.episode}:{reason}-{row.told}"
    return NewNotification(
        idempotency_key=f"{what}:{row.receiver}",
        receiver=row.receiver,
        rule=row.rule,
        reason=reason,
        incident_id=transition.incident_id,
        episode=transition.episode,
        severity=ErrorSeverity.from_rank(row.severity),
        event_id=row.event_id,
        detail=describe_recovery(transition),
        urgent=True,
        created_at=transition.at,
        due_at=transition.at,
        facts=row.facts,
    )

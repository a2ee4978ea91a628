"""Finds out whether what recovery notices and escalations follow was told."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import or_, select

from faultwire_consumer.domain.notification import RECOVERIES, NotificationReason
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.domain.telling.recovery import Told
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.claim import Due
from faultwire_consumer.store.schema.notify import outbox, outbox_attempts

MAY_HAVE_ARRIVED: Final = ("timeout", "connection_lost")
"""Reasons of attempts, as the history keeps them, after which the receiver may have the notification."""


async def load_told(
    tx: Transaction, receiver: str, waiting: Iterable[Due], *, now: datetime
) -> Mapping[int, Told]:
    """Say of each waiting recovery notice and escalation of a receiver whether what it follows was told.

    A recovery follows what its own receiver was told, an escalation what its rule told anybody.
    """
    following = [due for due in waiting if follows(due.reason) and due.incident_id is not None]
    if not following:
        return {}
    rows = await tx.execute(_select_steps([due.incident_id or 0 for due in following], now))
    steps = list(rows)
    return {due.id: _judge(due, receiver, steps) for due in following}


def follows(reason: NotificationReason) -> bool:
    """Return True if there is such a notification only because another was told."""
    return reason in RECOVERIES or reason is NotificationReason.ESCALATED


def _select_steps(ids: Sequence[int], now: datetime) -> Any:
    """Select how far the notifications of incidents have come: a row for each kind of them, not for each."""
    row, attempt = outbox.c, outbox_attempts.c
    is_unsure = (
        select(attempt.number)
        .where(
            attempt.outbox_id == row.id,
            or_(attempt.outcome.is_(None), attempt.reason.in_(MAY_HAVE_ARRIVED)),
        )
        .exists()
    )
    return (
        select(
            row.incident_id,
            row.episode,
            row.receiver,
            row.rule,
            row.reason,
            row.state,
            (row.attempts > 0).label("attempted"),
            (row.due_at <= now).label("due"),
            is_unsure.label("unsure"),
        )
        .distinct()
        .where(row.incident_id.in_(sorted(set(ids))), row.reason.not_in(sorted(RECOVERIES)))
    )


def _judge(due: Due, receiver: str, steps: Sequence[Any]) -> Told:
    of_it = [one for one in steps if one.incident_id == due.incident_id and one.episode in (due.episode, 0)]
    if due.reason is NotificationReason.ESCALATED:
        before = [one for one in of_it if one.rule == due.rule and one.reason != due.reason.value]
        # What still waits is late: all the more reason to tell somebody else.
        is_out = not before or any(one.attempted or _is_waiting(one) for one in before)
        return Told.YES if is_out else Told.NO
    told = [one for one in of_it if one.receiver == receiver]
    if any(one.state == NotificationState.SENT.value or (one.unsure and _is_over(one)) for one in told):
        return Told.YES
    return Told.NOT_YET if any(_is_on_its_way(one) for one in told) else Told.NO


def _is_waiting(step: Any) -> bool:
    return bool(step.state == NotificationState.WAITING.value)


def _is_over(step: Any) -> bool:
    return step.state in (NotificationState.STOPPED.value, NotificationState.GIVEN_UP.value)


def _is_on_its_way(step: Any) -> bool:
    return step.state == NotificationState.CARRIED.value or (
        _is_waiting(step) and bool(step.attempted or step.due)
    )

"""The outbox of a scratch store: what it would have told, and when it has something to do again."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.rehearsal.report import RehearsedNotification
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox, pending
from faultwire_shared.event import ErrorSeverity

_PAGE: Final = 1_000


async def next_due(store: Store, *, after: datetime) -> datetime | None:
    """Return the first time after a moment at which a notification or a digest is due."""
    state, due, digest = outbox.c.state, outbox.c.due_at, pending.c.due_at
    waiting = select(func.min(due, type_=due.type)).where(
        state == NotificationState.WAITING.value, due > after
    )
    digests = select(func.min(digest, type_=digest.type)).where(digest > after)
    (row,) = await store.read(
        select(waiting.scalar_subquery().label("notice"), digests.scalar_subquery().label("digest"))
    )
    return min((one for one in (row.notice, row.digest) if one is not None), default=None)


async def read_told(store: Store, *, since: datetime) -> AsyncIterator[RehearsedNotification]:
    """Read the notifications that were made from a moment on, in their order."""
    last_id = 0
    while True:
        rows = await store.read(
            select(outbox)
            .where(outbox.c.id > last_id, outbox.c.created_at >= since)
            .order_by(outbox.c.id)
            .limit(_PAGE)
        )
        for row in rows:
            yield _told(row)
        if len(rows) < _PAGE:
            return
        last_id = rows[-1].id


def _told(row: Any) -> RehearsedNotification:
    return RehearsedNotification(
        key=row.idempotency_key,
        rule=row.rule,
        receiver=row.receiver,
        kind=row.kind,
        reason=row.reason,
        severity=ErrorSeverity.from_rank(row.severity).value,
        incident=None if row.incident_id is None else incident_name(row.incident_id),
        event_id=row.event_id,
        created_at=row.created_at,
        at=row.finished_at or row.attempted_at,
        # One that was carried is marked with its carrier: how it went out is what it says here.
        state=NotificationState.CARRIED.value if _is_carried(row) else row.state,
        state_reason=row.state_reason,
        detail=row.detail,
    )


def _is_carried(row: Any) -> bool:
    return row.carrier_id is not None and row.state == NotificationState.SENT.value

"""Messages that a receiver was sent in the last minute: they decide what it is sent one by one."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, func, literal_column, select

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.domain.rules import STATE_CHANGES
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.claim import Address
from faultwire_consumer.store.schema.notify import outbox

RETRIED: Final = and_(outbox.c.carrier_id.is_(None), outbox.c.attempts > literal_column("1"))
"""Notifications that were attempted again; written out, so that the partial index is taken."""


class RecentlySent(Struct, frozen=True):
    """Messages of an address that its receiver was sent in the last minute."""

    single: int
    """Those sent by themselves; of what is gathered, each message."""
    summary_at: datetime | None
    changes: int = 0
    """Changes of state among the single ones."""
    retried: int = 0
    """Those among the single ones that had failed before."""
    last_at: datetime | None = None
    """The last message of any form."""
    told: Mapping[int, datetime] = {}
    """When it was told of those incidents of which a waiting notification of growth tells."""


async def load_recent(
    tx: Transaction, address: Address, *, since: datetime, growing: Collection[int] = ()
) -> RecentlySent:
    """Load what the receiver was sent since then, of an address.

    Args:
        tx: the claim's transaction.
        address: the receiver, and how urgent.
        since: exclusive.
        growing: incidents of which it is also to be known when the receiver was told, by either address.
    """
    column, is_own = outbox.c, outbox.c.carrier_id.is_(None)
    is_single = column.kind == NotificationKind.INCIDENT.value
    if not address.urgent:
        is_single = column.kind != NotificationKind.DIGEST.value
    is_change = column.reason.in_([reason.value for reason in STATE_CHANGES])
    at = column.attempted_at
    mine = (column.receiver == address.receiver, column.urgent == address.urgent)
    (row,) = await tx.execute(
        select(
            func.count().filter(is_single, is_own).label("single"),
            func.count().filter(is_single, is_own, is_change).label("changes"),
            func.max(at).filter(column.kind == NotificationKind.SUMMARY.value).label("summary_at"),
            func.max(at).filter(column.kind != NotificationKind.DIGEST.value).label("last_at"),
        ).where(*mine, at > since)
    )
    (again,) = await tx.execute(
        select(func.count().label("total")).where(
            *mine,
            RETRIED,
            column.state == NotificationState.SENT.value,
            column.finished_at > since,
            at <= since,
            is_single,
        )
    )
    return RecentlySent(
        row.single + again.total,
        row.summary_at,
        changes=row.changes,
        retried=again.total,
        last_at=row.last_at,
        told=await _load_told(tx, address.receiver, growing, since=since),
    )


async def _load_told(
    tx: Transaction, receiver: str, growing: Collection[int], *, since: datetime
) -> dict[int, datetime]:
    if not growing:
        return {}
    column = outbox.c
    latest = func.max(column.attempted_at).label("latest")
    rows = await tx.execute(
        select(column.incident_id, latest)
        .where(
            column.receiver == receiver,
            column.attempted_at > since,
            column.incident_id.in_(sorted(growing)),
            column.kind != NotificationKind.DIGEST.value,
        )
        .group_by(column.incident_id)
    )
    return {row.incident_id: row.latest for row in rows}

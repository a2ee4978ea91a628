"""Incidents that have been quiet for long, a page at a time."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Select, select

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.events.condition import NEVER_COUNTED, hour_of
from faultwire_consumer.store.schema.events import incidents
from faultwire_shared.event import ErrorSeverity

PAGE: Final = 500
_UNRESOLVED: Final = (Status.OPEN.value, Status.ACKNOWLEDGED.value)


class QuietIncident(Struct, frozen=True, kw_only=True):
    """An unresolved incident by what rules ask of one as a whole."""

    incident_id: int
    severity: ErrorSeverity
    category: str
    service: str
    code: str
    last_seen_at: datetime


async def list_quiet(store: Store, *, seen_before: datetime, after_id: int = 0) -> Sequence[QuietIncident]:
    """List unresolved incidents that are not muted and had no event since then, by their ids."""
    rows = await store.read(select_quiet(seen_before, after_id))
    return [
        QuietIncident(
            incident_id=row.id,
            severity=ErrorSeverity.from_rank(row.severity),
            category=row.category,
            service=row.service,
            code=row.code,
            last_seen_at=row.last_seen_at,
        )
        for row in rows
    ]


def select_quiet(seen_before: datetime, after_id: int) -> Select[Any]:
    """Select a page of them."""
    table = incidents.c
    return (
        select(table.id, table.severity, table.category, table.service, table.code, table.last_seen_at)
        .where(
            table.status.in_(_UNRESOLVED),
            table.muted_at.is_(None),
            table.last_seen_hour > NEVER_COUNTED,
            table.last_seen_hour <= hour_of(seen_before),
            table.last_seen_at <= seen_before,
            table.id > after_id,
        )
        .order_by(table.id)
        .limit(PAGE)
    )


async def was_seen_since(tx: Transaction, incident_id: int, moment: datetime) -> bool:
    """Return True if an event of a locked incident has occurred since then."""
    rows = await tx.execute(select(incidents.c.last_seen_at).where(incidents.c.id == incident_id))
    return not rows or rows[0].last_seen_at > moment

"""Incidents that are not resolved, for inhibitions: those that may explain others, and no more of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.telling.inhibition import Inhibition, StandingIncident
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import incidents
from faultwire_shared.event import ErrorSeverity

STANDING_MAX: Final = 1000
"""Incidents that are looked at: those seen last."""
_WILDCARDS: Final = frozenset("*?[")
_COLUMNS: Final = tuple(incidents.c[name] for name in StandingIncident.__struct_fields__)


async def load_standing(
    tx: Transaction, inhibitions: Sequence[Inhibition], *, now: datetime
) -> list[StandingIncident]:
    """Load the incidents that may explain others by one of the inhibitions, those seen last first."""
    rows = await tx.execute(
        select(*_COLUMNS)
        .where(
            incidents.c.status != Status.RESOLVED.value,
            incidents.c.merged_into.is_(None),
            incidents.c.count > 0,
            or_(*(_may_explain(one, now) for one in inhibitions)),
        )
        .order_by(incidents.c.last_seen_at.desc(), incidents.c.id)
        .limit(STANDING_MAX)
    )
    return [
        StandingIncident(**values_of(row) | {"severity": ErrorSeverity.from_rank(row.severity)})
        for row in rows
    ]


def _may_explain(inhibition: Inhibition, now: datetime) -> ColumnElement[bool]:
    """Return the part of an inhibition's conditions that the database can test; patterns are tested later."""
    when, row = inhibition.when, incidents.c
    since = now - inhibition.seen_within
    # The hour has an index, the moment has none.
    hour = since.replace(minute=0, second=0, microsecond=0)
    conditions: list[ColumnElement[bool]] = [row.last_seen_at >= since, row.last_seen_hour >= hour]
    if when.severity:
        conditions.append(row.severity.in_(sorted(one.rank for one in when.severity)))
    if when.category:
        conditions.append(row.category.in_(sorted(when.category)))
    for column, values in ((row.service, when.service), (row.code, when.code)):
        if values and not any(_WILDCARDS & set(value) for value in values):
            conditions.append(column.in_(values))
    return and_(*conditions)

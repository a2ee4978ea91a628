"""Counts of the store for who watches it from outside: a few short queries."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from sqlalchemy import case, func, select

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import incidents, producers, sequence_gaps
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.producer_report import SEQUENCE_MAX

HEARD_WITHIN: Final = timedelta(minutes=5)
"""A producer that was heard within this time counts as there."""
SPOOLED_WITHIN: Final = timedelta(days=1)
"""What a producer that was not heard for longer says of its disk is history."""
SERVICES_MOST: Final = 201
"""The services that are read: one more than are shown by name."""


class StoreStanding(Struct, frozen=True, kw_only=True):
    """Counts of what waits for somebody."""

    dead_letters: Mapping[str, int]
    """By status."""
    gaps: int
    """Open ones of the producers' numbers."""
    producers: int
    """Heard within `HEARD_WITHIN`."""
    spooled: int
    """Events on the disks of producers."""


class IncidentStanding(Struct, frozen=True, kw_only=True):
    """Incidents, and when each service was heard last."""

    incidents: Mapping[tuple[Status, ErrorSeverity], int]
    last_event_at: Mapping[str, datetime]
    """Of the services with the newest events."""


async def read_standing(store: Store, *, now: datetime) -> StoreStanding:
    """Count what waits.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    letter, gap, producer = dead_letters.c, sequence_gaps.c, producers.c
    heard = case((producer.last_seen_at >= now - HEARD_WITHIN, 1), else_=0)
    letters = await store.read(select(letter.status, func.count().label("total")).group_by(letter.status))
    gaps = await store.read(
        select(func.count().label("total")).where(gap.state == GapState.OPEN.value).select_from(sequence_gaps)
    )
    # SQLite's sum of integers has an end, which numbers that were made up reach; its total has none.
    add_up = func.total if store.name == "sqlite" else func.sum
    (row,) = await store.read(
        select(
            func.coalesce(func.sum(heard), 0).label("heard"),
            func.coalesce(add_up(producer.spool_depth), 0).label("spooled"),
        ).where(producer.last_seen_at >= now - SPOOLED_WITHIN)
    )
    return StoreStanding(
        dead_letters={row.status: row.total for row in letters},
        gaps=gaps[0].total,
        producers=int(row.heard),
        spooled=min(int(row.spooled), SEQUENCE_MAX),
    )


async def read_incident_standing(store: Store) -> IncidentStanding:
    """Count incidents, and look up the newest event of each service; it reads every incident.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = incidents.c
    counted = await store.read(
        select(table.status, table.severity, func.count().label("total"))
        .where(table.count > 0)
        .group_by(table.status, table.severity)
    )
    newest = func.max(table.last_seen_at, type_=table.last_seen_at.type)
    services = await store.read(
        select(table.service, newest.label("at"))
        .where(table.count > 0)
        .group_by(table.service)
        .order_by(newest.desc(), table.service)
        .limit(SERVICES_MOST)
    )
    return IncidentStanding(
        incidents={(Status(row.status), ErrorSeverity.from_rank(row.severity)): row.total for row in counted},
        last_event_at={row.service: row.at for row in services},
    )

"""Figures that stand beside the incidents of a list: bars, releases, and how many a query finds.

Each is one statement for all rows of a page, and entered by the incidents' ids.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Select, and_, func, literal, or_, select, union_all

from faultwire_consumer.domain.figures.value_count import OTHER, RELEASE
from faultwire_consumer.domain.incident import TransitionReason
from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.condition import incident_conditions
from faultwire_consumer.store.schema.events import (
    QUARANTINE_DAY,
    events,
    fingerprints,
    history,
    hourly,
    incidents,
    sightings,
)
from faultwire_consumer.store.schema.figures import value_counts
from faultwire_shared.event_id import day_of

HourCounts = Mapping[datetime, int]
NO_HOURS: Final[HourCounts] = {}


async def read_hours_of(store: Store, ids: Collection[int], *, since: datetime) -> Mapping[int, HourCounts]:
    """Count each incident's events in each hour that had any.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    found: dict[int, dict[datetime, int]] = {}
    for row in await store.read(select_hours_of(ids, since=since)) if ids else ():
        found.setdefault(row.incident_id, {})[row.hour] = int(row.total)
    return found


def select_hours_of(ids: Collection[int], *, since: datetime) -> Select[Any]:
    """Select incidents' counters by hour, each incident's summed over its fingerprints."""
    return (
        select(fingerprints.c.incident_id, hourly.c.hour, func.sum(hourly.c.count).label("total"))
        .join_from(fingerprints, hourly, hourly.c.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id.in_(sorted(ids)), hourly.c.hour >= since)
        .group_by(fingerprints.c.incident_id, hourly.c.hour)
    )


async def read_origins(store: Store, ids: Collection[int]) -> Mapping[int, str]:
    """Return the release in which each incident was seen first, where its events name any.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select_origins(ids)) if ids else ()
    return {row.incident_id: row.release for row in rows}


def select_origins(ids: Collection[int]) -> Select[Any]:
    """Select each incident's first release: by the event that occurred first, or the first sight of it."""
    of_these = fingerprints.c.incident_id.in_(sorted(ids))
    counted = (
        select(
            fingerprints.c.incident_id,
            value_counts.c.value.label("release"),
            value_counts.c.first_seen_at.label("at"),
        )
        .join_from(fingerprints, value_counts, value_counts.c.fingerprint == fingerprints.c.fingerprint)
        .where(of_these, value_counts.c.key == RELEASE, value_counts.c.value != OTHER)
    )
    sighted = (
        select(fingerprints.c.incident_id, sightings.c.release, sightings.c.created_at)
        .join_from(fingerprints, sightings, sightings.c.fingerprint == fingerprints.c.fingerprint)
        .where(of_these, sightings.c.release != "")
    )
    seen = union_all(counted, sighted).subquery("seen")
    place = func.row_number().over(partition_by=seen.c.incident_id, order_by=(seen.c.at, seen.c.release))
    placed = select(seen.c.incident_id, seen.c.release, place.label("place")).subquery("placed")
    return select(placed.c.incident_id, placed.c.release).where(placed.c.place == 1)


async def read_regressions(store: Store, ids: Collection[int]) -> Mapping[int, str]:
    """Return the release in which each incident came back last, while the event that says so is stored.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    told = await store.read(select_regressions(ids)) if ids else ()
    incident_by_event = {row.event_id: row.incident_id for row in told if row.event_id is not None}
    if not incident_by_event:
        return {}
    rows = await store.read(select_releases_of(list(incident_by_event)))
    return {incident_by_event[row.event_id]: row.release for row in rows}


def select_regressions(ids: Collection[int]) -> Select[Any]:
    """Select the event that each incident came back with the last time."""
    last = (
        select(func.max(history.c.id))
        .where(history.c.incident_id.in_(sorted(ids)), history.c.reason == TransitionReason.REGRESSED.value)
        .group_by(history.c.incident_id)
    )
    return select(history.c.incident_id, history.c.event_id).where(history.c.id.in_(last))


def select_releases_of(event_ids: Sequence[str]) -> Select[Any]:
    """Select the releases of events, those that name one."""
    by_day: dict[Any, list[str]] = {QUARANTINE_DAY: list(event_ids)}
    for event_id in event_ids:
        by_day.setdefault(day_of(event_id), []).append(event_id)
    named = or_(
        *(and_(events.c.occurred_day == day, events.c.event_id.in_(some)) for day, some in by_day.items())
    )
    return select(events.c.event_id, events.c.release).where(named, events.c.release.is_not(None))


async def count_matches(
    store: Store, queries: Sequence[Query], *, most: int, now: datetime
) -> tuple[int, ...]:
    """Count the incidents of each query, which asks nothing of what events say.

    One more than ``most`` stands for as many as there may be.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if not queries:
        return ()
    (row,) = await store.read(select_counts(store.name, queries, most=most, now=now))
    return tuple(int(count) for count in row)


def select_counts(database: str, queries: Sequence[Query], *, most: int, now: datetime) -> Select[Any]:
    """Select how many incidents each query finds, all in one row."""
    counts = []
    for query in queries:
        found = select(literal(1)).where(*incident_conditions(query, database=database, now=now))
        some = found.select_from(incidents).limit(most + 1).subquery()
        counts.append(select(func.count()).select_from(some).scalar_subquery())
    return select(*counts)

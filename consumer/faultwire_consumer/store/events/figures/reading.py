"""Figures as operators read them: of an incident, and of all events by hour."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Label, Row, Select, func, select

from faultwire_consumer.domain.figures.value_count import KEYS_MAX, OTHER, RELEASE
from faultwire_consumer.store.contract.prepared import prepared
from faultwire_consumer.store.contract.store import Store, StoreReader
from faultwire_consumer.store.schema.events import fingerprints, sightings
from faultwire_consumer.store.schema.figures import hourly_totals, value_counts
from faultwire_shared.event import ErrorSeverity

RELEASES_SHOWN: Final = 200
VALUES_SHOWN: Final = 20
SERVICES_SHOWN: Final = 200
_VALUES_READ: Final = 5_000


class ReleaseCount(Struct, frozen=True):
    """A release in which an incident was seen."""

    release: str
    first_seen_at: datetime
    last_seen_at: datetime | None
    """None where it was seen before there were figures, and not since."""
    count: int
    """Events that are counted; of old incidents those since `IncidentFigures.counted_since`."""


class ValueCount(Struct, frozen=True):
    """A value of a key, and how many events have it."""

    value: str
    count: int


class KeyCount(Struct, frozen=True):
    """A key, its values with most events, and how many events have others."""

    key: str
    values: tuple[ValueCount, ...]
    other: int


class IncidentFigures(Struct, frozen=True):
    """Releases of an incident, the first seen first, and the values of its events' keys."""

    counted_since: datetime | None
    """None where every event is counted."""
    releases: tuple[ReleaseCount, ...]
    more_releases: int
    tags: tuple[KeyCount, ...]
    uncounted_tags: int
    """Tags of events beyond the keys that are counted."""


class EventStats(Struct, frozen=True, kw_only=True):
    """Events within a time, by hour, service and severity."""

    counted_since: datetime | None
    total: int
    hours: dict[datetime, int]
    services: tuple[ValueCount, ...]
    """Those with most events."""
    other_services: int
    """Events of all further services."""
    severities: dict[ErrorSeverity, int]


async def read_figures(store: StoreReader, incident_id: int) -> IncidentFigures:
    """Read an incident's releases and values.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select_values(incident_id))
    # Each row says it; where nothing is counted, no row does.
    since = (rows or await store.read(_select_counted_since(incident_id)))[0].counted_since
    seen: Sequence[Row[Any]] = ()
    if since is not None:
        seen = await store.read(select_sighted_releases(incident_id))
    releases = _releases(rows, seen)
    shown = releases[-RELEASES_SHOWN:]
    keys = {row.key: None for row in rows if row.key not in (RELEASE, OTHER)}
    tags = [_key_count(key, [row for row in rows if row.key == key]) for key in keys]
    return IncidentFigures(
        counted_since=since,
        releases=tuple(shown),
        more_releases=len(releases) - len(shown),
        tags=tuple(sorted(tags, key=lambda tag: (-_total(tag), tag.key))[:KEYS_MAX]),
        uncounted_tags=sum(int(row.total) for row in rows if row.key == OTHER),
    )


@prepared
def select_values(incident_id: int) -> Select[Any]:
    """Select what is counted of an incident's values, summed over its fingerprints."""
    table = value_counts.c
    total = func.sum(table.count)
    return (
        select(
            table.key,
            table.value,
            total.label("total"),
            func.min(table.first_seen_at).label("first_seen_at"),
            func.max(table.last_seen_at).label("last_seen_at"),
            _counted_since(incident_id),
        )
        .join_from(fingerprints, value_counts, table.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id)
        .group_by(table.key, table.value)
        .order_by(total.desc(), table.key, table.value)
        .limit(_VALUES_READ)
    )


@prepared
def _select_counted_since(incident_id: int) -> Select[Any]:
    return select(_counted_since(incident_id))


def _counted_since(incident_id: int) -> Label[Any]:
    """Return the column that says since when an old incident has figures."""
    own = fingerprints.alias("own")
    since = select(func.max(own.c.counted_since)).where(own.c.incident_id == incident_id)
    return since.scalar_subquery().label("counted_since")


@prepared
def select_sighted_releases(incident_id: int) -> Select[Any]:
    """Select the releases in which an incident was seen, also before there were figures."""
    at = func.min(sightings.c.created_at)
    return (
        select(sightings.c.release, at.label("at"))
        .join_from(fingerprints, sightings, sightings.c.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id, sightings.c.release != "")
        .group_by(sightings.c.release)
        .order_by(at.desc())
        .limit(_VALUES_READ)
    )


def _releases(rows: Sequence[Row[Any]], seen: Sequence[Row[Any]]) -> list[ReleaseCount]:
    counted = {row.value: row for row in rows if row.key == RELEASE and row.value != OTHER}
    found = []
    for row in seen:
        known = counted.pop(row.release, None)
        if known is None:
            found.append(ReleaseCount(row.release, row.at, None, 0))
        else:
            first = min(row.at, known.first_seen_at)
            found.append(ReleaseCount(row.release, first, known.last_seen_at, int(known.total)))
    found += [
        ReleaseCount(row.value, row.first_seen_at, row.last_seen_at, int(row.total))
        for row in counted.values()
    ]
    return sorted(found, key=lambda release: (release.first_seen_at, release.release))


def _key_count(key: str, rows: Sequence[Row[Any]]) -> KeyCount:
    values = [ValueCount(row.value, int(row.total)) for row in rows if row.value != OTHER]
    shown = values[:VALUES_SHOWN]
    other = sum(int(row.total) for row in rows) - sum(value.count for value in shown)
    return KeyCount(key, tuple(shown), other)


def _total(tag: KeyCount) -> int:
    return tag.other + sum(value.count for value in tag.values)


async def read_stats(
    store: Store, *, since: datetime, until: datetime, services: Collection[str]
) -> EventStats:
    """Count all events of some hours.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    by_hour, by_severity, by_service = [
        await store.read(select_totals(name, since=since, until=until, services=services))
        for name in ("hour", "severity", "service")
    ]
    hours = {row.hour: int(row.total) for row in by_hour}
    largest = sorted(by_service, key=lambda row: (-row.total, row.service))[:SERVICES_SHOWN]
    found = tuple(ValueCount(row.service, int(row.total)) for row in largest)
    return EventStats(
        counted_since=await read_counted_since(store),
        total=sum(hours.values()),
        hours=hours,
        services=found,
        other_services=sum(hours.values()) - sum(one.count for one in found),
        severities={ErrorSeverity.from_rank(row.severity): int(row.total) for row in by_severity},
    )


async def read_hours(store: Store, *, since: datetime, until: datetime) -> dict[datetime, int]:
    """Count all events of some hours, by the hour alone.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select_totals("hour", since=since, until=until, services=()))
    return {row.hour: int(row.total) for row in rows}


def select_totals(name: str, *, since: datetime, until: datetime, services: Collection[str]) -> Select[Any]:
    """Select the events of some hours by a column of the totals."""
    table = hourly_totals.c
    total = func.sum(table.count).label("total")
    statement = select(table[name], total).where(table.hour >= since, table.hour < until)
    if services:
        statement = statement.where(table.service.in_(sorted(services)))
    return statement.group_by(table[name]).order_by(total.desc()).limit(_VALUES_READ)


async def read_counted_since(store: Store) -> datetime | None:
    """Return since when events are counted in all figures; None if there were none before."""
    column = fingerprints.c.counted_since
    rows = await store.read(select(func.min(column).label("at")).where(column.is_not(None)))
    since: datetime | None = rows[0].at
    return since

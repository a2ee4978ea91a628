"""Earlier sights of an incident: in which environments it was counted, and in which since it came back.

Asked in the batch's transaction, behind its counters and with its incidents locked: of two workers the
second one sees what the first one counted.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, exists, func, or_, select, tuple_

from faultwire_consumer.domain.incident import Status, TransitionReason
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import fingerprints, history, hourly, incidents, sightings
from faultwire_shared.event import ErrorSeverity

Spot = tuple[bytes, str]
"""A fingerprint in an environment."""
Added = Mapping[Spot, Mapping[datetime, int]]
"""What a batch added to the counters of spots, by the hour."""


class Standing(Struct, frozen=True, kw_only=True):
    """An incident as it is now, of which a batch holds the first events from an environment."""

    incident_id: int
    status: Status
    episode: int
    severity: ErrorSeverity
    count: int


async def list_first_sights(tx: Transaction, added: Added) -> dict[Spot, Standing]:
    """Return those spots whose incident had no event from their environment before the batch."""
    candidates = await _without_other_hours(tx, added) if added else []
    if not candidates:
        return {}
    standing = await _standing(tx, {fingerprint for fingerprint, _ in added})
    mine: dict[tuple[int, str], int] = {}
    for (fingerprint, environment), hours in added.items():
        place = (standing[fingerprint].incident_id, environment)
        mine[place] = mine.get(place, 0) + sum(hours.values())
    place_of = {spot: (standing[spot[0]].incident_id, spot[1]) for spot in candidates}
    totals = await _totals(tx, set(place_of.values()))
    return {
        spot: standing[spot[0]]
        for spot, place in place_of.items()
        if totals.get(place) == mine[place]  # all that was ever counted there is the batch's
    }


async def _standing(tx: Transaction, keys: Collection[bytes]) -> dict[bytes, Standing]:
    count = incidents.c.count.label("counted")
    columns = (incidents.c.status, incidents.c.episode, incidents.c.severity, count)
    rows = await tx.execute(
        select(fingerprints.c.fingerprint, incidents.c.id, *columns)
        .join_from(fingerprints, incidents, incidents.c.id == fingerprints.c.incident_id)
        .where(fingerprints.c.fingerprint.in_(sorted(keys)))
    )
    return {
        row.fingerprint: Standing(
            incident_id=row.id,
            status=Status(row.status),
            episode=row.episode,
            severity=ErrorSeverity.from_rank(row.severity),
            count=row.counted,
        )
        for row in rows
    }


async def _without_other_hours(tx: Transaction, added: Added) -> list[Spot]:
    """List spots that were counted in the batch's hours alone; the others are old, at one look each."""
    spot = (sightings.c.fingerprint, sightings.c.environment)
    hours = sorted({hour for its in added.values() for hour in its})
    other = exists().where(
        hourly.c.fingerprint == sightings.c.fingerprint,
        hourly.c.environment == sightings.c.environment,
        hourly.c.hour.not_in(hours),
    )
    rows = await tx.execute(select(*spot).distinct().where(tuple_(*spot).in_(sorted(added)), ~other))
    return [(row.fingerprint, row.environment) for row in rows]


async def _totals(tx: Transaction, places: Collection[tuple[int, str]]) -> dict[tuple[int, str], int]:
    place = (fingerprints.c.incident_id, hourly.c.environment)
    rows = await tx.execute(
        select(*place, func.sum(hourly.c.count).label("total"))
        .join_from(fingerprints, hourly, hourly.c.fingerprint == fingerprints.c.fingerprint)
        .where(tuple_(*place).in_(sorted(places)))
        .group_by(*place)
    )
    return {(row.incident_id, row.environment): int(row.total) for row in rows}


async def list_not_seen_since(tx: Transaction, incident_id: int, added: Added) -> list[Spot]:
    """Return those spots without an event since the incident's last regression, but for the batch's.

    Counters are by the hour: what occurred in the regression's own hour counts as from before it.
    """
    if not added:
        return []
    rows = await tx.execute(
        select(func.max(history.c.at).label("at")).where(
            history.c.incident_id == incident_id, history.c.reason == TransitionReason.REGRESSED.value
        )
    )
    if rows[0].at is None:
        return []
    after = hour_of(rows[0].at) + timedelta(hours=1)
    later = await tx.execute(
        select(hourly.c.fingerprint, hourly.c.environment)
        .distinct()
        .where(hourly.c.hour >= after, or_(*(_more_than(spot, hours) for spot, hours in added.items())))
    )
    seen = {(row.fingerprint, row.environment) for row in later}
    return [spot for spot in added if spot not in seen]


def _more_than(spot: Spot, hours: Mapping[datetime, int]) -> ColumnElement[bool]:
    mine = (and_(hourly.c.hour == hour, hourly.c.count > count) for hour, count in hours.items())
    return and_(
        hourly.c.fingerprint == spot[0],
        hourly.c.environment == spot[1],
        or_(hourly.c.hour.not_in(sorted(hours)), *mine),
    )


def hour_of(moment: datetime) -> datetime:
    """Return the hour in which an event is counted."""
    return moment.replace(minute=0, second=0, microsecond=0)


def sum_up(events: Iterable[tuple[Spot, datetime, int]]) -> dict[Spot, dict[datetime, int]]:
    """Return what events add to the counters: of each its spot, when it occurred, and its count."""
    added: dict[Spot, dict[datetime, int]] = {}
    for spot, at, count in events:
        hours = added.setdefault(spot, {})
        hours[hour_of(at)] = hours.get(hour_of(at), 0) + count
    return added

"""Incidents' places in the orders of lists: urgency, growth, users and the rest, brought up to date.

The hot path does not touch these columns: they are indexed, and would cost it more than all its counters.
They follow moments after the events; growth and newness, which pass by themselves, once a minute.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, bindparam, case, func, literal, select, update

from faultwire_consumer.domain.figures.sketch import UserCount, UserSketch, decode_sketch
from faultwire_consumer.domain.figures.urgency import (
    CAME_BACK,
    CRITICAL,
    NEW,
    NEW_FOR,
    OPEN,
    WORSE,
    WORSE_PERCENT,
    GrowthRates,
    before_from,
    count_class,
    growth_of,
    is_new,
    recent_from,
    urgency_of,
)
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import fingerprints, hourly, incidents
from faultwire_consumer.store.schema.figures import user_sketches
from faultwire_shared.event import ErrorSeverity

CHUNK: Final = 500
"""Incidents that are looked at in one go."""
LOCKED: Final = 50
"""Incidents that are written in one transaction: the events of each wait until it ends."""
MOST: Final = 20_000
"""Incidents that are looked at for one reason in one pass: the rest waits for the next."""


class OrderPlace(Struct, frozen=True, kw_only=True):
    """The columns by which an incident is ordered."""

    growth: int
    is_new: bool
    began_at: datetime
    count_class: int
    users: int
    users_exact: bool


def urgency_expression(
    status: ColumnElement[str],
    *,
    episode: ColumnElement[int],
    growth: ColumnElement[int] = incidents.c.growth,
    new: ColumnElement[bool] = incidents.c.is_new,
) -> ColumnElement[int]:
    """Return `urgency_of` in SQL, for a row of incidents with this status and episode."""
    severity = incidents.c.severity
    reasons = (
        (CRITICAL, severity == ErrorSeverity.CRITICAL.rank),
        (CAME_BACK, episode > 1),
        (WORSE, growth >= WORSE_PERCENT),
        (NEW, new),
    )
    wanted: ColumnElement[int] = severity + OPEN
    for weight, holds in reasons:
        wanted = wanted + case((holds, weight), else_=0)
    return case(
        (status == Status.OPEN.value, wanted), (status == Status.RESOLVED.value, literal(0)), else_=severity
    )


_UPDATE: Final = (
    update(incidents)
    .where(incidents.c.id == bindparam("key", type_=incidents.c.id.type))
    .values(
        growth=bindparam("new_growth", type_=incidents.c.growth.type),
        is_new=bindparam("new_is_new", type_=incidents.c.is_new.type),
        began_at=bindparam("new_began_at", type_=incidents.c.began_at.type),
        count_class=bindparam("new_count_class", type_=incidents.c.count_class.type),
        users=bindparam("new_users", type_=incidents.c.users.type),
        users_exact=bindparam("new_users_exact", type_=incidents.c.users_exact.type),
        # Of the row as it is then: somebody may have changed the status since it was read.
        urgency=urgency_expression(
            incidents.c.status,
            episode=incidents.c.episode,
            growth=bindparam("new_growth", type_=incidents.c.growth.type),
            new=bindparam("new_is_new", type_=incidents.c.is_new.type),
        ),
    )
)


async def refresh_standing(store: Store, ids: Collection[int], *, now: datetime) -> int:
    """Bring incidents' places up to date, users and growth included, and return how many changed.

    For whoever changes to which incident a fingerprint belongs, after the commit.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return await _refresh(store, ids, with_users=ids, with_growth=True, now=now)


async def follow_events(
    store: Store, ids: Collection[int], *, with_users: Collection[int], now: datetime
) -> int:
    """Bring the places of incidents that have just had events up to date, all but their growth.

    Args:
        store: the store.
        ids: the incidents.
        with_users: those among them that have new users.
        now: the time.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return await _refresh(store, ids, with_users=with_users, with_growth=False, now=now)


async def pass_time(store: Store, *, now: datetime) -> int:
    """Bring up to date what passes by itself, and what has no figures yet; return how many changed.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    changed = 0
    for statement in due(now):
        changed += await _refresh_selected(store, statement, now)
    while more := await _refresh_selected(store, unfigured(), now):
        changed += more
    return changed


def due(now: datetime) -> list[Select[tuple[int]]]:
    """Select the incidents whose place may have changed by itself, each by an index."""
    table = incidents.c
    asked = select(table.id).where(table.count > 0)
    return [
        asked.where(table.last_seen_hour >= recent_from(now)).order_by(table.last_seen_hour.desc()),
        asked.where(table.growth > 0),
        asked.where(table.is_new, table.began_at <= now - NEW_FOR),
    ]


def unfigured() -> Select[tuple[int]]:
    """Select the incidents that have no place in the orders yet."""
    return select(incidents.c.id).where(incidents.c.began_at.is_(None), incidents.c.count > 0)


async def _refresh_selected(store: Store, statement: Select[tuple[int]], now: datetime) -> int:
    ids = [row.id for row in await store.read(statement.limit(MOST))]
    return await _refresh(store, ids, with_users=(), with_growth=True, now=now)


async def _refresh(
    store: Store, ids: Collection[int], *, with_users: Collection[int], with_growth: bool, now: datetime
) -> int:
    wanted, changed = sorted(set(ids)), 0
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        rows = await store.read(_select_standing(chunk))
        rates = await _read_rates(store, chunk, now) if with_growth else {}
        users = await read_users(store, [one for one in chunk if one in with_users])
        changes = []
        for row in rows:
            growth = row.growth
            if with_growth:
                found = rates.get(row.id, GrowthRates(0, 0))
                growth = growth_of(found, began_at=row.first_seen_at, now=now)
            change = _change(row, growth, users.get(row.id), now)
            if change is not None:
                changes.append(change)
        for first in range(0, len(changes), LOCKED):
            async with store.write() as tx:
                await tx.execute(_UPDATE, changes[first : first + LOCKED])
        changed += len(changes)
    return changed


def _select_standing(ids: Sequence[int]) -> Select[Any]:
    table = incidents.c
    names = ("status", "severity", "episode", "first_seen_at", "urgency", *OrderPlace.__struct_fields__)
    count = table.count.label("counted")
    standing = select(table.id, count, *(table[name] for name in names))
    # They are written in this order, in which ingest locks incidents: in any other, the two deadlock.
    return standing.where(table.id.in_(ids), table.count > 0).order_by(table.id)


def _change(row: Row[Any], growth: int, users: UserCount | None, now: datetime) -> dict[str, Any] | None:
    """Return what is to be written of an incident; None if everything stands as it should."""
    new = OrderPlace(
        growth=growth,
        is_new=is_new(row.first_seen_at, now=now),
        began_at=row.first_seen_at,
        count_class=count_class(row.counted),
        users=row.users if users is None else users.count,
        users_exact=bool(row.users_exact) if users is None else users.exact,
    )
    urgency = urgency_of(
        row.status, severity=row.severity, episode=row.episode, growth=growth, is_new=new.is_new
    )
    values = {name: getattr(new, name) for name in OrderPlace.__struct_fields__}
    if urgency == row.urgency and all(value == getattr(row, name) for name, value in values.items()):
        return None
    return {"key": row.id} | {f"new_{name}": value for name, value in values.items()}


async def _read_rates(store: Store, ids: Sequence[int], now: datetime) -> dict[int, GrowthRates]:
    rows = await store.read(select_rates(ids, now))
    return {row.incident_id: GrowthRates(int(row.recent), int(row.before)) for row in rows}


def select_rates(ids: Sequence[int], now: datetime) -> Select[Any]:
    """Select incidents' counts in the hours that growth compares."""
    recent = hourly.c.hour >= recent_from(now)
    return (
        select(
            fingerprints.c.incident_id,
            func.sum(case((recent, hourly.c.count), else_=0)).label("recent"),
            func.sum(case((recent, 0), else_=hourly.c.count)).label("before"),
        )
        .join_from(fingerprints, hourly, hourly.c.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id.in_(ids), hourly.c.hour >= before_from(now))
        .group_by(fingerprints.c.incident_id)
    )


async def read_users(store: Store, ids: Sequence[int]) -> Mapping[int, UserCount]:
    """Count the users of incidents, each user once however many fingerprints met it.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if not ids:
        return {}
    rows = await store.read(
        select(fingerprints.c.incident_id, user_sketches.c.body)
        .join_from(fingerprints, user_sketches, user_sketches.c.fingerprint == fingerprints.c.fingerprint)
        .where(fingerprints.c.incident_id.in_(ids))
    )
    sketches: dict[int, UserSketch] = dict.fromkeys(ids, UserSketch())
    for row in rows:
        sketches[row.incident_id] = sketches[row.incident_id].union(decode_sketch(row.body))
    return {incident_id: sketch.size for incident_id, sketch in sketches.items()}

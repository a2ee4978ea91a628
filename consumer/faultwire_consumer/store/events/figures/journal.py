"""Adds what batches wrote into the journal of figures to the figures themselves.

A batch writes one row, with its events; what many batches add is worked out and written together, once a
second or so. Nothing is lost or counted twice in between: rows leave the journal in the transaction that
adds them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Table, bindparam, case, delete, func, select, update

from faultwire_consumer.domain.figures.sketch import UserSketch, decode_sketch
from faultwire_consumer.domain.figures.tally import CountSum, TallySum, add_tally, decode_tally, empty_fold
from faultwire_consumer.domain.figures.value_count import (
    ValueSpot,
    bound_spots,
    ends_of,
    releases_of,
    spots_of,
)
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.events.figures.news import ReleaseNews, read_news
from faultwire_consumer.store.events.figures.standing import follow_events
from faultwire_consumer.store.schema.events import fingerprints, incidents
from faultwire_consumer.store.schema.figures import (
    figure_journal,
    hourly_totals,
    release_totals,
    user_sketches,
    value_counts,
)
from faultwire_shared.logging.logs import get_logger

ROWS: Final = 200
"""Batches that are added in one transaction."""
_GROUPS: Final = 100
"""Fingerprints whose known values are read in one statement."""
_ROWS_AT_ONCE: Final = 50
"""Rows that are handed to the driver in one go: events are taken in between."""

# Any number that nobody else uses will do: one worker adds at a time.
_FOLD_LOCK: Final = 7_140_923_367

log = get_logger(__name__)


class _Added(Struct, frozen=True):
    """All that a transaction added to."""

    batches: int
    keys: Sequence[bytes] = ()
    with_users: Collection[bytes] = ()


async def fold_journal(store: Store, *, now: datetime) -> int:
    """Add what the first batches of the journal hold, and return how many they were.

    Raises:
        StoreUnavailableError: the database cannot be used now; nothing was added.
    """
    if not await store.read(select(figure_journal.c.id).limit(1)):
        return 0
    async with store.write() as tx:
        added = await _add(tx)
    ids = await _incidents_of(store, added.keys)
    with_users = {ids[key] for key in added.with_users if key in ids}
    await follow_events(store, set(ids.values()), with_users=with_users, now=now)
    return added.batches


async def _add(tx: Transaction) -> _Added:
    if tx.dialect == "postgresql":
        locked = await tx.execute(select(func.pg_try_advisory_xact_lock(_FOLD_LOCK).label("is_mine")))
        if not locked[0].is_mine:
            return _Added(0)
    rows = await tx.execute(select(figure_journal).order_by(figure_journal.c.id).limit(ROWS))
    fold = empty_fold()
    for row in rows:
        _read_into(fold, row.id, row.body)
    fresh = await _count_values(tx, fold)
    with_users = await _count_users(tx, fold.users)
    await _count_totals(tx, fold)
    await _count_releases(tx, fold, await read_news(tx, ends_of(fold), fresh))
    await tx.execute(delete(figure_journal).where(figure_journal.c.id.in_([row.id for row in rows])))
    return _Added(len(rows), fold.fingerprints, with_users)


def _read_into(fold: TallySum, number: int, body: bytes) -> None:
    """Add a batch; one that cannot be read must not stop the others for ever."""
    try:
        add_tally(fold, decode_tally(body))
    except (msgspec.MsgspecError, IndexError) as error:
        log.warning("figures.unreadable", batch=number, why=str(error))


async def _count_values(tx: Transaction, fold: TallySum) -> frozenset[bytes]:
    """Add to the values, and return the fingerprints that had none before."""
    spots, keys, fresh = spots_of(fold), fold.fingerprints, set(fold.fingerprints)
    by_key: dict[bytes, dict[ValueSpot, CountSum]] = {key: {} for key in keys}
    for spot, found in spots.items():
        by_key[spot.fingerprint][spot] = found
    for start in range(0, len(keys), _GROUPS):
        chunk = keys[start : start + _GROUPS]
        table = value_counts.c
        known = await tx.execute(
            select(table.fingerprint, table.key, table.value).where(table.fingerprint.in_(chunk))
        )
        fresh.difference_update(row.fingerprint for row in known)
        bounded = bound_spots(
            {spot: found for key in chunk for spot, found in by_key[key].items()},
            [ValueSpot(row.fingerprint, row.key, row.value) for row in known],
        )
        await _write(
            tx,
            value_counts,
            [
                {"fingerprint": spot.fingerprint, "key": spot.key, "value": spot.value} | _sum_values(found)
                for spot, found in sorted(bounded.items(), key=lambda item: item[0])
            ],
        )
    return frozenset(fresh)


async def _count_users(tx: Transaction, users: Mapping[bytes, set[bytes]]) -> list[bytes]:
    """Add to the sets of users, and return the fingerprints whose sets grew."""
    keys, changed = sorted(users), []
    for start in range(0, len(keys), _GROUPS):
        chunk = keys[start : start + _GROUPS]
        rows = await tx.execute(select(user_sketches).where(user_sketches.c.fingerprint.in_(chunk)))
        known = {row.fingerprint: decode_sketch(row.body) for row in rows}
        grown = []
        for key in chunk:
            before = known.get(key, UserSketch())
            if (after := before.add(users[key])) is not before:
                grown.append({"fingerprint": key, "body": after.encode()})
        await _write(tx, user_sketches, grown)
        changed += [one["fingerprint"] for one in grown]
    return changed


async def _count_totals(tx: Transaction, fold: TallySum) -> None:
    rows = [
        {"hour": hour, "service": service, "severity": severity, "count": count}
        for (hour, service, severity), count in sorted(fold.totals.items())
    ]
    await _write(tx, hourly_totals, rows)


async def _count_releases(tx: Transaction, fold: TallySum, news: ReleaseNews) -> None:
    rows = []
    for key, found in sorted(releases_of(fold).items(), key=lambda item: item[0]):
        values = {"service": key.service, "release": key.release} | _sum_values(found)
        rows.append(
            values | {"new_incidents": news.opened.get(key, 0), "regressed": news.regressed.get(key, 0)}
        )
    await _write(tx, release_totals, rows)
    if news.episodes:
        known = [{"key": key, "known": episode} for key, episode in sorted(news.episodes.items())]
        await tx.execute(_KNOW_EPISODE, known)


_KNOW_EPISODE: Final = (
    update(incidents)
    .where(incidents.c.id == bindparam("key", type_=incidents.c.id.type))
    .values(counted_episode=bindparam("known"))
)


def _sum_values(found: CountSum) -> dict[str, Any]:
    return {"first_seen_at": found.first_at, "last_seen_at": found.last_at, "count": found.count}


async def _write(tx: Transaction, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        await tx.execute(_upsert(tx.dialect, table), rows[start : start + _ROWS_AT_ONCE])


@cache
def _upsert(dialect: str, table: Table) -> Any:
    """Return the statement that adds to a row, or makes it."""
    insertion = INSERT[dialect](table)
    new, old = insertion.excluded, table.c
    merged: dict[str, Any] = {}
    for column in table.c:
        if column.primary_key:
            continue
        if column.name == "first_seen_at":
            merged[column.name] = case(
                (new.first_seen_at < old.first_seen_at, new.first_seen_at), else_=column
            )
        elif column.name == "last_seen_at":
            merged[column.name] = case((new.last_seen_at > old.last_seen_at, new.last_seen_at), else_=column)
        elif column.name == "body":
            merged[column.name] = new.body
        else:
            merged[column.name] = column + new[column.name]
    return insertion.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=merged)


async def _incidents_of(store: Store, keys: Iterable[bytes]) -> dict[bytes, int]:
    wanted, found = list(keys), {}
    for start in range(0, len(wanted), _GROUPS):
        rows = await store.read(
            select(fingerprints.c.fingerprint, fingerprints.c.incident_id).where(
                fingerprints.c.fingerprint.in_(wanted[start : start + _GROUPS])
            )
        )
        found.update({row.fingerprint: row.incident_id for row in rows})
    return found

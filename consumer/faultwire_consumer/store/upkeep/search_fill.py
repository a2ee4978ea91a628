"""Makes findable what ingest did not: bodies from before the search, of large batches, of first and last."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import msgspec
from sqlalchemy import Row, and_, delete, exists, func, or_, select, update

from faultwire_consumer.domain.searched import read_searched
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.events.bodies import body_in
from faultwire_consumer.store.events.search_index import FoundBy, forget_texts, record_found_by
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, edge_bodies, events
from faultwire_consumer.store.schema.search import event_texts, search_fill, search_queue
from faultwire_consumer.store.upkeep.space import list_days

KEYS: Final = 1_000
"""The events that one step looks at; most have no body."""
BODIES: Final = 100
"""The bodies that one step reads: a body may have 256 KiB."""


async def fill_step(store: Store) -> bool:
    """Make some more old events findable, the newest first; return False once all are.

    Raises:
        StoreUnavailableError: the database cannot be used now; go on later.
    """
    rows = await store.read(select(search_fill.c.day, search_fill.c.event_id))
    if not rows:
        return False
    day = rows[0].day
    if day is None:
        day = await _next_day(store, None)
        if day is None:
            await _end(store)
            return False
    keys = await _read_keys(store, day, rows[0].event_id)
    kept = [row.event_id for row in keys if row.is_kept][:BODIES]
    bodies = await _read_bodies(store, day, kept)
    last = kept[-1] if len(kept) == BODIES else keys[-1].event_id if keys else None
    at: tuple[date | None, str | None] = (day, last)
    if len(keys) < KEYS and len(kept) < BODIES:
        at = await _next_day(store, day), None
        if at[0] is None:
            await _record(store, day, bodies, at)
            await _end(store)
            return False
    await _record(store, day, bodies, at)
    return True


async def _next_day(store: Store, day: date | None) -> date | None:
    """Return the day before that one that has events; the quarantine comes last, and after it none."""
    if day == QUARANTINE_DAY:
        return None
    earlier = [one for one in await list_days(store) if day is None or one < day]
    return max(earlier, default=QUARANTINE_DAY)


async def _read_keys(store: Store, day: date, before: str | None) -> Sequence[Row[Any]]:
    table = events.c
    statement = select(table.event_id, table.doc.is_not(None).label("is_kept")).where(
        table.occurred_day == day
    )
    if before is not None:
        statement = statement.where(table.event_id < before)
    return await store.read(statement.order_by(table.event_id.desc()).limit(KEYS))


async def _read_bodies(store: Store, day: date, event_ids: Sequence[str]) -> Sequence[Row[Any]]:
    table = events.c
    columns = (table.occurred_day, table.event_id, table.fingerprint, table.occurred_at, body_in(events))
    if not event_ids:
        return []
    return await store.read(select(*columns).where(table.occurred_day == day, table.event_id.in_(event_ids)))


async def _record(
    store: Store, day: date, bodies: Sequence[Row[Any]], at: tuple[date | None, str | None]
) -> None:
    found = [_found_by(row) for row in bodies if row.doc is not None]
    async with store.write() as tx:
        await record_found_by(tx, await _still_there(tx, day, found))
        await tx.execute(update(search_fill).values(day=at[0], event_id=at[1]))


async def _still_there(tx: Transaction, day: date, found: Sequence[FoundBy]) -> list[FoundBy]:
    """Keep those events that retention has not deleted meanwhile, and cannot before the end."""
    if not found:
        return []
    table = events.c
    rows = await tx.execute(
        select(table.event_id)
        .where(table.occurred_day == day, table.event_id.in_([one.event_id for one in found]))
        .with_for_update(read=True, key_share=True)
    )
    there = {row.event_id for row in rows}
    return [one for one in found if one.event_id in there]


async def drain_queue(store: Store) -> int | None:
    """Make the events of the batch findable that waits longest; return None if none does.

    A part is done again where it is cut short: what is findable already stays as it is.

    Returns:
        The number of the batch that came last, by which a flood is known that goes on.

    Raises:
        StoreUnavailableError: the database cannot be used now; go on later.
    """
    newest = select(func.max(search_queue.c.id)).scalar_subquery().label("newest")
    waiting = await store.read(select(search_queue, newest).order_by(search_queue.c.id).limit(1))
    if not waiting:
        return None
    of_day: dict[date, list[str]] = {}
    for day, event_id in msgspec.json.decode(waiting[0].body, type=list[tuple[date, str]]):
        of_day.setdefault(day, []).append(event_id)
    for day, event_ids in sorted(of_day.items()):
        for start in range(0, len(event_ids), BODIES):
            bodies = await _read_bodies(store, day, event_ids[start : start + BODIES])
            found = [_found_by(row) for row in bodies if row.doc is not None]
            async with store.write() as tx:
                await record_found_by(tx, await _still_there(tx, day, found))
    async with store.write() as tx:
        await tx.execute(delete(search_queue).where(search_queue.c.id == waiting[0].id))
    return int(waiting[0].newest)


async def _end(store: Store) -> None:
    async with store.write() as tx:
        await tx.execute(delete(search_fill))


async def add_edges(store: Store) -> int:
    """Make first and last events findable whose bodies are kept apart; return how many.

    An event that is no longer the first or last of its fingerprint has no body any more, and is found
    no longer.

    Raises:
        StoreUnavailableError: the database cannot be used now; go on later.
    """
    total = 0
    while rows := await store.read(_select_edges()):
        async with store.write() as tx:
            # Of those that came in their place: the event that a fingerprint had there before is gone.
            before = or_(*(and_(_OF.fingerprint == row.fingerprint, _OF.edge == row.edge) for row in rows))
            gone = await tx.execute(select(_OF.id).where(before))
            await forget_texts(tx, [row.id for row in gone])
            await record_found_by(tx, [_found_by(row, row.edge) for row in _each_once(rows)])
        total += len(rows)
        if len(rows) < BODIES:
            break
    return total


_OF: Final = event_texts.c


def _select_edges() -> Any:
    table = edge_bodies.c
    columns = (
        *(table.fingerprint, table.edge, table.occurred_day),
        table.event_id,
        table.occurred_at,
        body_in(edge_bodies),
    )
    found = exists().where(_OF.occurred_day == table.occurred_day, _OF.event_id == table.event_id)
    is_stored = exists().where(
        events.c.occurred_day == table.occurred_day, events.c.event_id == table.event_id
    )
    return select(*columns).where(~found, is_stored).limit(BODIES)


def _each_once(rows: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    return list({row.event_id: row for row in rows}.values())


def _found_by(row: Row[Any], edge: str | None = None) -> FoundBy:
    searched = read_searched(row.doc)
    return FoundBy(row.occurred_day, row.event_id, row.fingerprint, row.occurred_at, searched, edge)

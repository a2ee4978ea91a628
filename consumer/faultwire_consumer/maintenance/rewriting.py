"""Rewrites what is mostly dead in PostgreSQL: the owner's share of retention, where workers own no table."""

from typing import Final

from msgspec import Struct

from faultwire_consumer.store.contract.store import RightsError, Store, StoreBusyError
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.postgresql.partition import may_own_tables
from faultwire_consumer.store.upkeep.dead_letter_bytes import measure_dead_letters
from faultwire_consumer.store.upkeep.retention_floors import read_floors
from faultwire_consumer.store.upkeep.space import (
    give_space_back,
    list_days,
    measure_store,
    vacuum_dead_letters,
)

PATIENCE: Final = Timeouts(statement=600, answer=660)
"""A day's rows are counted before it is decided on."""


class NoServerError(Exception):
    """The database is a SQLite file, whose worker rewrites it by itself."""


class Rewritten(Struct, frozen=True, kw_only=True):
    """The result: how many days were looked at, how many of them somebody held, and the database's size."""

    days: int
    busy: int
    bytes_before: int
    bytes_after: int


async def rewrite_by_hand(database_url: str) -> Rewritten:
    """Rewrite the days of which retention deleted the most, and the dead letters.

    Raises:
        NoServerError: there is nothing to do.
        RightsError: this role may not act for the tables' owner.
        StoreUnavailableError: the database cannot be used now.
        MigrationError: its schema is not this release's.
    """
    if database_url.startswith("sqlite"):
        raise NoServerError
    store = await open_store(database_url, timeouts=PATIENCE)
    try:
        if not await may_own_tables(store):
            raise RightsError("this role may not rewrite tables: log in as a member of their owner")
        return await rewrite(store)
    finally:
        await store.close()


async def rewrite(store: Store) -> Rewritten:
    """Rewrite what is mostly dead; a table that somebody holds is left for the next time.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    before = (await measure_store(store)).bytes
    floors = await read_floors(store)
    cut = [day for day in await list_days(store) if floors and day < max(floors.values())]
    busy = 0
    for day in cut:
        try:
            await give_space_back(store, [day])
        except StoreBusyError:
            busy += 1
    try:
        await vacuum_dead_letters(store, live_bytes=await measure_dead_letters(store))
    except StoreBusyError:
        busy += 1
    after = (await measure_store(store)).bytes
    return Rewritten(days=len(cut), busy=busy, bytes_before=before, bytes_after=after)

"""Scratch stores: SQLite files of a rehearsal's own, which nobody misses."""

from pathlib import Path

from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import parse_database_url
from faultwire_consumer.store.migrations.migrate import upgrade_checked
from faultwire_consumer.store.sqlite.store import SqliteStore
from faultwire_shared.clock import Clock

_SECONDS = 5.0


async def open_scratch(path: Path, *, clock: Clock) -> SqliteStore:
    """Make an empty store, whose clock is the rehearsed time; its commits do not wait for the disk.

    Raises:
        StoreUnavailableError: the file cannot be made there.
    """
    store = SqliteStore(parse_database_url(f"sqlite:///{path}"), Timeouts(), clock=clock)
    try:
        await store.open(upgrade_checked)
        await store.run_alone("PRAGMA synchronous = OFF", seconds=_SECONDS)
    except BaseException:
        await store.close()
        raise
    return store

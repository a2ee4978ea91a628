"""Scratch stores: SQLite files of a rehearsal's own, which nobody misses."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import URL, Executable, Row, create_engine
from sqlalchemy.pool import StaticPool

from faultwire_consumer.store.contract.failure import translate_sqlite
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import parse_database_url
from faultwire_consumer.store.migrations.migrate import upgrade_checked
from faultwire_consumer.store.schema.events import SCHEMA
from faultwire_consumer.store.sqlite.store import DRIVER_ERRORS, SqliteStore
from faultwire_shared.clock import Clock

P = ParamSpec("P")
T = TypeVar("T")

_SECONDS = 5.0


class ScratchStore(SqliteStore):
    """A store whose statements run where they are asked for.

    Its process does nothing else, and a way to another thread and back took most of a rehearsal's time.
    """

    def __init__(self, url: URL, timeouts: Timeouts, *, clock: Clock) -> None:
        super().__init__(url, timeouts, clock=clock)
        self._reading = create_engine(url, poolclass=StaticPool).execution_options(
            schema_translate_map={SCHEMA: None}
        )

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work at once."""
        return work(*args, **kwargs)

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query on a connection of its own, which sees what is committed."""
        try:
            with self._reading.connect() as connection:
                if isinstance(query, Prepared):
                    return connection.execute(query.statement, query.parameters).all()
                return connection.execute(query).all()
        except DRIVER_ERRORS as error:
            raise translate_sqlite(error) from error

    async def close(self) -> None:
        """Close every connection."""
        self._reading.dispose()
        await super().close()


async def open_scratch(path: Path, *, clock: Clock) -> ScratchStore:
    """Make an empty store, whose clock is the rehearsed time; its commits do not wait for the disk.

    Raises:
        StoreUnavailableError: the file cannot be made there.
    """
    store = ScratchStore(parse_database_url(f"sqlite:///{path}"), Timeouts(), clock=clock)
    try:
        await store.open(upgrade_checked)
        await store.run_alone("PRAGMA synchronous = OFF", seconds=_SECONDS)
    except BaseException:
        await store.close()
        raise
    return store

"""A pool of PostgreSQL connections without those that are closed, or older than the last break.

The hot path calls the driver directly, so SQLAlchemy never learns that a connection broke; and a
server that became a standby keeps its connections open. A ping at each checkout would show both, at
the price of a round trip for every batch.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import QueuePool

from faultwire_consumer.store.contract.packing import READS_PACKED
from faultwire_consumer.store.contract.role import NAME, connection_name
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.postgresql.session import SessionOpener
from faultwire_shared.tls.certificate import end_of_certificate

CONNECTIONS: Final = 12
DRIVER_ERRORS: Final = (
    DBAPIError,
    PoolTimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Every error by which a database, a connection or the pool refuses."""

_GENERATION: Final = "faultwire_generation"
_READS_PACKED: Final = f"SELECT pg_advisory_lock_shared({READS_PACKED})"


class Pool:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, url: URL, timeouts: Timeouts) -> None:
        # AUTOCOMMIT: transactions are begun on the driver's connection itself, so that its fast
        # calls and SQLAlchemy's statements share one.
        self._engine: AsyncEngine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            pool_timeout=timeouts.answer,
            connect_args={
                "async_creator_fn": SessionOpener(),
                "timeout": timeouts.connect,
                "command_timeout": timeouts.answer,
                # Not every five minutes: an event would wait again for plans that are made of it already.
                "max_cached_statement_lifetime": 0,
                "server_settings": timeouts.session(),
            },
        )
        self.certificate_ends_at: float | None = None
        """When the certificate ends that the server showed last, in seconds of Unix time."""
        self._is_named_by_us = "application_name" not in url.query
        self._names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._generation = 0
        self._opened: WeakSet[Any] = WeakSet()
        event.listen(self._engine.sync_engine, "connect", self._mark)
        event.listen(self._engine.sync_engine, "checkout", self._check)

    def connect(self) -> AsyncConnection:
        """Return a connection as a context manager."""
        return self._engine.connect()

    async def name(self, connection: Any) -> None:
        """Have the server know a driver's connection by the role of this task: one round trip if it changes.

        A name in the database's URL is its owner's, and stays.
        """
        name = connection_name()
        if self._is_named_by_us and self._names.get(connection, NAME) != name:
            await connection.execute(f"SET application_name = '{name}'")
            self._names[connection] = name

    def connections(self) -> Mapping[str, int]:
        """Return how many there are by state."""
        pool: QueuePool = self._engine.pool  # type: ignore[assignment]  # typed for any pool
        return {"in_use": pool.checkedout(), "idle": pool.checkedin()}

    def distrust(self) -> None:
        """Have every connection reopened before it is used again; those in use may go on."""
        self._generation += 1

    def _mark(self, connection: Any, record: Any) -> None:
        self._opened.add(connection.driver_connection)
        # By which workers of an older release are known: until they are gone, no body is packed.
        connection.run_async(lambda driver: driver.execute(_READS_PACKED))
        self.certificate_ends_at = end_of_certificate(_ssl_object_of(connection.driver_connection))
        record.info[_GENERATION] = self._generation

    def _check(self, connection: Any, record: Any, _: Any) -> None:
        if record.info[_GENERATION] != self._generation or connection.driver_connection.is_closed():
            raise DisconnectionError("closed, or older than a break")

    async def close(self) -> None:
        """Close every connection, those too that somebody who was cancelled is still giving back.

        SQLAlchemy puts what comes back later into the pool that it has left, where nobody closes it.
        """
        await self._engine.dispose()
        left = [connection for connection in self._opened if not connection.is_closed()]
        for connection in left:
            connection.terminate()
        if left:
            await asyncio.sleep(0)  # in which their sockets are closed


def _ssl_object_of(connection: Any) -> Any:
    return connection._transport.get_extra_info("ssl_object")  # noqa: SLF001 - asyncpg tells nobody else

"""PostgreSQL's connections: a pool that gives out none that is closed, or older than the last break.

The hot path calls the driver past SQLAlchemy, which so never learns that a connection broke; and a
server that became a standby keeps its connections open. A question to the server at each checkout
would show both, at the price of a round trip for every batch.
"""

from typing import Any, Final

import asyncpg
from sqlalchemy import URL, event
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.postgresql.host import HostChooser

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
"""Everything by which a database, a connection or the pool says no."""

_GENERATION: Final = "faultwire_generation"


class Pool:
    """Connections to one PostgreSQL database."""

    def __init__(self, url: URL, guards: Timeouts) -> None:
        # AUTOCOMMIT: transactions are begun on the driver's connection itself, so that its fast
        # calls and SQLAlchemy's statements share one.
        self._engine: AsyncEngine = create_async_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_use_lifo=True,
            pool_timeout=guards.answer,
            connect_args={
                "async_creator_fn": HostChooser(),
                "timeout": guards.connect,
                "command_timeout": guards.answer,
                "server_settings": guards.session(),
            },
        )
        self._generation = 0
        event.listen(self._engine.sync_engine, "connect", self._mark)
        event.listen(self._engine.sync_engine, "checkout", self._check)

    def connect(self) -> AsyncConnection:
        """A connection to use as a context manager."""
        return self._engine.connect()

    def distrust(self) -> None:
        """Open every connection anew before it is used again; those in use may go on."""
        self._generation += 1

    def _mark(self, _: Any, record: Any) -> None:
        record.info[_GENERATION] = self._generation

    def _check(self, connection: Any, record: Any, _: Any) -> None:
        if record.info[_GENERATION] != self._generation or connection.driver_connection.is_closed():
            raise DisconnectionError("closed, or older than a break")

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

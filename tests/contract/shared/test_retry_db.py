"""Database operations are tried again over a real outage, and over a real lock."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from tests.servers.postgresql import PostgreSQL, PrivatePostgreSQL
from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport

from faultwire import CircuitBreaker, CircuitOpenError, CircuitState, ErrorManager, retry_db_operation


async def test_an_operation_outlives_a_server_that_is_stopped_and_started(
    private_postgresql: PrivatePostgreSQL,
) -> None:
    waits: list[float] = []
    failures: list[str] = []

    async def start_after_two(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            await private_postgresql.start()

    @retry_db_operation(max_retries=8, sleep=start_after_two)
    async def count() -> Any:
        try:
            async with pool.acquire() as connection:
                return await connection.fetchval("SELECT 1")
        except Exception as error:
            failures.append(type(error).__name__)
            raise

    async with asyncpg.create_pool(private_postgresql.url, min_size=1, timeout=5) as pool:
        assert await count() == 1
        private_postgresql.stop_immediately()
        assert await count() == 1
    assert len(waits) >= 2, failures
    assert waits == [2**number for number in range(len(waits))]


async def test_a_server_that_stays_away_raises_its_last_error_after_three_attempts(
    private_postgresql: PrivatePostgreSQL,
) -> None:
    private_postgresql.stop_immediately()
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    @retry_db_operation(sleep=note)
    async def connect() -> None:
        await asyncpg.connect(private_postgresql.url, timeout=5)

    with pytest.raises(ConnectionRefusedError) as raised:
        await connect()
    assert waits == [1, 2]
    assert "given up after 3 attempts" in raised.value.__notes__[0]


async def test_what_the_server_refuses_for_its_own_sake_is_not_tried_again(postgresql: PostgreSQL) -> None:
    asked = 0

    @retry_db_operation()
    async def query() -> None:
        nonlocal asked
        asked += 1
        connection = await asyncpg.connect(postgresql.url)
        try:
            await connection.execute("SELECT * FROM nowhere")
        finally:
            await connection.close()

    with pytest.raises(asyncpg.UndefinedTableError):
        await query()
    assert asked == 1


async def test_two_transactions_that_read_and_write_across_are_both_done_in_the_end(
    postgresql: PostgreSQL,
) -> None:
    """A serialisation failure, through SQLAlchemy as services meet it."""
    postgresql.execute("CREATE TABLE account (id int PRIMARY KEY, amount int)")
    postgresql.execute("INSERT INTO account VALUES (1, 100), (2, 100)")
    engine = create_async_engine(
        postgresql.url.replace("postgresql:", "postgresql+asyncpg:"), isolation_level="SERIALIZABLE"
    )
    both_have_read = asyncio.Barrier(2)
    attempts = 0

    @retry_db_operation(delay=0)
    async def move(source: int, target: int, *, first: list[int]) -> None:
        nonlocal attempts
        attempts += 1
        async with engine.begin() as connection:
            await connection.execute(text("SELECT sum(amount) FROM account"))
            if source not in first:
                first.append(source)
                await both_have_read.wait()
            await connection.execute(
                text("UPDATE account SET amount = amount - 10 WHERE id = :id"), {"id": source}
            )

    seen: list[int] = []
    await asyncio.gather(move(1, 2, first=seen), move(2, 1, first=seen))
    await engine.dispose()
    assert attempts == 3
    assert postgresql.execute("SELECT amount FROM account ORDER BY id").split() == ["90", "90"]


def test_a_write_waits_until_another_connection_lets_go_of_the_sqlite_file(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE orders (id)")
    holder.execute("BEGIN EXCLUSIVE")
    waits: list[float] = []

    def release_after_two(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 2:
            holder.execute("COMMIT")

    @retry_db_operation(max_retries=3, sleep=release_after_two)
    def insert(key: int) -> int:
        connection = sqlite3.connect(path, timeout=0)
        try:
            with connection:
                return connection.execute("INSERT INTO orders VALUES (?)", [key]).rowcount
        finally:
            connection.close()

    assert insert(17) == 1
    assert waits == [1, 2]
    holder.close()


def test_a_sqlite_file_that_stays_locked_raises_that_it_is(tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "orders.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    waits: list[float] = []

    @retry_db_operation(sleep=waits.append)
    def read() -> None:
        connection = sqlite3.connect(tmp_path / "orders.db", timeout=0)
        try:
            connection.execute("SELECT * FROM sqlite_schema")
        finally:
            connection.close()

    with pytest.raises(sqlite3.OperationalError, match="database is locked"):
        read()
    assert waits == [1, 2]
    holder.close()


async def test_a_server_that_stays_away_opens_the_circuit_is_told_once_and_closes_it_when_it_is_back(
    private_postgresql: PrivatePostgreSQL, clock: FixedClock
) -> None:
    private_postgresql.stop_immediately()
    transport = FakeTransport()
    breaker = CircuitBreaker("orders", failure_threshold=3, reset_timeout=10, clock=clock.monotonic)

    async with ErrorManager(service="shop", transport=lambda: transport) as errors:

        @retry_db_operation(delay=0, breaker=breaker, errors=errors)
        async def count() -> Any:
            connection = await asyncpg.connect(private_postgresql.url, timeout=5)
            try:
                return await connection.fetchval("SELECT 1")
            finally:
                await connection.close()

        with pytest.raises(ConnectionRefusedError):
            await count()
        with pytest.raises(CircuitOpenError):
            await count()
        await private_postgresql.start()
        with pytest.raises(CircuitOpenError):
            await count()
        clock.advance(10)
        assert await count() == 1
    assert breaker.state is CircuitState.CLOSED
    (event,) = transport.events
    assert [attempt["error"] for attempt in event.context["attempts"]] == ["ConnectionRefusedError"] * 3

"""Which database errors are tried again, how often, and after which waits."""

import asyncio
import errno
import random
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, assert_type

import pytest
from sqlalchemy.exc import DBAPIError, OperationalError
from tests.tools.clock import FixedClock
from tests.tools.retrying import Database, Waits

import faultwire
from faultwire import DatabaseConnectionError, ExternalError, retry_db_operation
from faultwire_shared.resilience.outage import is_transient


def test_without_figures_there_are_three_attempts_with_waits_of_one_and_two_seconds(waits: Waits) -> None:
    database = Database(failures=9)
    ask = retry_db_operation(sleep=waits.plain)(database.ask)
    with pytest.raises(DatabaseConnectionError) as raised:
        ask("one")
    assert (database.asked, waits.seconds) == (3, [1, 2])
    assert "given up after 3 attempts" in raised.value.__notes__[0]


async def test_an_async_function_is_awaited_in_the_same_way(waits: Waits) -> None:
    database = Database(failures=2)

    @retry_db_operation(max_retries=3, delay=1, sleep=waits.asynchronous)
    async def ask(question: str) -> str:
        return database.ask(question)

    assert await ask("one") == "answer to one"
    assert (database.asked, waits.seconds) == (3, [1, 2])


def test_each_wait_is_twice_the_one_before(waits: Waits) -> None:
    database = Database(failures=4)
    assert retry_db_operation(5, 0.5, sleep=waits.plain)(database.ask)("one") == "answer to one"
    assert waits.seconds == [0.5, 1, 2, 4]


def test_every_call_starts_anew(waits: Waits) -> None:
    database = Database(failures=9)
    ask = retry_db_operation(sleep=waits.plain)(database.ask)
    for _ in range(2):
        with pytest.raises(DatabaseConnectionError):
            ask("one")
    assert waits.seconds == [1, 2, 1, 2]


def test_one_attempt_in_all_waits_for_nothing(waits: Waits) -> None:
    database = Database(failures=1)
    with pytest.raises(DatabaseConnectionError):
        retry_db_operation(max_retries=1, sleep=waits.plain)(database.ask)("one")
    assert (database.asked, waits.seconds) == (1, [])


@pytest.mark.parametrize(
    "error", [ValueError("no"), ExternalError("card gateway"), sqlite3.IntegrityError("twice"), KeyError("x")]
)
def test_any_other_error_is_raised_at_once(waits: Waits, error: Exception) -> None:
    database = Database(failures=9, error=error)
    with pytest.raises(type(error)) as raised:
        retry_db_operation(sleep=waits.plain)(database.ask)("one")
    assert (database.asked, waits.seconds) == (1, [])
    assert not hasattr(raised.value, "__notes__")


async def test_a_cancelled_operation_is_not_repeated(waits: Waits) -> None:
    database = Database(failures=9, error=asyncio.CancelledError())

    @retry_db_operation(sleep=waits.asynchronous)
    async def ask() -> str:
        return database.ask("one")

    with pytest.raises(asyncio.CancelledError):
        await ask()
    assert database.asked == 1


def test_on_says_what_is_tried_again_in_place_of_the_usual(waits: Waits) -> None:
    by_class = Database(failures=1, error=KeyError("x"))
    assert retry_db_operation(on=LookupError, sleep=waits.plain)(by_class.ask)("one")
    by_question = Database(failures=1, error=KeyError("x"))
    assert retry_db_operation(on=lambda error: "x" in str(error), sleep=waits.plain)(by_question.ask)("one")
    usual = Database(failures=1)
    with pytest.raises(DatabaseConnectionError):
        retry_db_operation(on=(KeyError, IndexError), sleep=waits.plain)(usual.ask)("one")


def test_jitter_draws_each_wait_below_its_bound(waits: Waits) -> None:
    ask = retry_db_operation(4, 1, jitter=True, rng=random.Random(7), sleep=waits.plain)(Database(3).ask)
    assert ask("one")
    assert all(0 <= wait <= bound for wait, bound in zip(waits.seconds, [1, 2, 4], strict=True))
    assert waits.seconds != [1, 2, 4]


def test_a_wait_that_would_end_after_max_time_is_not_begun(waits: Waits, clock: FixedClock) -> None:
    database = Database(failures=9)
    ask = retry_db_operation(10, 1, max_time=5, clock=clock.monotonic, sleep=waits.plain)(database.ask)
    with pytest.raises(DatabaseConnectionError):
        ask("one")
    assert waits.seconds == [1, 2]


@pytest.mark.parametrize(
    ("figures", "named"), [((0, 1), "max_retries"), ((1.5, 1), "max_retries"), ((3, -1), "delay")]
)
def test_figures_that_cannot_be_are_refused_by_name(figures: tuple[int, float], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        retry_db_operation(*figures)


def test_a_generator_is_refused_as_nobody_can_repeat_it() -> None:
    def rows() -> Iterator[int]:
        yield 1

    async def async_rows() -> AsyncIterator[int]:
        yield 1

    for function in (rows, async_rows):
        with pytest.raises(TypeError, match="generator"):
            retry_db_operation()(function)


@pytest.mark.parametrize("ways", ["lambda", "object", "task", "staticmethod"])
async def test_a_plain_function_that_returns_an_awaitable_is_repeated_too(ways: str, waits: Waits) -> None:
    database = Database(failures=2)

    async def ask(question: str) -> str:
        return database.ask(question)

    class Asking:
        async def __call__(self, question: str) -> str:
            return await ask(question)

    functions: dict[str, Callable[[str], Any]] = {
        "lambda": lambda question: ask(question),  # noqa: PLW0108 - it is what the test is about
        "object": Asking(),
        "task": lambda question: asyncio.ensure_future(ask(question)),
        "staticmethod": staticmethod(ask),
    }
    assert await retry_db_operation(sleep=waits.asynchronous)(functions[ways])("one") == "answer to one"
    assert (database.asked, waits.seconds) == (3, [1, 2])


def test_the_function_keeps_its_name_and_its_types() -> None:
    @retry_db_operation()
    def count(table: str, *, limit: int = 5) -> int:
        """Rows of a table."""
        return limit

    @retry_db_operation()
    async def name_of(key: int) -> str:
        return str(key)

    assert_type(count("orders", limit=3), int)
    assert count.__name__ == "count"
    assert count.__doc__ == "Rows of a table."
    assert_type(asyncio.run(name_of(1)), str)


class PostgresError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


def _locked() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database table is locked: orders")
    error.sqlite_errorcode = 262  # SQLITE_LOCKED_SHAREDCACHE
    return error


@pytest.mark.parametrize(
    "error",
    [
        DatabaseConnectionError("away"),
        *(PostgresError(state) for state in ("08000", "08006", "40001", "40P01", "57P01", "57P03", "53300")),
        _locked(),
        sqlite3.OperationalError("database is locked"),
        OperationalError("SELECT 1", {}, PostgresError("40001")),
        DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        ConnectionResetError("reset"),
        TimeoutError(),
        socket.gaierror("no such host"),
        OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] Connect call failed"),
        OSError(errno.EHOSTUNREACH, "no route"),
    ],
    ids=repr,
)
def test_what_is_of_the_moment_is_told_from_the_rest(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        PostgresError("23505"),
        PostgresError("57014"),
        sqlite3.OperationalError("no such table: orders"),
        OperationalError("SELECT 1", {}, PostgresError("42P01")),
        OSError(errno.ENOSPC, "disk full"),
        PermissionError("no"),
        RuntimeError("database is locked away"),
    ],
    ids=repr,
)
def test_what_would_fail_again_is_not_of_the_moment(error: Exception) -> None:
    assert not is_transient(error)


def test_it_is_public() -> None:
    assert {"retry_db_operation", "create_robust_session"} <= set(faultwire.__all__) & set(dir(faultwire))

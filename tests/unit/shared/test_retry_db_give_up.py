"""A database operation that is given up: one event with its attempts, and a circuit that ends them early."""

import threading
from collections.abc import Mapping

import pytest
from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport
from tests.tools.retrying import Database, Sink, Waits

from faultwire import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    DatabaseConnectionError,
    ErrorManager,
    retry_db_operation,
)


def test_the_error_that_is_raised_is_handed_over_once_with_every_attempt(
    waits: Waits, clock: FixedClock, sink: Sink
) -> None:
    database = Database(failures=9)
    ask = retry_db_operation(sleep=waits.plain, clock=clock.monotonic, errors=sink)(database.ask)
    with pytest.raises(DatabaseConnectionError) as raised:
        ask("one")
    assert sink.errors == [raised.value]
    assert sink.contexts == [
        {
            "operation": "Database.ask",
            "attempts": [
                {"number": 1, "error": "DatabaseConnectionError", "waited_seconds": 0},
                {"number": 2, "error": "DatabaseConnectionError", "waited_seconds": 1},
                {"number": 3, "error": "DatabaseConnectionError", "waited_seconds": 2},
            ],
            "elapsed_seconds": 3,
        }
    ]


async def test_its_trace_leads_from_who_asked_for_the_operation_to_the_crash(
    waits: Waits, sink: Sink
) -> None:
    @retry_db_operation(sleep=waits.asynchronous, errors=sink)
    async def save() -> None:
        raise DatabaseConnectionError("lost")

    async def place_order() -> None:
        await save()

    with pytest.raises(DatabaseConnectionError) as raised:
        await place_order()
    named = [name for name in sink.functions[0] if name in {"place_order", "save", "repeat"}]
    assert named == ["place_order", "repeat", "save"]
    own = [entry.name for entry in raised.traceback]
    assert own.count("place_order") == 1


def test_what_succeeds_in_the_end_or_is_not_repeated_is_not_handed_over(waits: Waits, sink: Sink) -> None:
    retry = retry_db_operation(sleep=waits.plain, errors=sink)
    assert retry(Database(failures=2).ask)("one")
    with pytest.raises(KeyError):
        retry(Database(failures=1, error=KeyError("x")).ask)("one")
    assert sink.errors == []


def test_running_out_of_max_time_is_giving_up(waits: Waits, clock: FixedClock, sink: Sink) -> None:
    retry = retry_db_operation(10, 1, max_time=5, clock=clock.monotonic, sleep=waits.plain, errors=sink)
    with pytest.raises(DatabaseConnectionError):
        retry(Database(failures=9).ask)("one")
    assert len(sink.contexts[0]["attempts"]) == 3


def test_of_very_many_attempts_the_last_are_told(waits: Waits, sink: Sink) -> None:
    retry = retry_db_operation(200, 0, sleep=waits.plain, errors=sink)
    with pytest.raises(DatabaseConnectionError):
        retry(Database(failures=999).ask)("one")
    assert [attempt["number"] for attempt in sink.contexts[0]["attempts"]] == list(range(151, 201))


def test_a_sink_that_raises_leaves_the_operation_its_own_error(
    waits: Waits, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def handle_error_nowait(self, error: BaseException, /, *, context: Mapping[str, object]) -> None:
            raise ValueError("hunter2")

    with pytest.raises(DatabaseConnectionError) as raised:
        retry_db_operation(sleep=waits.plain, errors=Broken())(Database(failures=9).ask)("one")
    assert raised.value.__context__ is None
    assert "give_up.not_told error=ValueError" in caplog.text
    assert "hunter2" not in caplog.text


async def test_an_error_manager_makes_one_event_of_it(waits: Waits) -> None:
    transport = FakeTransport()

    @retry_db_operation(sleep=waits.asynchronous)
    async def without() -> None:
        raise DatabaseConnectionError("lost")

    async with ErrorManager(service="shop", transport=lambda: transport) as errors:

        @retry_db_operation(sleep=waits.asynchronous, errors=errors)
        async def save() -> None:
            raise DatabaseConnectionError("lost")

        for operation in (save, without):
            with pytest.raises(DatabaseConnectionError):
                await operation()
    (event,) = transport.events
    assert (event.category, event.code) == ("external", "DATABASE_UNAVAILABLE")
    assert [attempt["number"] for attempt in event.context["attempts"]] == [1, 2, 3]
    assert event.truncated == []
    assert event.exceptions[0].frames[-1].qualname.endswith("save")


def _breaker(clock: FixedClock, threshold: int) -> CircuitBreaker:
    return CircuitBreaker("orders", failure_threshold=threshold, reset_timeout=10, clock=clock.monotonic)


def test_every_attempt_passes_the_breaker_and_one_that_opens_it_is_the_last(
    waits: Waits, clock: FixedClock, sink: Sink
) -> None:
    breaker = _breaker(clock, 2)
    database = Database(failures=9)
    ask = retry_db_operation(5, 1, breaker=breaker, sleep=waits.plain, errors=sink)(database.ask)
    with pytest.raises(DatabaseConnectionError) as raised:
        ask("one")
    assert (database.asked, waits.seconds, breaker.state) == (2, [1], CircuitState.OPEN)
    assert sink.errors == [raised.value]


def test_while_it_is_open_nothing_is_asked_waited_for_or_told(
    waits: Waits, clock: FixedClock, sink: Sink
) -> None:
    breaker = _breaker(clock, 1)
    database = Database(failures=1)
    ask = retry_db_operation(breaker=breaker, sleep=waits.plain, errors=sink)(database.ask)
    with pytest.raises(DatabaseConnectionError):
        ask("one")
    with pytest.raises(CircuitOpenError):
        ask("two")
    assert (database.asked, waits.seconds, len(sink.errors)) == (1, [], 1)
    clock.advance(10)
    assert ask("three") == "answer to three"
    assert breaker.state is CircuitState.CLOSED


def test_a_circuit_that_somebody_else_opens_meanwhile_ends_it_with_its_own_error(
    clock: FixedClock, sink: Sink
) -> None:
    breaker = _breaker(clock, 5)

    def open_it(_: float) -> None:
        while breaker.state is CircuitState.CLOSED:
            with pytest.raises(ConnectionResetError), breaker:
                raise ConnectionResetError

    database = Database(failures=9)
    ask = retry_db_operation(breaker=breaker, on=Exception, sleep=open_it, errors=sink)(database.ask)
    with pytest.raises(CircuitOpenError) as raised:
        ask("one")
    assert database.asked == 1
    assert sink.errors == [raised.value]
    assert [attempt["error"] for attempt in sink.contexts[0]["attempts"]] == ["DatabaseConnectionError"]


def test_plain_functions_in_threads_share_a_breaker(clock: FixedClock) -> None:
    breaker = _breaker(clock, 6)
    database = Database(failures=999)
    ask = retry_db_operation(2, 0, breaker=breaker, sleep=lambda _: None)(database.ask)

    def run() -> None:
        with pytest.raises((DatabaseConnectionError, CircuitOpenError)):
            ask("one")

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (breaker.state, breaker.counts().failures) == (CircuitState.OPEN, 6)

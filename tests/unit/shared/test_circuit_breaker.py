"""A circuit breaker as services use it: on functions, around blocks, in threads and tasks."""

import asyncio
import gc
import pickle
import queue
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, assert_type

import pytest
from tests.tools.clock import FixedClock

import faultwire
from faultwire import CircuitBreaker, CircuitChange, CircuitOpenError, CircuitState, ExternalError

WAIT_SECONDS = 60


def fail(error: BaseException | None = None) -> None:
    raise error or ConnectionResetError("reset")


def break_open(breaker: CircuitBreaker) -> None:
    while breaker.state is not CircuitState.OPEN:
        with pytest.raises(ConnectionResetError):
            breaker(fail)()


@pytest.fixture
def changes() -> list[CircuitChange]:
    return []


@pytest.fixture
def breaker(clock: FixedClock, changes: list[CircuitChange]) -> CircuitBreaker:
    return CircuitBreaker(
        "gateway", failure_threshold=3, reset_timeout=10, on_change=changes.append, clock=clock.monotonic
    )


@pytest.fixture
def half_open(breaker: CircuitBreaker, clock: FixedClock) -> CircuitBreaker:
    """Open, and its time is over: the next call is the trial."""
    break_open(breaker)
    clock.advance(10)
    return breaker


def test_after_so_many_failures_in_a_row_nothing_is_called_and_the_error_says_for_how_long(
    breaker: CircuitBreaker, clock: FixedClock
) -> None:
    calls: list[int] = []

    @breaker
    def charge(order: int) -> None:
        calls.append(order)
        raise ConnectionResetError("reset")

    for order in range(3):
        with pytest.raises(ConnectionResetError):
            charge(order)
    clock.advance(2.5)
    with pytest.raises(CircuitOpenError, match="'gateway' is open") as refused:
        charge(3)
    assert calls == [0, 1, 2]
    assert isinstance(refused.value, ExternalError)
    assert (refused.value.status, refused.value.code) == (503, "CIRCUIT_OPEN")
    assert (refused.value.retry_after_seconds, refused.value.circuit) == (8, "gateway")
    assert breaker.counts().refused == 1


def test_a_success_in_between_begins_the_count_anew(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                breaker(fail)()
        breaker(int)()
    assert breaker.state is CircuitState.CLOSED
    assert (breaker.counts().successes, breaker.counts().failures) == (5, 10)


def test_an_error_that_is_an_answer_is_no_failure(breaker: CircuitBreaker) -> None:
    for _ in range(9):
        with pytest.raises(KeyError):
            breaker(fail)(KeyError("no such order"))
    assert breaker.state is CircuitState.CLOSED
    assert breaker.counts().successes == 9


@pytest.mark.parametrize("on", [KeyError, (KeyError, ValueError), lambda error: isinstance(error, KeyError)])
def test_on_says_what_is_a_failure_in_place_of_the_usual(
    on: type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool],
) -> None:
    breaker = CircuitBreaker("gateway", failure_threshold=1, on=on)
    with pytest.raises(ConnectionResetError):
        breaker(fail)()
    assert breaker.state is CircuitState.CLOSED
    with pytest.raises(KeyError):
        breaker(fail)(KeyError("x"))
    assert breaker.state.value == "open"


def test_every_change_is_told_with_its_counts(
    half_open: CircuitBreaker, clock: FixedClock, changes: list[CircuitChange]
) -> None:
    with pytest.raises(ConnectionResetError):
        half_open(fail)()
    clock.advance(10)
    half_open(int)()
    assert [(change.old.value, change.new.value, change.counts.opened) for change in changes] == [
        ("closed", "open", 1),
        ("open", "half_open", 1),
        ("half_open", "open", 2),
        ("open", "half_open", 2),
        ("half_open", "closed", 2),
    ]
    assert {change.name for change in changes} == {"gateway"}
    assert [change.counts.failures_in_a_row for change in changes] == [3, 3, 4, 4, 0]


def test_a_hook_that_raises_hurts_nobody_and_its_error_s_text_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def raise_secret(_: CircuitChange) -> None:
        raise ValueError("hunter2")

    breaker = CircuitBreaker("gateway", failure_threshold=1, on_change=raise_secret)
    with pytest.raises(ConnectionResetError, match="reset"):
        breaker(fail)()
    assert breaker.state is CircuitState.OPEN
    assert "circuit.hook_failed circuit=gateway error=ValueError" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_hook_may_ask_the_breaker() -> None:
    asked: list[int] = []
    own = CircuitBreaker(
        "gateway", failure_threshold=1, on_change=lambda _: asked.append(own.counts().failures)
    )
    break_open(own)
    assert asked == [1]


def test_opening_and_closing_are_a_line_each_and_trials_in_vain_none(
    half_open: CircuitBreaker, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.clear()
    caplog.set_level("INFO", logger="faultwire.retry")
    with pytest.raises(ConnectionResetError):
        half_open(fail)()
    clock.advance(10)
    half_open(int)()
    break_open(half_open)
    assert [record.getMessage() for record in caplog.records] == [
        "circuit.closed circuit=gateway",
        "circuit.opened circuit=gateway failures=3",
    ]


async def test_an_async_function_is_guarded_in_the_same_way(breaker: CircuitBreaker) -> None:
    @breaker
    async def charge() -> None:
        fail()

    for _ in range(3):
        with pytest.raises(ConnectionResetError):
            await charge()
    with pytest.raises(CircuitOpenError):
        await charge()


async def test_a_block_is_guarded_plain_or_async_and_blocks_may_stand_in_each_other(
    breaker: CircuitBreaker,
) -> None:
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            async with breaker:
                fail()
    with breaker, breaker:
        pass
    assert breaker.counts().failures_in_a_row == 0
    for _ in range(3):
        with pytest.raises(ConnectionResetError), breaker:
            fail()
    with pytest.raises(CircuitOpenError):
        async with breaker:
            pytest.fail("it is open")


async def test_of_many_tasks_one_is_the_trial(half_open: CircuitBreaker) -> None:
    answered = asyncio.Event()

    @half_open
    async def ask() -> str:
        await answered.wait()
        return "well"

    tasks = [asyncio.create_task(ask()) for _ in range(10)]
    done, pending = await asyncio.wait(tasks, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    while len(done) < 9:
        more, pending = await asyncio.wait(pending, timeout=WAIT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert more
        done |= more
    assert {type(task.exception()) for task in done} == {CircuitOpenError}
    answered.set()
    assert await pending.pop() == "well"
    assert half_open.state is CircuitState.CLOSED


def test_of_many_threads_one_is_the_trial(half_open: CircuitBreaker) -> None:
    answered = threading.Event()
    results: queue.Queue[str] = queue.Queue()
    together = threading.Barrier(8)

    @half_open
    def ask() -> str:
        assert answered.wait(WAIT_SECONDS)
        return "well"

    def run() -> None:
        together.wait(WAIT_SECONDS)
        try:
            results.put(ask())
        except CircuitOpenError:
            results.put("refused")

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert [results.get(timeout=WAIT_SECONDS) for _ in range(7)] == ["refused"] * 7
    answered.set()
    assert results.get(timeout=WAIT_SECONDS) == "well"
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert (half_open.state, half_open.counts().refused) == (CircuitState.CLOSED, 7)


def test_threads_that_fail_together_are_counted_exactly() -> None:
    breaker = CircuitBreaker("gateway", failure_threshold=10_000)

    def run() -> None:
        for _ in range(500):
            with pytest.raises(ConnectionResetError), breaker:
                fail()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    assert breaker.counts().failures_in_a_row == breaker.counts().failures == 2000


async def test_a_cancelled_trial_is_no_outcome_and_lets_the_next_one_through(
    half_open: CircuitBreaker,
) -> None:
    begun = asyncio.Event()

    @half_open
    async def ask() -> None:
        begun.set()
        await asyncio.Event().wait()

    before = half_open.counts()
    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert half_open.state is CircuitState.HALF_OPEN
    assert half_open.counts() == before
    half_open(int)()
    assert half_open.state.value == "closed"


async def test_a_cancelled_call_leaves_the_row_of_failures_as_it_is(breaker: CircuitBreaker) -> None:
    for error in (None, None, asyncio.CancelledError(), KeyboardInterrupt(), None):
        with pytest.raises(BaseException), breaker:  # noqa: B017, PT011 - whatever was raised comes out
            fail(error)
    assert breaker.state is CircuitState.OPEN


def test_a_refusal_of_a_breaker_further_in_is_no_outcome(breaker: CircuitBreaker) -> None:
    outer = CircuitBreaker("shop", failure_threshold=1)
    break_open(breaker)
    with pytest.raises(CircuitOpenError), outer, breaker:
        pass
    assert (outer.state, outer.counts().failures, outer.counts().successes) == (CircuitState.CLOSED, 0, 0)


async def test_a_block_that_is_left_by_another_task_is_settled(half_open: CircuitBreaker) -> None:
    @asynccontextmanager
    async def connection() -> AsyncIterator[None]:
        async with half_open:
            yield

    entered = connection()
    await asyncio.create_task(entered.__aenter__())
    await asyncio.create_task(entered.__aexit__(None, None, None))
    assert half_open.state is CircuitState.CLOSED


def test_a_forgotten_generator_gives_its_trial_back(half_open: CircuitBreaker) -> None:
    def rows() -> Iterator[int]:
        with half_open:
            yield 1

    for _ in rows():
        break
    gc.collect()
    half_open(int)()
    assert half_open.state is CircuitState.CLOSED


def test_a_question_that_raises_is_heard_and_takes_no_trial_along(clock: FixedClock) -> None:
    def ask(error: Exception) -> bool:
        if asking.state is CircuitState.HALF_OPEN:
            raise ZeroDivisionError
        return True

    asking = CircuitBreaker("gateway", failure_threshold=1, on=ask, reset_timeout=1, clock=clock.monotonic)
    break_open(asking)
    clock.advance(1)
    with pytest.raises(ZeroDivisionError):
        asking(fail)()
    asking(int)()
    assert asking.state.value == "closed"


def test_the_function_keeps_its_name_and_its_types(breaker: CircuitBreaker) -> None:
    @breaker
    def count(table: str, *, limit: int = 5) -> int:
        """Rows of a table."""
        return limit

    @breaker
    async def name_of(key: int) -> str:
        return str(key)

    assert_type(count("orders", limit=3), int)
    assert (count.__name__, count.__doc__) == ("count", "Rows of a table.")
    assert_type(asyncio.run(name_of(1)), str)


def test_what_it_could_not_guard_is_refused(breaker: CircuitBreaker) -> None:
    def rows() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        breaker(rows)


@pytest.mark.parametrize("start", [lambda ask: ask(), lambda ask: asyncio.ensure_future(ask())])
async def test_a_plain_function_that_returns_an_awaitable_ends_with_it(
    start: Callable[[Any], Any], breaker: CircuitBreaker, half_open: CircuitBreaker
) -> None:
    answers = [fail, lambda: None]

    async def ask() -> None:
        answers.pop()()

    call: Callable[[], Any] = breaker(lambda: start(ask))
    waiting = call()
    with pytest.raises(CircuitOpenError):  # the one trial is still under way
        call()
    await waiting
    assert breaker.state is CircuitState.CLOSED
    with pytest.raises(ConnectionResetError):
        await call()
    await asyncio.sleep(0)
    assert breaker.counts().failures_in_a_row == 1


@pytest.mark.parametrize(
    ("figure", "value"),
    [("failure_threshold", 0), ("trials", 0), ("reset_timeout", 0), ("reset_timeout", -1)],
)
def test_figures_that_cannot_be_are_refused_by_name(figure: str, value: int) -> None:
    with pytest.raises(ValueError, match=figure):
        CircuitBreaker("gateway", **{figure: value})  # type: ignore[arg-type]  # by name, as the case has it


def test_the_error_can_be_pickled_for_another_process(breaker: CircuitBreaker) -> None:
    break_open(breaker)
    with pytest.raises(CircuitOpenError) as refused:
        breaker(fail)()
    copy = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - our own bytes
    assert (str(copy), copy.circuit, copy.retry_after_seconds) == (str(refused.value), "gateway", 10)


def test_it_is_public() -> None:
    names = {"CircuitBreaker", "CircuitChange", "CircuitOpenError", "CircuitState"}
    assert names <= set(faultwire.__all__) & set(dir(faultwire))

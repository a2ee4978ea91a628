"""Errors from a signal's handler or a destructor, wherever in the client their thread is just then."""

import asyncio
import logging
import os
import selectors
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from types import CodeType, FrameType
from typing import Any

import pytest
from tests.tools.fake_transport import FakeTransport, until

import faultwire
from faultwire import ErrorManager, SyncErrorManager
from faultwire.process.critical_section import SECTION
from faultwire.publish.publisher import Publisher
from faultwire.queue.ticket import BUFFERED, CONFIRMED, refused

OURS = faultwire.__path__[0]


class Listening(logging.Handler):
    """A handler of the host's: who logs, waits for its lock."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def heard() -> Iterator[Listening]:
    handler = Listening()
    logger = logging.getLogger("faultwire")
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


def lines_about(handler: Listening, error_id: str) -> int:
    return sum(f"error_id={error_id}" in line for line in handler.lines)


async def test_an_interruption_waits_for_nobody_who_waits_for_what_it_interrupted(
    transport: FakeTransport,
) -> None:
    """The other thread hands over an error while it writes to the log, as a handler of the host's may."""
    holds, left = threading.Event(), threading.Event()

    def log_and_hand_over() -> None:
        assert handler.lock is not None
        with handler.lock:
            holds.set()
            errors.handle_error_nowait(ValueError("from within the log"))
        left.set()

    async with ErrorManager(service="shop", transport=lambda: transport) as errors:
        with heard() as handler:
            other = threading.Thread(target=log_and_hand_over)
            with SECTION.lock:
                other.start()
                holds.wait()
                response = errors.handle_error_nowait(ValueError("from a signal's handler"))
                assert (response.state, errors.stats().buffered) == (BUFFERED, 1)
                assert not left.is_set()
            await asyncio.to_thread(other.join)
            await errors.flush(60)
            await until(lambda: lines_about(handler, response.error_id) == 1)
    assert {event.message for event in transport.events} == {"from within the log", "from a signal's handler"}
    assert response.error_id in {event.id for event in transport.events}


class Interrupter:
    """Hands over an error at every instruction of ours that runs in the critical section, once at each."""

    def __init__(self, errors: ErrorManager) -> None:
        self.ids: list[str] = []
        self._errors = errors
        self._seen: set[tuple[CodeType, int]] = set()

    def trace(self, frame: FrameType, event: str, _: object) -> Any:
        if not self.concerns(frame):
            return None
        frame.f_trace_opcodes = True
        place = frame.f_code, frame.f_lasti
        if event == "opcode" and place not in self._seen and self.is_time():
            self._seen.add(place)
            error = ValueError(f"interruption {len(self.ids)}")
            self.ids.append(self._errors.handle_error_nowait(error).error_id)
        return self.trace

    def concerns(self, frame: FrameType) -> bool:
        return frame.f_code.co_filename.startswith(OURS)

    def is_time(self) -> bool:
        return SECTION.is_ours()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        before = sys.gettrace()
        # Python 3.12 gives a tracer instructions only where a frame had asked for them before it came.
        sys._getframe().f_trace_opcodes = True
        sys.settrace(self.trace)
        try:
            yield
        finally:
            sys.settrace(before)


async def test_an_interruption_at_any_instruction_of_the_critical_section_loses_and_invents_nothing(
    transport: FakeTransport,
) -> None:
    errors = ErrorManager(service="shop", transport=lambda: transport, collapse_storms=True)
    interrupter = Interrupter(errors)
    numbers = count(1)
    async with errors:
        with interrupter.at_work():
            for _ in range(40):
                errors.handle_error_nowait(RuntimeError("a burst"))
                errors.handle_error_nowait(ValueError(str(next(numbers))), "critical")
            await errors.flush(60)
            errors.stats()
        await errors.flush(60)
    assert len(interrupter.ids) > 100, "there are so many instructions in there"
    sent = transport.events
    assert set(interrupter.ids) <= {event.id for event in sent}
    assert len({event.id for event in sent}) == len(sent)
    assert sum(event.count for event in sent) == errors.stats().handled == 80 + len(interrupter.ids)
    assert (errors.stats().buffered, errors.stats().lost) == (0, {})
    assert sorted(event.sequence or 0 for event in sent) == list(range(1, len(sent) + 1))


class InterrupterOfWaiting(Interrupter):
    """Hands over an error, each time it was armed, at an instruction of a publisher that looks for work."""

    is_armed = False

    def concerns(self, frame: FrameType) -> bool:
        lane = Publisher._run_lane.__code__
        asks = frame.f_code in (asyncio.Event.wait.__code__, asyncio.Event.clear.__code__)
        return frame.f_code is lane or (asks and frame.f_back is not None and frame.f_back.f_code is lane)

    def is_time(self) -> bool:
        was_armed, self.is_armed = self.is_armed, False
        return was_armed


async def test_an_interruption_of_a_publisher_that_goes_to_sleep_wakes_it(transport: FakeTransport) -> None:
    """By a destructor in the loop's own thread, with nothing after it that would wake the publisher."""
    async with ErrorManager(service="shop", transport=lambda: transport, collapse_storms=False) as errors:
        interrupter, before = InterrupterOfWaiting(errors), -1
        with interrupter.at_work():
            while len(interrupter.ids) > before:
                before, interrupter.is_armed = len(interrupter.ids), True
                errors.handle_error_nowait(ValueError("an error"))
                assert await errors.flush(60), "the interruption waits for an event that wakes"
    assert len(interrupter.ids) > 30, "there are so many instructions in there"
    assert set(interrupter.ids) <= {event.id for event in transport.events}


class InterruptedSelector(selectors.SelectSelector):
    """Once asked to, it gets a signal while it waits, and notes whether something ended its waiting then."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = False
        self.was_ended: bool | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if not self.is_asked or timeout == 0:
            return super().select(timeout)
        self.is_asked = False
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        found = super().select(5 if timeout is None else timeout)
        self.was_ended = bool(found)
        return found


@pytest.mark.may_block("has a loop of its own")
def test_a_signals_handler_wakes_a_loop_that_waits_for_the_network(transport: FakeTransport) -> None:
    """Its thread is within the selector's call, which goes on after the handler."""
    selector = InterruptedSelector()

    async def be_interrupted() -> None:
        arrived = asyncio.Event()
        transport.refuses = lambda _: arrived.set()
        async with ErrorManager(service="shop", transport=lambda: transport) as errors:
            signal.signal(
                signal.SIGUSR1, lambda *_: errors.handle_error_nowait(ValueError("signal")) and None
            )
            selector.is_asked = True
            async with asyncio.timeout(60):
                await arrived.wait()

    before = signal.getsignal(signal.SIGUSR1)
    try:
        with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
            runner.run(be_interrupted())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert selector.was_ended


async def test_what_is_left_out_is_counted_when_it_comes_by_an_interruption_too() -> None:
    errors = ErrorManager(service="shop", transport=FakeTransport, ignore_errors=[KeyError])
    with SECTION.lock:
        response = errors.handle_error_nowait(KeyError("left out"))
    await until(lambda: response.state == refused("ignored"))  # it is counted before the caller is told
    assert (errors.stats().lost, errors.stats().handled) == ({"ignored": 1}, 1)


@pytest.mark.may_block("has no loop")
def test_an_interruption_does_not_wait_for_the_confirm_that_it_asked_for() -> None:
    with SyncErrorManager(service="shop", transport=FakeTransport, confirm_timeout=3600) as errors:
        with SECTION.lock:
            response = errors.handle_error(ValueError("in a destructor"), durability="confirmed")
            assert response.state is BUFFERED
        assert response.wait_delivered(60) is CONFIRMED


@pytest.mark.may_block("waits as a host without a loop does")
def test_what_interrupted_is_handed_over_at_the_close_when_the_system_gives_no_thread(
    transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_new_thread(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    with SyncErrorManager(service="shop", transport=lambda: transport) as errors:
        with SECTION.lock, monkeypatch.context() as poor:
            poor.setattr("faultwire.pipeline.deferred._thread.start_new_thread", start_new_thread)
            response = errors.handle_error(ValueError("at the end"))
        assert errors.stats().buffered == 1
    assert [event.id for event in transport.events] == [response.error_id]

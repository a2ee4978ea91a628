"""Errors from a signal's handler or a destructor, wherever in the client their thread is just then."""

import asyncio
import logging
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
        if not frame.f_code.co_filename.startswith(OURS):
            return None
        frame.f_trace_opcodes = True
        place = frame.f_code, frame.f_lasti
        if event == "opcode" and place not in self._seen and SECTION.is_ours():
            self._seen.add(place)
            error = ValueError(f"interruption {len(self.ids)}")
            self.ids.append(self._errors.handle_error_nowait(error).error_id)
        return self.trace

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

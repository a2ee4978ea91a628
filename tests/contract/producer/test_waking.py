"""Who is woken for an event: the publisher's loop once a burst, the spool's thread when something is due."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager
from faultwire.audit.loss import Losses
from faultwire.queue.buffer import Buffer
from faultwire.queue.directory import SpoolDirectory
from faultwire.queue.file import SpoolLimit
from faultwire.queue.keeper import AGE_SECONDS, SpoolKeeper
from faultwire.queue.ticket import SPOOLED, Ticket
from faultwire_shared.event import Lane

pytestmark = pytest.mark.may_block("tests look into directories")

BURST = 50


def counted(call: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    def count(*given: Any, **named: Any) -> Any:
        calls.append(threading.get_ident())
        return call(*given, **named)

    return count


async def test_a_burst_from_another_thread_wakes_the_loop_once_and_arrives(
    transport: FakeTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, calls = asyncio.get_running_loop(), list[int]()
    options: dict[str, Any] = {"service": "shop", "collapse_storms": False}
    async with ErrorManager(transport=lambda: transport, **options) as errors:

        def hand_over() -> None:
            for number in range(BURST):
                errors.handle_error_nowait(ValueError(f"order {number}"))

        for _ in range(2):
            with monkeypatch.context() as patched:
                patched.setattr(loop, "call_soon_threadsafe", counted(loop.call_soon_threadsafe, calls))
                other = threading.Thread(target=hand_over)
                other.start()
                other.join()
            assert calls == [other.ident]
            calls.clear()
            assert await errors.flush(60)
    assert len({event.id for event in transport.events}) == 2 * BURST


async def test_a_loop_that_closed_before_it_heard_leaves_nobody_unheard(transport: FakeTransport) -> None:
    errors = ErrorManager(service="shop", transport=lambda: transport, collapse_storms=False)

    def hand_over(text: str) -> None:
        other = threading.Thread(target=errors.handle_error_nowait, args=(ValueError(text),))
        other.start()
        other.join()

    async def first_life() -> None:
        await errors.handle_error(ValueError("first"))
        hand_over("second")

    await asyncio.to_thread(asyncio.run, first_life())
    await errors.handle_error(ValueError("third"))
    hand_over("fourth")
    assert await errors.flush(60)
    assert {event.message for event in transport.events} == {"first", "second", "third", "fourth"}
    await errors.aclose()


class KeepersClock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> KeepersClock:
    return KeepersClock()


@pytest.fixture
def buffer() -> Buffer:
    return Buffer(Losses())


@pytest.fixture
def keeper(buffer: Buffer, clock: KeepersClock, tmp_path: Path) -> Iterator[SpoolKeeper]:
    directory = SpoolDirectory(str(tmp_path / "spool"))
    keeper = SpoolKeeper(directory, "shop", buffer, limit=SpoolLimit(), clock=clock)
    assert keeper.leisure() == 0.0, "the file is still to be made"
    keeper.work([], everything=False)
    yield keeper
    keeper.close()


def put(buffer: Buffer) -> Ticket:
    ticket = Ticket(event_id="error_20261201_aaaaaaaaaaaaaaaa", body=b"{}", lane=Lane.HIGH, rank=3)
    assert buffer.put(ticket)
    return ticket


def test_a_new_event_leaves_the_spools_thread_alone_until_it_is_due(
    keeper: SpoolKeeper, buffer: Buffer, clock: KeepersClock
) -> None:
    assert 0.0 < keeper.leisure() <= AGE_SECONDS
    ticket = put(buffer)
    assert 0.0 < keeper.leisure() <= AGE_SECONDS
    clock.ahead = AGE_SECONDS
    assert keeper.leisure() == 0.0
    keeper.work([], everything=False)
    assert ticket.state is SPOOLED
    assert keeper.leisure() == 0.0, "what is on disk waits to be published, or deleted"


def test_an_event_under_way_is_looked_for_too(
    keeper: SpoolKeeper, buffer: Buffer, clock: KeepersClock
) -> None:
    put(buffer)
    buffer.take(Lane.HIGH)
    clock.ahead = AGE_SECONDS
    assert keeper.leisure() == 0.0


def test_with_nobody_to_publish_to_there_is_no_leisure(keeper: SpoolKeeper, buffer: Buffer) -> None:
    put(buffer)
    buffer.is_away = True
    assert keeper.leisure() == 0.0

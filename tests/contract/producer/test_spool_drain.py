"""Draining by hand: what a dead process left is published under its lock, by whoever runs the command."""

import asyncio
import random
from pathlib import Path

import pytest
from tests.tools.fake_transport import FakeTransport
from tests.tools.spool_bench import CRITICAL, LOW, SpoolBench, leave_orphan, spooling
from tests.tools.spool_damage import flip
from tests.tools.spool_reader import spooled_ids

from faultwire.publish.drain import Drain, drain
from faultwire.publish.transport import Busy, Refused, TransportDown
from faultwire.queue.directory import SpoolDirectory

pytestmark = pytest.mark.may_block("looks into directories")

EVENTS = 620


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A directory with one orphan."""
    with spooling(tmp_path / "source") as bench:
        fill(bench)
        leave_orphan(tmp_path / "source", tmp_path / "left")
    return tmp_path / "left"


def fill(bench: SpoolBench) -> None:
    for number in range(EVENTS):
        severity = CRITICAL if number % 10 == 9 else LOW
        bench.hand(severity, body=b'{"number": %d}' % number, event_id=f"event-{number}", wait=False)
    bench.flush()


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def names(directory: Path) -> list[str]:
    return [path.name for path in files(directory)]


async def drained(directory: Path, transport: FakeTransport) -> Drain:
    result = Drain()
    await drain(SpoolDirectory(str(directory)), "shop", transport, result=result)
    return result


async def test_every_event_is_published_and_the_file_goes(left: Path) -> None:
    transport = FakeTransport()
    result = await drained(left, transport)
    assert result == Drain(files=1, published=EVENTS)
    assert names(left) == []
    assert sum(message.body.count(b"number") for message in transport.messages) == EVENTS
    assert {message.routing_key for message in transport.messages} == {
        "event.critical.system.shop",
        "event.low.system.shop",
    }


async def test_a_second_drain_finds_nothing(left: Path) -> None:
    await drained(left, FakeTransport())
    assert await drained(left, FakeTransport()) == Drain()


async def test_a_file_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    with spooling(tmp_path / "s") as bench:
        await asyncio.to_thread(fill, bench)
        assert await drained(tmp_path / "s", FakeTransport()) == Drain()
        assert len(spooled_ids(tmp_path / "s")) == EVENTS


async def test_what_was_not_confirmed_stays_and_the_next_drain_goes_on(left: Path) -> None:
    transport = FakeTransport()
    transport.answers.extend([*[None] * 11, TransportDown("gone")])
    with pytest.raises(TransportDown):
        await drained(left, transport)
    assert len(spooled_ids(left)) == 120, "the first chunk of 500 is published and deleted"
    assert await drained(left, FakeTransport()) == Drain(files=1, published=120)


async def test_a_drain_that_is_interrupted_lets_go_of_the_file(left: Path) -> None:
    transport = FakeTransport()
    transport.hold()
    task = asyncio.create_task(drained(left, transport))
    async with asyncio.timeout(60):
        while not transport.attempts:  # noqa: ASYNC110 - the fake sets no event
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await drained(left, FakeTransport()) == Drain(files=1, published=EVENTS)


async def test_a_busy_broker_is_waited_for(left: Path) -> None:
    transport = FakeTransport()
    transport.answers.extend([Busy("full", after_seconds=0.001)] * 5)
    assert await drained(left, transport) == Drain(files=1, published=EVENTS)


async def test_a_broker_that_stays_busy_ends_the_drain(left: Path) -> None:
    transport = FakeTransport()
    transport.refuses = lambda message: Busy("full", after_seconds=0.001)
    with pytest.raises(Busy):
        await drained(left, transport)
    assert len(spooled_ids(left)) == EVENTS


async def test_an_event_that_is_refused_stays_on_disk_alone(left: Path) -> None:
    transport = FakeTransport()
    transport.refuses = lambda message: Refused("no") if b'"number": 77}' in message.body else None
    assert await drained(left, transport) == Drain(published=EVENTS - 1, refused=1)
    assert spooled_ids(left) == {"event-77"}


async def test_what_can_be_salvaged_of_a_damaged_file_is_published_and_the_rest_counted(left: Path) -> None:
    log = next(path for path in files(left) if path.name.endswith("-wal"))
    # Not its end: which numbers the last events had, nobody could tell.
    flip(log, random.Random(5), 60, first=32, last=log.stat().st_size * 3 // 4)
    result = await drained(left, FakeTransport())
    assert result.published + result.lost == EVENTS
    assert 0 < result.lost < 60
    assert sum(".corrupt-" in name for name in names(left)) == 2

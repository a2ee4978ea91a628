"""The spool: what is accepted survives its process, and the sums are right."""

import asyncio
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager
from faultwire.publish.transport import Busy, Refused, TransportDown

pytestmark = pytest.mark.may_block("tests look into directories")

Make = Callable[..., ErrorManager]


@pytest.fixture
def make(transport: FakeTransport, tmp_path: Path) -> Make:
    def make(**options: Any) -> ErrorManager:
        given: dict[str, Any] = {"service": "shop", "spool_path": tmp_path / "spool", "shutdown_timeout": 0.6}
        given.update(options)
        return ErrorManager(transport=lambda: transport, **given)

    return make


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition belongs to another thread
            await asyncio.sleep(0.002)


def adds_up(errors: ErrorManager) -> bool:
    stats = errors.stats()
    known = stats.confirmed + stats.spooled + sum(stats.lost.values()) + stats.buffered
    return stats.handled + stats.adopted == known


def ids(transport: FakeTransport) -> list[str]:
    return [event.id for event in transport.events]


async def test_spooled_returns_when_the_event_is_on_disk(make: Make, transport: FakeTransport) -> None:
    transport.hold()
    async with make() as errors:
        response = await errors.handle_error(ValueError("x"), durability="spooled")
        assert response.state.state == "spooled"
        assert response.state.accepted
        assert errors.stats().spooled == 1
        assert adds_up(errors)


async def test_what_is_confirmed_after_it_was_spooled_becomes_confirmed_and_leaves_the_disk(
    make: Make, transport: FakeTransport, tmp_path: Path
) -> None:
    transport.hold()
    async with make() as errors:
        response = await errors.handle_error(ValueError("x"), durability="spooled")
        transport.release()
        await eventually(lambda: response.state.state == "confirmed")
        assert await errors.flush(60)
        assert (errors.stats().confirmed, errors.stats().spooled) == (1, 0)
        assert adds_up(errors)
    assert list((tmp_path / "spool").iterdir()) == []
    assert ids(transport) == [response.error_id]


@pytest.mark.parametrize("failure", [TransportDown("gone"), Busy("full")])
async def test_a_buffered_event_that_is_not_confirmed_soon_goes_to_disk_by_itself(
    make: Make, transport: FakeTransport, failure: Exception
) -> None:
    transport.refuses = lambda message: failure
    async with make() as errors:
        responses = [errors.handle_error_nowait(ValueError(str(n))) for n in range(120)]
        states = {(await response.delivered(60)).state for response in responses}
        assert states == {"spooled"}
        assert errors.stats().buffered == 0
        assert adds_up(errors)


async def test_confirmed_waits_its_time_and_then_says_spooled(make: Make, transport: FakeTransport) -> None:
    transport.hold()
    async with make(confirm_timeout=0.1) as errors:
        response = await errors.handle_error(ValueError("x"), durability="confirmed")
        assert response.state.state == "spooled"


async def test_confirmed_waits_past_the_disk_for_the_broker(make: Make, transport: FakeTransport) -> None:
    transport.hold()
    async with make(confirm_timeout=20) as errors:
        waiting = asyncio.create_task(errors.handle_error(ValueError("x"), durability="confirmed"))
        await eventually(lambda: errors.stats().spooled == 1)
        transport.release()
        assert (await waiting).state.state == "confirmed"


async def test_what_one_process_left_the_next_one_of_the_service_publishes(
    make: Make, transport: FakeTransport, tmp_path: Path
) -> None:
    transport.hold()
    async with make() as errors:
        left = [errors.handle_error_nowait(ValueError(str(n))).error_id for n in range(700)]
    assert errors.stats().spooled == 700
    assert errors.stats().lost == {}
    transport.release()
    async with make() as heir:
        await eventually(lambda: heir.stats().confirmed == 700)
        assert heir.stats().adopted == 700
        assert adds_up(heir)
    assert set(left) <= set(ids(transport))
    assert list((tmp_path / "spool").iterdir()) == []


async def test_what_another_service_left_is_not_touched(make: Make, transport: FakeTransport) -> None:
    transport.hold()
    async with make(service="shop-eu") as errors:
        errors.handle_error_nowait(ValueError("x"))
    transport.release()
    async with make(service="shop") as other:
        response = await other.handle_error(ValueError("y"), durability="confirmed")
        assert other.stats().adopted == 0
    assert ids(transport) == [response.error_id]


async def test_the_spool_is_drained_critical_first(make: Make, transport: FakeTransport) -> None:
    transport.hold()
    async with make() as errors:
        for severity in ("low", "high", "critical", "medium"):
            errors.handle_error_nowait(ValueError(severity), severity)
    transport.release()
    async with make() as heir:
        await eventually(lambda: heir.stats().confirmed == 4)
    order = [event.severity.value for event in transport.events[-4:]]
    assert order == ["critical", "high", "medium", "low"]


async def test_a_row_that_is_refused_five_times_is_set_aside_and_holds_up_nobody(
    make: Make, transport: FakeTransport, caplog: pytest.LogCaptureFixture
) -> None:
    transport.hold()
    async with make() as errors:
        for text in ("good", "poison", "fine"):
            errors.handle_error_nowait(ValueError(text))
    transport.release()
    transport.attempts.clear()
    transport.refuses = lambda message: Refused("bad") if b"poison" in message.body else None
    async with make() as heir:
        await eventually(lambda: heir.stats().confirmed == 2)
        await eventually(lambda: "event.set_aside" in caplog.text)
        assert heir.stats().spooled == 1
        assert adds_up(heir)
        later = await heir.handle_error(ValueError("later"), durability="confirmed")
        assert later.state.state == "confirmed"
    alone = [each for each in transport.attempts if b"poison" in each.body and each.event_id is not None]
    assert len(alone) == 5


async def test_the_directory_and_its_files_are_the_users_alone(
    make: Make, transport: FakeTransport, tmp_path: Path
) -> None:
    transport.hold()
    old = os.umask(0)
    try:
        async with make() as errors:
            await errors.handle_error(ValueError("x"), durability="spooled")
            files = list((tmp_path / "spool").iterdir())
            assert len(files) >= 2
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
            assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    finally:
        os.umask(old)


async def test_an_empty_path_means_memory_only(make: Make, transport: FakeTransport) -> None:
    transport.hold()
    async with make(spool_path="") as errors:
        response = errors.handle_error_nowait(ValueError("x"))
        assert (await response.delivered(0.1)).state == "buffered"
        transport.release()


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield

"""The ledger: what a killed process numbered and lost, its heir says."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager
from faultwire.audit.ledger import LEDGER_BYTES, Ledger, create, inherit
from faultwire.publish.transport import TransportDown
from faultwire_shared.producer_report import LostRange, ProducerReport

pytestmark = pytest.mark.may_block("tests look into directories")

KILLED = """
import asyncio, os, signal, sys
from faultwire import ErrorManager
from tests.tools.fake_transport import FakeTransport

async def main():
    transport = FakeTransport()
    transport.hold()
    async with ErrorManager(service="shop", spool_path=sys.argv[1], transport=lambda: transport) as errors:
        while errors._parts.account._ledger is None:
            await asyncio.sleep(0.01)
        for number in range(7):
            errors.handle_error_nowait(ValueError(str(number)))
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


def manager(transport: FakeTransport, spool: Path, **options: Any) -> ErrorManager:
    return ErrorManager(
        service="shop",
        spool_path=spool,
        shutdown_timeout=1.0,
        transport=lambda: transport,
        **options,
    )


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition belongs to another thread or process
            await asyncio.sleep(0.005)


def ledgers(spool: Path) -> list[Path]:
    return sorted(spool.glob("*.ledger"))


def entries(spool: Path) -> list[str]:
    return [path.name for path in spool.iterdir()]


def report(**fields: Any) -> ProducerReport:
    given: dict[str, Any] = {"producer_id": "p1", "service": "shop", "last_sequence": 4}
    return ProducerReport(started_at=datetime(2026, 11, 23, tzinfo=UTC), **given | fields)


async def test_a_process_that_is_killed_leaves_its_last_number_to_its_heir(
    transport: FakeTransport, spool: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(spool)]
    killed = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    async with manager(transport, spool):
        await eventually(lambda: bool(transport.reports))
    assert [one.last_sequence for one in transport.reports] == [7]
    assert transport.reports[0].service == "shop"
    assert ledgers(spool) == []


async def test_the_last_word_that_could_not_be_said_is_said_by_the_next_process(
    transport: FakeTransport, spool: Path
) -> None:
    transport.open_answers.extend([TransportDown("away")] * 1_000)
    async with manager(
        transport, spool, processors=[lambda event: event if event.handled else None]
    ) as errors:
        errors.handle_error_nowait(ValueError("kept"))
        errors.handle_error_nowait(ValueError("dropped"), handled=False)
        await eventually(lambda: bool(ledgers(spool)))
    assert transport.reports == []
    transport.open_answers.clear()
    async with manager(transport, spool) as heir:
        await eventually(lambda: heir.stats().confirmed == 1)
    last = transport.reports[-1]
    assert (last.last_sequence, last.spool_depth) == (1, 0)
    assert last.lost == [LostRange(reason="dropped_by_processor", count=1, first=0, last=0)]
    assert entries(spool) == []


async def test_a_process_that_said_everything_leaves_nothing(transport: FakeTransport, spool: Path) -> None:
    async with manager(transport, spool) as errors:
        await eventually(lambda: bool(ledgers(spool)))
        await errors.handle_error(ValueError("x"), durability="confirmed")
    assert [one.last_sequence for one in transport.reports] == [1]
    assert entries(spool) == []


def test_a_ledger_is_inherited_once_and_only_from_the_dead(spool: Path) -> None:
    mine = create(str(spool), "shop", report())
    assert mine is not None
    mine.cell[0] = 9
    assert list(inherit(str(spool), "shop")) == []
    mine.close(remove=False)
    assert list(inherit(str(spool), "other")) == []
    (found,) = inherit(str(spool), "shop")
    assert list(inherit(str(spool), "shop")) == []
    assert found.read() == report(last_sequence=9)
    found.close(remove=True)
    assert ledgers(spool) == []


def test_a_report_that_does_not_fit_goes_without_its_losses(spool: Path) -> None:
    lost = [LostRange(reason="x" * 200, count=1, first=n, last=n) for n in range(200)]
    ledger = create(str(spool), "shop", report(lost=lost))
    assert ledger is not None
    assert ledger.read() == report()
    ledger.close(remove=True)


@pytest.mark.parametrize("at", [0, 16, 20, 40])
def test_a_ledger_with_a_wrong_byte_says_nothing(spool: Path, at: int) -> None:
    ledger = create(str(spool), "shop", report())
    assert ledger is not None
    data = bytearray(Path(ledger.path).read_bytes())
    data[at] ^= 0xFF
    Path(ledger.path).write_bytes(data)
    assert ledger.read() is None
    ledger.close(remove=True)


async def test_what_is_no_ledger_is_not_followed(spool: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(LEDGER_BYTES))
    (spool / "shop-1-00000000.ledger").symlink_to(outside)
    (spool / "shop-1-00000001.ledger").write_bytes(b"short")
    assert list(inherit(str(spool), "shop")) == []
    assert outside.exists()


async def test_a_forked_child_is_a_producer_of_its_own(transport: FakeTransport, spool: Path) -> None:
    async with manager(transport, spool) as errors:
        await eventually(lambda: bool(ledgers(spool)))
        errors.handle_error_nowait(ValueError("x"))
        child = os.fork()
        if not child:  # pragma: no cover - another process
            errors.handle_error_nowait(ValueError("child"))
            os._exit(0)
        await asyncio.to_thread(os.waitpid, child, 0)
        assert len(ledgers(spool)) == 1
        assert list(inherit(str(spool), "shop")) == []
        errors.handle_error_nowait(ValueError("y"))
    assert [one.last_sequence for one in transport.reports] == [2]


async def test_without_a_directory_there_is_no_ledger(transport: FakeTransport) -> None:
    errors = ErrorManager(service="shop", spool_path="", transport=lambda: transport)
    async with errors:
        errors.handle_error_nowait(ValueError("x"))
    assert [one.last_sequence for one in transport.reports] == [1]


def test_a_half_made_ledger_is_cleared_away(spool: Path) -> None:
    path = spool / "shop-1-00000002.ledger"
    path.write_bytes(bytes(LEDGER_BYTES))
    (found,) = inherit(str(spool), "shop")
    assert isinstance(found, Ledger)
    assert found.read() is None
    found.close(remove=True)

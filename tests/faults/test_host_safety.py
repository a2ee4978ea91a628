"""The host is never hurt: 10,000 errors while the broker is away, frozen or blocked, or the disk is full."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
from tests.faults import harried
from tests.faults.far_side import through
from tests.faults.proxy import proxy_to
from tests.servers.process import reserve_port
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.servers.worker import clean_environment

CALLS: Final = 10_000
GROWTH_MIB: Final = 32
SMALL_DISK_BYTES: Final = 256 * 1024

Felt = dict[str, Any]
Harm = Callable[[], Awaitable[None]]

pytestmark = [pytest.mark.may_block("starts a host's process"), pytest.mark.timeout(240)]


async def harry(url: str, home: Path, harm: Harm | None = None, *, disk_bytes: int | None = None) -> Felt:
    """Run the host; do harm when its manager has started."""
    arguments = [url, str(home / "spool"), str(CALLS), *([str(disk_bytes)] if disk_bytes else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        harried.__file__,
        *arguments,
        env=clean_environment(home),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if line == b"ready\n" and harm is not None:
            await harm()
        output, complaints = await process.communicate(b"go\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    felt: Felt = json.loads(output)
    print({name: round(value, 2) if isinstance(value, float) else value for name, value in felt.items()})
    return felt


def assert_unhurt(felt: Felt) -> None:
    """Nothing raised, nothing unaccounted for, and memory within its bound."""
    assert felt["mistakes"] == []
    assert felt["handled"] == CALLS + harried.WARM_UP
    kept = felt["confirmed"] + felt["spooled"] + felt["buffered"]
    assert kept + sum(felt["lost"].values()) == felt["handled"]
    assert felt["grown_mib"] < GROWTH_MIB


def assert_little_lost(felt: dict[str, Any]) -> None:
    """A tight loop may outrun any disk, and one that is full; memory alone holds more than half."""
    assert set(felt["lost"]) <= {"buffer_full"}
    assert sum(felt["lost"].values()) < felt["handled"] / 2


@pytest.mark.parametrize("scheme", ["amqp", pytest.param("http", marks=pytest.mark.e2e)])
async def test_while_the_broker_is_away_events_go_to_disk_and_what_outruns_it_is_counted(
    tmp_path: Path, scheme: str
) -> None:
    felt = await harry(f"{scheme}://127.0.0.1:{reserve_port()}/", tmp_path)
    assert_unhurt(felt)
    assert_little_lost(felt)


@pytest.mark.e2e
@pytest.mark.parametrize("disk_bytes", [None, SMALL_DISK_BYTES], ids=["disk", "full disk"])
async def test_a_black_hole_is_no_harm(broker: RabbitMQ, tmp_path: Path, disk_bytes: int | None) -> None:
    async with proxy_to(broker.port) as proxy:

        async def swallow() -> None:
            proxy.swallow()

        felt = await harry(through(broker.url, proxy), tmp_path, swallow, disk_bytes=disk_bytes)
    assert_unhurt(felt)
    assert_little_lost(felt)


@pytest.mark.e2e
@pytest.mark.parametrize("disk_bytes", [None, SMALL_DISK_BYTES], ids=["disk", "full disk"])
@pytest.mark.parametrize("is_frozen", [True, False], ids=["frozen", "blocked"])
async def test_a_broker_that_takes_nothing_is_no_harm(
    private_broker: PrivateRabbitMQ, tmp_path: Path, *, disk_bytes: int | None, is_frozen: bool
) -> None:
    async def freeze() -> None:
        await asyncio.to_thread(private_broker.pause)

    async def block() -> None:
        await private_broker.control("set_vm_memory_high_watermark", "absolute", "1")

    harm = freeze if is_frozen else block
    felt = await harry(private_broker.url, tmp_path, harm, disk_bytes=disk_bytes)
    assert_unhurt(felt)
    assert_little_lost(felt)


async def test_without_broker_and_disk_memory_stays_bounded_and_what_has_no_room_is_counted(
    tmp_path: Path,
) -> None:
    felt = await harry(f"amqp://127.0.0.1:{reserve_port()}/", tmp_path, disk_bytes=SMALL_DISK_BYTES)
    assert_unhurt(felt)
    assert set(felt["lost"]) == {"buffer_full"}

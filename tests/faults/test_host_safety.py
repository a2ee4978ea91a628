"""The host is never hurt: 10,000 errors while the broker is away, frozen or blocked, or the disk is full."""

from pathlib import Path

import pytest
from tests.faults.far_side import through
from tests.servers.process import reserve_port
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.tools.harrying import SMALL_DISK_BYTES, Felt, assert_unhurt, harm_to, harry
from tests.tools.proxy import proxy_to

pytestmark = [pytest.mark.may_block("starts a host's process"), pytest.mark.timeout(240)]


def assert_little_lost(felt: Felt) -> None:
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
@pytest.mark.parametrize("kind", ["frozen", "blocked"])
async def test_a_broker_that_takes_nothing_is_no_harm(
    private_broker: PrivateRabbitMQ, tmp_path: Path, kind: str, disk_bytes: int | None
) -> None:
    felt = await harry(private_broker.url, tmp_path, harm_to(private_broker, kind), disk_bytes=disk_bytes)
    assert_unhurt(felt)
    assert_little_lost(felt)


async def test_without_broker_and_disk_memory_stays_bounded_and_what_has_no_room_is_counted(
    tmp_path: Path,
) -> None:
    felt = await harry(f"amqp://127.0.0.1:{reserve_port()}/", tmp_path, disk_bytes=SMALL_DISK_BYTES)
    assert_unhurt(felt)
    assert set(felt["lost"]) == {"buffer_full"}

"""The client before a network that fails: one suite for RabbitMQ and for the HTTP intake."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.faults.far_side import FarSide, intake_side, rabbitmq_side
from tests.faults.host import PATIENCE_SECONDS, Host, hosting, said
from tests.tools.waiting import until

from faultwire import ErrorManager

pytestmark = pytest.mark.may_block("the host looks into its spool's directory")

EVENTS = 70
"""More than one batch."""

LONG = [pytest.mark.e2e, pytest.mark.timeout(600)]

Log = pytest.LogCaptureFixture


class Line(NamedTuple):
    """How slow, and how much has to go through it."""

    events: int
    bytes_per_second: float
    delay_seconds: float

    def __str__(self) -> str:
        return f"{self.bytes_per_second / 1000:g} KB/s"


@pytest.fixture(params=["amqp", "http"])
async def side(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FarSide]:
    if request.param == "amqp":
        async with rabbitmq_side(request.getfixturevalue("rabbitmq"), tmp_path) as side:
            yield side
    else:
        async with intake_side(tmp_path) as side:
            yield side


@pytest.mark.line(1)
async def test_a_network_that_is_away_at_the_start_costs_no_event(
    side: FarSide, tmp_path: Path, caplog: Log
) -> None:
    side.proxy.accepts = False
    async with hosting(side.url, tmp_path, caplog) as host:
        host.report(EVENTS)
        await host.is_accepted()
        assert host.spooled == EVENTS
        side.proxy.accepts = True
        host.report(EVENTS, "critical")
    await side.assert_stored_once(host)


@pytest.mark.line(1)
async def test_a_network_that_goes_while_connected_costs_no_event(
    side: FarSide, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(side.url, tmp_path, caplog) as host:
        host.report(EVENTS)
        await host.is_confirmed()
        side.proxy.accepts = False
        side.proxy.reset()
        for severity in ("critical", "high", "low"):
            host.report(EVENTS, severity)
        await host.is_accepted()
        assert host.spooled == 3 * EVENTS
        side.proxy.heal()
    assert len(said(caplog, "transport.lost")) == 1
    await side.assert_stored_once(host)


@pytest.mark.line(4)
async def test_a_half_open_connection_costs_no_event(side: FarSide, tmp_path: Path, caplog: Log) -> None:
    async with hosting(side.url, tmp_path, caplog) as host:
        host.report(EVENTS)
        await host.is_confirmed()
        side.proxy.swallow()
        host.report(EVENTS)
        await host.is_accepted()
        assert host.spooled == EVENTS
        side.proxy.heal()
    await side.assert_stored_once(host)


@pytest.mark.line(4)
@pytest.mark.e2e
async def test_a_half_open_connection_is_found_out_and_left_without_a_reset(
    side: FarSide, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(side.url, tmp_path, caplog) as host:
        host.report(EVENTS)
        await host.is_confirmed()
        side.proxy.swallow()
        host.report(EVENTS)
        await host.is_accepted()

        async def given_up() -> bool:
            return bool(said(caplog, "transport.lost"))

        await until(given_up, "the dead connection is given up", seconds=120)
        side.proxy.to_server.swallows = side.proxy.to_client.swallows = False
    await side.assert_stored_once(host)


@pytest.mark.line(5)
async def test_where_only_the_confirms_are_lost_each_event_is_stored_once(
    side: FarSide, tmp_path: Path, caplog: Log
) -> None:
    async with hosting(side.url, tmp_path, caplog) as host:
        host.report(1)
        await host.is_confirmed()
        before = await side.arrived()
        side.proxy.swallow("to_client")
        reported = host.report(EVENTS)
        await host.is_accepted()

        async def has_arrived() -> bool:
            return await side.arrived() > before

        await until(has_arrived, "the other side has some of it")
        assert {response.state.state for response in reported} == {"spooled"}
        side.proxy.heal()
    await side.assert_stored_once(host)


@pytest.mark.line(6)
@pytest.mark.parametrize("cuts", [3, pytest.param(30, marks=LONG)])
async def test_a_reset_in_mid_frame_costs_no_event(
    side: FarSide, tmp_path: Path, caplog: Log, cuts: int
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with hosting(side.url, tmp_path, caplog) as host:
        for _ in range(cuts):
            for way, most in ((side.proxy.to_server, 40_000), (side.proxy.to_client, 500)):
                way.cut_after = chance.randrange(1, most)
                print(f"cut after {way.cut_after}")
                while way.cut_after is not None:
                    host.report(10)
                    await host.is_accepted()
    await side.assert_stored_once(host)


@pytest.mark.line(7)
@pytest.mark.parametrize(
    "line",
    [Line(30, 64_000, 0.1), pytest.param(Line(25, 8_000, 0.5), marks=LONG)],
    ids=str,
)
async def test_a_slow_network_costs_no_event(side: FarSide, tmp_path: Path, caplog: Log, line: Line) -> None:
    async with hosting(side.url, tmp_path, caplog) as host:
        host.report(1)
        await host.is_confirmed()
        side.proxy.to_server.bytes_per_second = line.bytes_per_second
        side.proxy.to_server.delay_seconds = side.proxy.to_client.delay_seconds = line.delay_seconds
        for severity in ("high", "low"):
            host.report(line.events, severity, text="x" * 200)
        await host.is_accepted()
        assert host.spooled
    await side.assert_stored_once(host)


async def test_a_host_that_ends_in_a_black_hole_leaves_its_events_to_the_next_one(
    side: FarSide, tmp_path: Path, caplog: Log
) -> None:
    side.proxy.swallow()
    async with asyncio.timeout(60):
        async with ErrorManager(
            collapse_storms=False, service="shop", broker_url=side.url, spool_path=tmp_path / "spool"
        ) as errors:
            first = Host(errors)
            first.report(EVENTS)
            assert await side.arrived() == 0
    assert {entry.state for entry in first.ledger} == {"spooled"}
    side.proxy.heal()
    async with hosting(side.url, tmp_path, caplog) as heir:

        async def has_published() -> bool:
            return heir.errors.stats().confirmed == EVENTS

        await until(has_published, "what the first one left is published", seconds=PATIENCE_SECONDS)
    await side.assert_stored_once(first, heir)

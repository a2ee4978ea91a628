"""How long an event may be in memory alone: until its confirm is late, and not at all when none can come."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.tools.fake_transport import FakeTransport, until

from faultwire.audit.loss import Losses
from faultwire.publish.outlet import Outlet
from faultwire.publish.transport import TransportDown
from faultwire.queue.buffer import Buffer
from faultwire.queue.spool import Spool
from faultwire.queue.ticket import Ticket
from faultwire_shared.event import Lane

pytestmark = pytest.mark.may_block("closing waits for the spool's thread")


@pytest.fixture(autouse=True)
def _endless_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its age alone no event would go to disk."""
    monkeypatch.setattr("faultwire.queue.keeper.AGE_SECONDS", 1_000.0)
    monkeypatch.setattr("faultwire.queue.keeper.UNDER_WAY_SECONDS", 1_000.0)


def short_delays(most: float) -> Iterator[float]:
    while True:
        yield 0.01


@pytest.fixture
def outlet(transport: FakeTransport, tmp_path: Path) -> Iterator[Outlet]:
    def make_spool(buffer: Buffer) -> Spool:
        return Spool(str(tmp_path / "spool"), "shop", buffer)

    outlet = Outlet(lambda: transport, Losses(), delays=short_delays, make_spool=make_spool)
    yield outlet
    if outlet.spool is not None:
        outlet.spool.close(10)


def ticket() -> Ticket:
    return Ticket(event_id="e", body=b"{}", lane=Lane.HIGH, rank=3, routing_key="key")


async def test_while_the_other_side_is_away_events_go_to_disk_whatever_their_age(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.open_answers.extend([TransportDown("away")] * 100_000)
    one = ticket()
    outlet.put(one)
    assert (await one.wait(60)).state == "spooled"
    await outlet.aclose(1)


async def test_once_it_is_back_events_wait_for_their_confirm_again(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.open_answers.append(TransportDown("away"))
    transport.hold()
    outlet.start()
    await until(lambda: transport.opened == 1)
    one = ticket()
    outlet.put(one)
    assert (await one.wait(0.2)).state == "buffered"
    transport.release()
    assert (await one.wait(60)).state == "confirmed"
    await outlet.aclose(1)


async def test_a_connection_that_breaks_ends_the_patience(outlet: Outlet, transport: FakeTransport) -> None:
    outlet.start()
    await until(lambda: transport.opened == 1)
    transport.hold()
    one = ticket()
    outlet.put(one)
    await until(lambda: bool(transport.attempts))
    transport.open_answers.extend([TransportDown("away")] * 100_000)
    transport.broken.set()
    assert (await one.wait(60)).state == "spooled"
    transport.release()
    await outlet.aclose(1)

"""Trouble with notifications opens an incident of faultwire's own, once for each receiver, and no loop."""

from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select
from tests.contract.test_alert_pace import TWO
from tests.contract.test_dispatcher import Bench
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.domain.outcome import must_return
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.notify.outbox_watch import OutboxWatch
from faultwire_consumer.notify.own_watch import OwnWatch
from faultwire_consumer.notify.sender import Permanent, SendReason, Transient
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.worker.assembly import tell_trouble
from faultwire_shared.codec import EVENT_TYPE

pytestmark = [
    pytest.mark.may_block("a zone's file is read once"),
    pytest.mark.patient("the client publishes in the background"),
]


class Watched(Bench):
    """A bench whose dispatcher reports trouble, as a worker's does."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        super().__init__(store, clock, policy=TWO)
        self.watch = OwnWatch()
        self.dispatcher = self.another(watch=self.watch)
        self.outbox_watch = OutboxWatch(
            store, self.dispatcher, metrics=self.metrics, clock=clock, watch=self.watch
        )

    async def ingest(self, body: bytes, message_type: str = EVENT_TYPE) -> bool:
        delivery = read_delivery(body, message_type, origin="test", handle=None)
        (outcomes,) = await self.pipeline.ingest([delivery])
        return not must_return(outcomes)

    async def own(self) -> Sequence[Any]:
        """The incidents of faultwire's own, as code, title and count."""
        columns = (incidents.c.code, incidents.c.title, incidents.c.count, incidents.c.severity)
        return await self.store.read(
            select(*columns).where(incidents.c.service == "faultwire").order_by(incidents.c.id)
        )

    async def until_own(self, number: int) -> Sequence[Any]:
        """Wait until that many events of faultwire's own are counted."""

        async def are_counted() -> bool:
            return sum(int(row.count) for row in await self.own()) == number

        await until(are_counted, f"{number} events of faultwire's own are counted")
        return await self.own()


@pytest.fixture
async def bench(store: Store, clock: FixedClock) -> AsyncIterator[Watched]:
    bench = Watched(store, clock)
    async with SelfReport(bench.ingest, clock=clock, monotonic=clock.monotonic) as report:
        bench.watch.tell = partial(tell_trouble, report)
        yield bench


async def test_a_receiver_that_gives_up_opens_one_incident_and_never_a_loop(bench: Watched) -> None:
    bench.senders["pager"].answers = [Permanent(SendReason.GONE, "410 Gone")] * 1_000
    await bench.occur("a", "b", "c")
    await bench.turn()
    (own,) = await bench.until_own(1)
    assert own.code == "NOTIFICATION_GIVEN_UP"
    assert "receiver pager was given up, refused: 410 Gone" in own.title
    for _ in range(6):
        await bench.turn(60)
    assert any(one.incidents[0].code == own.code for one in bench.senders["log"].received), "others are told"
    assert any(one.incidents[0].code == own.code for one in bench.senders["pager"].received), "it was tried"
    (own,) = await bench.own()
    assert own.count == 1


async def test_a_missed_deadline_opens_an_incident_that_says_for_whom_and_by_how_much(bench: Watched) -> None:
    await bench.occur("a", "b")
    await bench.turn(45)
    first, second = await bench.until_own(2)
    assert {first.code, second.code} == {"NOTIFICATION_LATE"}
    assert {"log" in first.title, "pager" in first.title} == {True, False}
    assert "critical, 45 s after the time at which it was due" in first.title


async def test_what_waits_on_purpose_is_not_late(bench: Watched) -> None:
    for number in range(12):
        await bench.occur(f"kind {number}")
    await bench.turn(5)
    await bench.occur("kind 0", count=20)
    await bench.occur("one more")
    await bench.turn(1)
    await bench.turn(70)
    await bench.occur("calm", severity="high")
    await bench.turn(230)
    assert await bench.own() == []


async def test_what_failed_before_is_no_missed_deadline(bench: Watched) -> None:
    for sender in bench.senders.values():
        sender.answers = [Transient(SendReason.TIMEOUT)] * 3
    await bench.occur("a")
    for _ in range(5):
        await bench.turn(60)
    assert {row.code for row in await bench.own()} <= {"NOTIFICATION_LATE"}


async def test_a_dispatcher_that_stands_still_opens_an_incident_and_one_for_a_gone_receiver_does_not(
    bench: Watched,
) -> None:
    await bench.occur("a")
    bench.clock.advance(119)
    await bench.outbox_watch.measure()
    assert await bench.own() == []
    bench.clock.advance(2)
    await bench.outbox_watch.measure()
    await bench.outbox_watch.measure()
    (own,) = await bench.until_own(1)
    assert own.code == "DISPATCHER_STALLED"
    bench.senders.clear()
    await bench.outbox_watch.measure()
    assert bench.outbox_watch.overdue_seconds == 0

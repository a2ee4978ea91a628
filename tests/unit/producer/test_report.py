"""When a producer reports, and what it says: no word more than there is to say."""

import asyncio
from datetime import UTC, datetime

import pytest
from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport, no_delays, until

from faultwire.audit.account import Account
from faultwire.audit.loss import Losses, LossReason
from faultwire.audit.report import Identity, Said, build_report, is_due
from faultwire.capture.event import SDK
from faultwire.publish.outlet import Outlet
from faultwire.publish.reporter import Reporter, message_of
from faultwire.publish.transport import Outgoing, TransportDown
from faultwire.queue.buffer import BufferLimit
from faultwire.queue.ticket import Ticket
from faultwire_shared import codec
from faultwire_shared.producer_report import LOST_RANGES, LostRange, ProducerReport

WHO = Identity(
    producer_id="p1",
    service="shop.eu",
    host="web-1",
    started_at=datetime(2026, 11, 23, 12, tzinfo=UTC),
    sdk=SDK,
)
EXACT = LostRange(reason="buffer_full", count=3, first=5, last=7)
LOOSE = LostRange(reason="buffer_full", count=2, first=5, last=7)


class Desk:
    """A reporter whose words are kept, and whose time is the test's."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.losses = Losses(clock=self.clock.monotonic)
        self.account = Account(WHO, self.losses)
        self.said: list[ProducerReport] = []
        self.is_there = True
        self.reporter = Reporter(self.account, self.say, clock=self.clock.monotonic)

    async def say(self, message: Outgoing) -> bool:
        if self.is_there:
            assert (message.message_type, message.routing_key) == (codec.PRODUCER_TYPE, "producer.shop_eu")
            self.said.append(codec.decode_report(message.body))
        return self.is_there

    async def look(self, seconds: float = 0) -> int:
        """Look so much later; how many reports there were so far."""
        self.clock.advance(seconds)
        await self.reporter.look()
        return len(self.said)


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_producer_without_events_says_nothing(desk: Desk) -> None:
    assert [await desk.look(60) for _ in range(3)] == [0, 0, 0]


async def test_it_reports_every_thirty_seconds_while_there_is_news_and_then_is_silent(desk: Desk) -> None:
    desk.account.next_number()
    assert [await desk.look(29), await desk.look(1), await desk.look(300)] == [0, 1, 1]
    desk.account.next_number()
    assert [await desk.look(), await desk.look(29), await desk.look(1)] == [2, 2, 2]
    assert [report.last_sequence for report in desk.said] == [1, 2]
    assert desk.said[1].host == "web-1"


async def test_a_loss_is_said_after_five_seconds(desk: Desk) -> None:
    desk.account.next_number()
    desk.losses.count(LossReason.BUFFER_FULL, numbers=[("p1", 1)])
    assert [await desk.look(4), await desk.look(1), await desk.look(60)] == [0, 1, 1]
    desk.losses.count(LossReason.REFUSED, numbers=[("p1", 2)])
    assert await desk.look(60) == 2
    assert [(one.reason, one.first) for one in desk.said[1].lost] == [
        ("buffer_full", 1),
        ("refused_by_broker", 2),
    ]


async def test_it_goes_on_while_events_wait_with_it(desk: Desk) -> None:
    desk.account.next_number()
    desk.account.depth = lambda: 1
    assert [await desk.look(30), await desk.look(30), await desk.look(30)] == [1, 2, 3]
    desk.account.depth = lambda: 0
    assert [await desk.look(30), await desk.look(30)] == [4, 4]
    assert [report.spool_depth for report in desk.said] == [1, 1, 1, 0]


async def test_what_was_not_confirmed_is_not_spooled_but_said_later_with_more(desk: Desk) -> None:
    desk.account.next_number()
    desk.is_there = False
    assert await desk.look(30) == 0
    desk.account.next_number()
    desk.is_there = True
    assert await desk.look(1) == 1
    assert desk.said[0].last_sequence == 2


async def test_a_loose_range_is_said_twice_and_an_exact_one_once(desk: Desk) -> None:
    exact, loose = (build_report(WHO, last_sequence=9, lost=[one]) for one in (EXACT, LOOSE))
    assert not is_due(exact, Said(report=exact, at=0), 60, since=0)
    assert is_due(loose, Said(report=loose, at=0), 60, since=0)
    assert not is_due(loose, Said(report=loose, at=0, times=2), 60, since=0)


async def test_events_that_a_processor_drops_have_no_number_and_are_counted(desk: Desk) -> None:
    desk.losses.count(LossReason.PROCESSOR, 4)
    assert await desk.look(30) == 1
    assert desk.said[0].lost == [LostRange(reason="dropped_by_processor", count=4, first=0, last=0)]


async def test_what_an_heir_loses_of_the_dead_is_said_in_their_name(desk: Desk) -> None:
    desk.losses.count(LossReason.SPOOL_EVICTED, 2, numbers=[("p0", 7), ("p0", 8)])
    assert await desk.look() == 1
    (report,) = desk.said
    assert (report.producer_id, report.last_sequence) == ("p0", 8)
    assert report.lost == [LostRange(reason="spool_evicted", count=2, first=7, last=8)]
    assert await desk.look(60) == 1


def test_a_report_has_bounds() -> None:
    losses = Losses()
    for number in range(1, 3_000, 2):
        losses.count(LossReason.BUFFER_FULL, numbers=[("p1", number)])
    for reason in LossReason:
        losses.count(reason)
    report = build_report(
        WHO, last_sequence=3_000, lost=losses.ranges()["p1"], unnumbered=losses.unnumbered()
    )
    assert len(report.lost) <= LOST_RANGES
    assert sum(lost.count for lost in report.lost) == 1_500 + len(LossReason)
    message = message_of(report)
    assert codec.decode_report(message.body) == report


async def test_closing_says_the_last_word_with_what_was_given_up(clock: FixedClock) -> None:
    transport, losses = FakeTransport(), Losses(clock=clock.monotonic)
    account = Account(WHO, losses)
    outlet = Outlet(
        lambda: transport, losses, limit=BufferLimit(bytes=2_100), delays=no_delays, account=account
    )
    outlet.start()
    await until(lambda: transport.opened == 1)
    transport.hold()
    for _ in range(5):
        number = account.next_number()
        outlet.put(Ticket(event_id=f"e{number}", body=b"{}", number=("p1", number)))
    await until(lambda: len(transport.attempts) == 1)
    assert account.report().spool_depth == 3
    transport.release()
    await outlet.aclose(2)
    (report,) = transport.reports
    assert (report.last_sequence, report.spool_depth) == (5, 0)
    assert report.lost == [LostRange(reason="buffer_full", count=2, first=4, last=5)]


async def test_a_report_that_fails_in_any_way_reaches_nobody(desk: Desk) -> None:
    async def fail(message: Outgoing) -> bool:
        raise ZeroDivisionError

    woken = asyncio.Event()

    async def sleep(seconds: float) -> None:
        desk.clock.advance(seconds)
        woken.set()
        await asyncio.sleep(0)

    desk.account.next_number()
    reporter = Reporter(desk.account, fail, clock=desk.clock.monotonic, sleep=sleep)
    running = asyncio.create_task(reporter.run())
    await until(lambda: desk.clock.monotonic() > 100)
    assert not running.done()
    running.cancel()
    await asyncio.wait((running,))


async def test_a_connection_that_breaks_under_a_report_costs_the_report_alone() -> None:
    transport, losses = FakeTransport(), Losses()
    transport.refuses = lambda message: (
        TransportDown("gone") if message.message_type == codec.PRODUCER_TYPE else None
    )
    account = Account(WHO, losses)
    outlet = Outlet(lambda: transport, losses, delays=no_delays, account=account)
    outlet.start()
    ticket = Ticket(event_id="e1", body=b"{}", number=("p1", account.next_number()))
    outlet.put(ticket)
    await outlet.aclose(2)
    assert ticket.state.state == "confirmed"
    assert transport.reports == []

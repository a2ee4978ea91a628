"""Buffer and publisher: lanes, batches, the window, failures, and that nothing is lost unsaid."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport, no_delays, until

from faultwire.audit.loss import LOG_SECONDS, Losses, LossReason
from faultwire.publish.outlet import Outlet
from faultwire.publish.pace import WINDOW, WINDOW_BYTES
from faultwire.publish.publisher import Publisher
from faultwire.publish.transport import Busy, Denied, Outgoing, Refused, TransportDown
from faultwire.queue.buffer import TICKET_BYTES, Buffer, BufferLimit
from faultwire.queue.ticket import Ticket
from faultwire_shared import codec
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, Lane


def ticket(number: int = 0, *, size: int = 20, lane: Lane = Lane.HIGH, rank: int = 3) -> Ticket:
    name = f"e{number}"
    body = b'{"id":"%s"}' % name.ljust(size - 9).encode()
    return Ticket(event_id=name, body=body, lane=lane, rank=rank, routing_key=f"key.{rank}")


def room_for(tickets: int) -> BufferLimit:
    return BufferLimit(bytes=tickets * (20 + TICKET_BYTES))


@pytest.fixture
async def outlet(transport: FakeTransport, losses: Losses) -> AsyncIterator[Outlet]:
    outlet = Outlet(lambda: transport, losses, delays=no_delays)
    outlet.start()
    yield outlet
    transport.release()
    await outlet.aclose(1)


def sizes(messages: list[Outgoing]) -> list[int]:
    return [len(codec.split(message.body, message.message_type)) for message in messages]


async def test_a_lone_event_goes_at_once_as_a_single_message(
    outlet: Outlet, transport: FakeTransport
) -> None:
    one = ticket()
    outlet.put(one)
    assert (await one.wait(60)).state == "confirmed"
    (message,) = transport.messages
    assert (message.message_type, message.event_id) == (codec.EVENT_TYPE, "e0")
    assert one.body == b""


async def test_what_piles_up_behind_a_confirm_goes_as_one_batch(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.hold()
    outlet.put(ticket(0))
    await until(lambda: len(transport.attempts) == 1)
    for number in range(1, 31):
        outlet.put(ticket(number))
    await asyncio.sleep(0)
    assert len(transport.attempts) == 1
    transport.release()
    assert await outlet.flush(60)
    assert sizes(transport.messages) == [1, 30]
    assert transport.messages[1].message_type == codec.BATCH_TYPE


async def test_full_batches_do_not_wait_for_the_confirm_up_to_the_window(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.hold()
    for number in range(BATCH_EVENTS * (WINDOW + 5)):
        outlet.put(ticket(number))
    await until(lambda: len(transport.attempts) == WINDOW)
    for _ in range(10):
        await asyncio.sleep(0)
    assert sizes(transport.attempts) == [BATCH_EVENTS] * WINDOW
    transport.release()
    assert await outlet.flush(60)
    assert sizes(transport.messages) == [BATCH_EVENTS] * (WINDOW + 5)


async def test_what_waits_for_a_confirm_is_bounded_by_bytes_too_and_confirms_make_room_again(
    outlet: Outlet, transport: FakeTransport
) -> None:
    most = WINDOW_BYTES // BATCH_BYTES + 1
    for turn in (1, 2, 3):
        transport.hold()
        before = len(transport.attempts)
        for number in range(2 * most):
            outlet.put(ticket(number, size=BATCH_BYTES))
        await until(lambda: len(transport.attempts) >= before + most - 1)  # noqa: B023 - within its round
        for _ in range(10):
            await asyncio.sleep(0)
        assert most - 1 <= len(transport.attempts) - before <= most, turn
        transport.release()
        assert await outlet.flush(60)


async def test_a_batch_is_bounded_by_bytes_and_a_larger_event_travels_alone(
    outlet: Outlet, transport: FakeTransport
) -> None:
    await until(lambda: transport.opened == 1)
    for number, size in enumerate((BATCH_BYTES // 2, BATCH_BYTES // 2, BATCH_BYTES + 10, 100, 100)):
        outlet.put(ticket(number, size=size))
    assert await outlet.flush(60)
    assert sizes(transport.messages) == [1, 1, 1, 2]


async def test_a_batch_takes_the_key_of_its_most_severe_event(
    outlet: Outlet, transport: FakeTransport
) -> None:
    for rank in (1, 2, 1):
        outlet.put(ticket(rank, lane=Lane.ROUTINE, rank=rank))
    assert await outlet.flush(60)
    assert [message.routing_key for message in transport.messages] == ["key.2"]


async def test_a_critical_event_does_not_wait_behind_a_flood(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.hold()
    for number in range(BATCH_EVENTS * WINDOW * 2):
        outlet.put(ticket(number, lane=Lane.ROUTINE, rank=1))
    await until(lambda: len(transport.attempts) == WINDOW)
    outlet.put(ticket(9, lane=Lane.CRITICAL, rank=4))
    await until(lambda: transport.attempts[-1].event_id == "e9")


@pytest.mark.parametrize("failure", [TransportDown("gone"), Busy("full")])
async def test_a_failed_message_is_published_again_in_order(
    outlet: Outlet, transport: FakeTransport, failure: Exception
) -> None:
    transport.answers.append(failure)
    for number in range(3):
        outlet.put(ticket(number))
    assert await outlet.flush(60)
    assert [codec.split(message.body, None)[0] for message in transport.messages] == [
        codec.split(transport.attempts[0].body, None)[0]
    ]
    assert sizes(transport.messages) == [3]


async def test_a_lost_connection_is_closed_and_opened_again(outlet: Outlet, transport: FakeTransport) -> None:
    transport.answers.append(TransportDown("gone"))
    outlet.put(ticket())
    assert await outlet.flush(60)
    assert (transport.opened, transport.closed) == (2, 1)


async def test_a_connection_that_breaks_while_idle_is_opened_again(
    outlet: Outlet, transport: FakeTransport
) -> None:
    await until(lambda: transport.opened == 1)
    transport.broken.set()
    await until(lambda: transport.opened == 2)


async def test_a_connection_that_does_not_open_is_tried_again(
    transport: FakeTransport, losses: Losses, caplog: pytest.LogCaptureFixture
) -> None:
    transport.open_answers.extend([TransportDown("no"), TransportDown("no"), OSError("odd"), None])
    outlet = Outlet(lambda: transport, losses, delays=no_delays)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("faultwire.publish.publisher.RECONNECT_SECONDS", 0.0)
        outlet.put(ticket())
        assert await outlet.flush(60)
    await outlet.aclose(1)
    assert caplog.text.count("transport.lost") == 1


async def test_a_client_that_is_not_let_in_keeps_its_events_says_so_once_and_goes_on_when_it_is(
    outlet: Outlet, transport: FakeTransport, losses: Losses, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    transport.answers.extend([TransportDown("gone")] + [Denied("the intake answered 401")] * 5)
    tickets = [ticket(number) for number in range(3)]
    for each in tickets:
        outlet.put(each)
    assert await outlet.flush(60)
    assert {each.state.state for each in tickets} == {"confirmed"}
    assert losses.ranges() == {}
    told = [(one.levelname, one.event) for one in caplog.records if hasattr(one, "event")]
    assert told == [
        ("WARNING", "transport.lost"),
        ("ERROR", "transport.refused"),
        ("INFO", "transport.connected"),
    ]
    assert "transport.refused reason=the intake answered 401" in caplog.text


async def test_a_refused_event_does_not_take_its_batch_along(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.refuses = lambda message: Refused("bad") if b'"e7 ' in message.body else None
    tickets = [ticket(number) for number in range(20)]
    for each in tickets:
        outlet.put(each)
    assert await outlet.flush(60)
    states = [each.state.state for each in tickets]
    assert states.count("confirmed") == 19
    assert tickets[7].state.reason == "refused_by_broker: bad"


async def test_a_failure_while_a_batch_is_split_loses_and_repeats_nothing(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.answers.extend([Refused("one is bad"), None, TransportDown("gone")])
    tickets = [ticket(number) for number in range(4)]
    for each in tickets:
        outlet.put(each)
    assert await outlet.flush(60)
    assert sizes(transport.messages) == [2, 2]
    assert {each.state.state for each in tickets} == {"confirmed"}


async def test_a_busy_lane_does_not_hold_the_others(outlet: Outlet, transport: FakeTransport) -> None:
    transport.refuses = lambda message: Busy("full", after_seconds=25) if "3" in message.routing_key else None
    outlet.put(ticket(0, lane=Lane.HIGH, rank=3))
    await until(lambda: len(transport.attempts) == 1)
    other = ticket(1, lane=Lane.CRITICAL, rank=4)
    outlet.put(other)
    assert (await other.wait(60)).state == "confirmed"
    assert len(transport.attempts) == 2


async def test_a_full_lane_refuses_what_is_new_counts_it_and_leaves_room_for_what_is_more_severe(
    transport: FakeTransport, losses: Losses
) -> None:
    outlet = Outlet(lambda: transport, losses, limit=room_for(10), delays=no_delays)
    transport.hold()
    taken, reasons = {}, set()
    for lane in (Lane.ROUTINE, Lane.HIGH, Lane.CRITICAL):
        tickets = [ticket(number, lane=lane) for number in range(8)]
        for each in tickets:
            outlet.put(each)
        taken[lane] = sum(not each.settled for each in tickets)
        reasons |= {each.state.reason for each in tickets}
    assert taken == {Lane.ROUTINE: 6, Lane.HIGH: 2, Lane.CRITICAL: 2}
    assert reasons == {None, "buffer_full"}
    assert losses.by_reason() == {"buffer_full": 14}
    transport.release()
    assert await outlet.flush(60)
    outlet.put(ticket(10))
    assert await outlet.flush(60)
    await outlet.aclose(1)


async def test_unconfirmed_events_keep_their_room_so_what_comes_back_fits(
    transport: FakeTransport, losses: Losses
) -> None:
    outlet = Outlet(lambda: transport, losses, limit=room_for(3), delays=no_delays)
    transport.hold()
    transport.answers.append(TransportDown("gone"))
    first = [ticket(0), ticket(1)]
    for each in first:
        outlet.put(each)
    await until(lambda: len(transport.attempts) == 1)
    outlet.put(ticket(2))
    assert losses.by_reason() == {"buffer_full": 1}
    transport.release()
    assert {(await each.wait(60)).state for each in first} == {"confirmed"}
    await outlet.aclose(1)


async def test_closing_counts_what_is_left_as_lost(transport: FakeTransport, losses: Losses) -> None:
    outlet = Outlet(lambda: transport, losses, delays=no_delays)
    transport.hold()
    waiting = [ticket(number) for number in range(3)]
    for each in waiting:
        outlet.put(each)
    await until(lambda: len(transport.attempts) == 1)
    await outlet.aclose(0)
    late = ticket(4)
    outlet.put(late)
    assert {each.state.reason for each in waiting} == {"shutdown"}
    assert late.state.reason == "manager_closed"
    assert losses.by_reason() == {"shutdown": 3, "manager_closed": 1}
    assert outlet.buffer.held == 0


async def test_a_drain_ends_in_its_time_however_often_an_attempt_ends_meanwhile(
    transport: FakeTransport, losses: Losses
) -> None:
    buffer = Buffer(losses)
    buffer.put(ticket())
    publisher = Publisher(buffer, transport, losses, delays=no_delays)

    async def end_attempts() -> None:
        while True:
            publisher._progress.set()
            await asyncio.sleep(0)

    attempts = asyncio.create_task(end_attempts())
    for _ in range(20):
        assert not await publisher.drain(0.005)
    attempts.cancel()


async def test_events_of_other_threads_are_published_too(outlet: Outlet, transport: FakeTransport) -> None:
    await until(lambda: transport.opened == 1)

    def put_some(start: int) -> None:
        for number in range(start, start + 100):
            outlet.put(ticket(number))

    await asyncio.gather(*(asyncio.to_thread(put_some, start) for start in (0, 100, 200)))
    assert await outlet.flush(60)
    assert sum(sizes(transport.messages)) == 300


def test_what_was_buffered_without_a_loop_goes_out_with_the_first_one(losses: Losses) -> None:
    made: list[FakeTransport] = []

    def make() -> FakeTransport:
        made.append(FakeTransport())
        return made[-1]

    outlet = Outlet(make, losses, delays=no_delays)
    outlet.put(ticket(0))
    assert asyncio.run(outlet.flush(60))
    outlet.put(ticket(1))
    assert asyncio.run(outlet.flush(60))
    assert [sizes(transport.messages) for transport in made] == [[1], [1]]


async def test_a_ticket_is_buffered_until_the_time_is_up() -> None:
    assert (await ticket().wait(0)).state == "buffered"


async def test_many_may_wait_for_one_ticket_and_one_may_give_up(
    outlet: Outlet, transport: FakeTransport
) -> None:
    transport.hold()
    one = ticket()
    outlet.put(one)
    waiters = [asyncio.create_task(one.wait(None)) for _ in range(3)]
    await until(lambda: len(transport.attempts) == 1)
    waiters[0].cancel()
    transport.release()
    assert {(await waiter).state for waiter in waiters[1:]} == {"confirmed"}


async def test_a_mistake_of_its_own_does_not_end_the_publisher(
    outlet: Outlet,
    transport: FakeTransport,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("faultwire.publish.publisher.RECONNECT_SECONDS", 0.0)
    transport.answers.append(ZeroDivisionError())
    one = ticket()
    outlet.put(one)
    assert (await one.wait(60)).state == "confirmed"
    assert "publisher.failed" in caplog.text


def test_a_burst_of_losses_is_logged_once_and_its_rest_later(
    losses: Losses, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]

    for _ in range(10):
        losses.count(LossReason.BUFFER_FULL)
    assert lines() == ["event.lost reason=buffer_full events=1"]
    clock.advance(LOG_SECONDS)
    losses.count(LossReason.BUFFER_FULL, 2)
    assert lines()[1:] == ["event.lost reason=buffer_full events=11"]
    losses.count(LossReason.BUFFER_FULL)
    losses.close()
    assert lines()[2:] == ["event.lost reason=buffer_full events=1"]

"""The buffer and the spool's thread: what is written, what memory keeps of it, and what leaves."""

from collections.abc import Callable

import pytest

from faultwire.audit.loss import Losses, LossReason
from faultwire.queue.buffer import KEPT_SHARE, TICKET_BYTES, Buffer, BufferLimit
from faultwire.queue.ticket import CONFIRMED, Ticket
from faultwire_shared.event import Lane

ROOM = 10

Put = Callable[[int], list[Ticket]]


@pytest.fixture
def buffer(losses: Losses) -> Buffer:
    return Buffer(losses, BufferLimit(bytes=1 + int(ROOM * (10 + TICKET_BYTES) / KEPT_SHARE)))


@pytest.fixture
def put(buffer: Buffer) -> Put:
    def put(count: int) -> list[Ticket]:
        tickets = [Ticket(event_id=f"e{n}", body=b"0123456789", lane=Lane.HIGH, rank=3) for n in range(count)]
        assert all(buffer.put(each) for each in tickets)
        return tickets

    return put


def states(tickets: list[Ticket]) -> set[str]:
    return {each.state.state for each in tickets}


def test_what_is_on_disk_stays_in_memory_while_there_is_room_and_is_published_from_there(
    buffer: Buffer, put: Put
) -> None:
    tickets = put(ROOM)
    moved = buffer.move_to_spool(tickets)
    assert (moved.kept, moved.left, moved.late) == (tickets, [], [])
    assert (buffer.held, buffer.spooled, states(tickets)) == (0, ROOM, {"spooled"})
    assert buffer.take(Lane.HIGH) == tickets
    assert {each.body for each in tickets} == {b"0123456789"}
    for each in tickets:
        buffer.settle(each, CONFIRMED)
    assert (buffer.spooled, buffer.confirmed, states(tickets)) == (0, ROOM, {"confirmed"})


def test_what_is_confirmed_as_soon_as_it_is_on_disk_is_kept_back_from_those_who_publish_from_there(
    buffer: Buffer, put: Put
) -> None:
    (ticket,) = put(1)
    assert buffer.take(Lane.HIGH) == [ticket]
    # As the publisher's thread may, before the spool's has gone on.
    ticket._waiters.append(lambda: buffer.settle(ticket, CONFIRMED))
    moved = buffer.move_to_spool([ticket])
    assert (moved.kept, states(moved.kept)) == ([ticket], {"confirmed"})
    assert (buffer.held, buffer.spooled, buffer.confirmed) == (0, 0, 1)


def test_beyond_that_room_the_disk_alone_has_what_was_written_early_or_now(buffer: Buffer, put: Put) -> None:
    early = put(4)
    buffer.move_to_spool(early)
    later = put(ROOM)
    moved = buffer.move_to_spool(later[:5])
    assert (moved.kept, moved.left) == ([], [*early, *later[:5]])
    assert {each.body for each in moved.left} == {b""}
    assert buffer.take(Lane.HIGH) == later[5:]


def test_what_is_under_way_keeps_its_body_until_the_attempt_has_failed(buffer: Buffer, put: Put) -> None:
    tickets = put(2 * ROOM)
    under_way = buffer.take(Lane.HIGH)
    moved = buffer.move_to_spool(tickets)
    assert moved.kept == under_way
    assert buffer.put_back(Lane.HIGH, under_way) == under_way
    assert {each.body for each in tickets} == {b""}
    assert not buffer.waits(Lane.HIGH)


def test_what_was_confirmed_while_it_was_written_is_told_as_late(buffer: Buffer, put: Put) -> None:
    tickets = put(3)
    buffer.take(Lane.HIGH)
    buffer.settle(tickets[1], CONFIRMED)
    moved = buffer.move_to_spool(tickets)
    assert moved.late == [tickets[1]]
    assert (buffer.held, buffer.spooled, buffer.confirmed) == (0, 2, 1)


def test_what_is_under_way_may_be_given_more_patience(buffer: Buffer, put: Put) -> None:
    taken, tickets = put(2), []
    buffer.take(Lane.HIGH)
    tickets = put(3)
    last = tickets[-1].buffered_at
    assert buffer.unsettled(last) == [*taken, *tickets]
    assert buffer.unsettled(last, taken_before=0.0) == tickets
    buffer.move_to_spool([*taken, tickets[0]])
    assert buffer.unsettled(last) == tickets[1:]


def test_what_the_disk_has_is_not_lost_when_memory_is_given_up(
    buffer: Buffer, put: Put, losses: Losses
) -> None:
    tickets = put(5)
    buffer.move_to_spool(tickets[:3])
    assert buffer.abandon(LossReason.SHUTDOWN) == 2
    assert losses.by_reason() == {"shutdown": 2}
    assert (buffer.held, buffer.spooled) == (0, 3)
    assert states(tickets[:3]) == {"spooled"}


def test_room_is_given_back_by_whatever_ends_an_event(buffer: Buffer, put: Put) -> None:
    for _ in range(20):
        tickets = put(ROOM)
        taken = buffer.take(Lane.HIGH)
        for each in taken[:3]:
            buffer.settle(each, CONFIRMED)
        buffer.move_to_spool(taken[3:6])
        buffer.put_back(Lane.HIGH, taken)
        buffer.abandon(LossReason.SHUTDOWN)
        assert all(not each.body for each in tickets)
    assert buffer._bytes == 0

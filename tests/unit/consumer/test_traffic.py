"""Connections have their time and their number, and bodies have their room."""

import socket

import pytest
from structlog.testing import capture_logs
from tests.tools.clock import FixedClock

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.refusal import WorkerBusyError
from faultwire_consumer.serving.traffic import (
    HEADER_SECONDS,
    RECENT_SECONDS,
    SETTLED_SECONDS,
    UNREAD_SECONDS,
    ConnectionState,
    CrowdedError,
    Traffic,
)


class Client:
    """A connection as its watch sees it."""

    def __init__(self, clock: FixedClock) -> None:
        self.state = ConnectionState(since=clock.monotonic())
        self.unsent = 0
        self.is_open = True

    def count_unsent(self) -> int:
        return self.unsent

    def drop(self) -> None:
        self.is_open = False


def watching(clock: FixedClock, *, connections: int = 10) -> Traffic:
    return Traffic(Metrics(), connections_most=connections, bytes_most=100, clock=clock.monotonic)


def connected(to: Traffic, clock: FixedClock) -> Client:
    client = Client(clock)
    assert to.admit(client)
    return client


def test_who_never_asks_or_never_ends_its_question_is_not_waited_for(clock: FixedClock) -> None:
    watch = watching(clock)
    silent, slow, asking, resting = (connected(watch, clock) for _ in range(4))
    slow.state.has_asked, slow.state.receiving_since = True, clock.monotonic()
    asking.state.in_request = asking.state.has_asked = True
    resting.state.has_asked = True
    clock.advance(HEADER_SECONDS)
    watch.sweep()
    assert all(client.is_open for client in (silent, slow, asking, resting))
    clock.advance(1)
    watch.sweep()
    assert [client.is_open for client in (silent, slow, asking, resting)] == [False, False, True, True]


def test_an_answer_is_waited_for_while_some_of_it_is_read(clock: FixedClock) -> None:
    watch = watching(clock)
    reading, stuck = connected(watch, clock), connected(watch, clock)
    for client in (reading, stuck):
        client.state.in_request, client.unsent = True, 1_000_000
    for _ in range(5):
        watch.sweep()
        clock.advance(UNREAD_SECONDS / 2)
        reading.unsent -= 1
    assert (reading.is_open, stuck.is_open) == (True, False)
    reading.unsent = 0
    watch.sweep()
    clock.advance(UNREAD_SECONDS * 2)
    watch.sweep()
    assert reading.is_open


async def test_where_all_places_are_taken_the_longest_without_a_request_gives_way(clock: FixedClock) -> None:
    watch = watching(clock, connections=3)
    busy, old, young = (connected(watch, clock) for _ in range(3))
    busy.state.in_request = True
    clock.advance(SETTLED_SECONDS)
    young.state.since = clock.monotonic()
    new = connected(watch, clock)
    assert [client.is_open for client in (busy, old, young, new)] == [True, False, True, True]
    await watch.check()


async def test_where_nobody_can_give_way_a_client_is_turned_away_and_it_is_told(
    clock: FixedClock,
) -> None:
    watch = watching(clock, connections=1)
    connected(watch, clock).state.in_request = True
    with capture_logs() as lines:
        assert not watch.admit(Client(clock))
        assert not watch.admit(Client(clock))
    assert [line["event"] for line in lines] == ["http.crowded"]
    with pytest.raises(CrowdedError, match="1 clients are connected"):
        await watch.check()
    clock.advance(RECENT_SECONDS)
    await watch.check()


async def test_where_no_descriptor_is_left_it_is_told(
    clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    watch = watching(clock)
    idle = connected(watch, clock)
    clock.advance(SETTLED_SECONDS)
    with capture_logs() as lines:
        watch.look_for_descriptors()
    assert not idle.is_open
    assert [line["event"] for line in lines] == ["http.crowded"]
    with pytest.raises(CrowdedError, match="Too many open files"):
        await watch.check()


def test_bodies_have_the_room_that_there_is(clock: FixedClock) -> None:
    watch = watching(clock)
    watch.take(60)
    with pytest.raises(WorkerBusyError):
        watch.take(41)
    watch.take(40)
    watch.give_back(60)
    watch.take(60)

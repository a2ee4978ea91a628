"""Line 37 of the fault matrix: the spool is full, in rows or in bytes."""

import logging
import os
import random
from pathlib import Path

import pytest
from tests.tools.spool_bench import CRITICAL, HIGH, LOW, MEDIUM, SpoolBench, spooling
from tests.tools.spool_reader import read_spools

from faultwire.queue.buffer import BufferLimit
from faultwire.queue.file import SpoolLimit
from faultwire.queue.ticket import Ticket

pytestmark = pytest.mark.may_block("waits for the spool's thread")

MIB = 1024 * 1024


def by_rank(directory: Path) -> dict[int, int]:
    events = read_spools(directory)
    return {rank: sum(event.rank == rank for event in events) for rank in (1, 2, 3, 4)}


@pytest.mark.line(37)
def test_at_the_limit_of_rows_the_oldest_low_ones_make_room_for_critical_ones(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), spooling(tmp_path / "s", limit=SpoolLimit(rows=40)) as bench:
        low = [bench.hand(LOW) for _ in range(40)]
        critical = [bench.hand(CRITICAL) for _ in range(10)]
        assert {ticket.state.state for ticket in critical} == {"spooled"}
        # Ten go at once, so that a flood does not look for victims event by event.
        assert [ticket.state.reason for ticket in low] == ["spool_evicted"] * 10 + [None] * 30
        assert by_rank(bench.directory) == {1: 30, 2: 0, 3: 0, 4: 10}
        assert bench.buffer.figures().lost == {"spool_evicted": 10}
        assert bench.adds_up()
    assert "event.lost reason=spool_evicted" in caplog.text


@pytest.mark.line(37)
def test_each_severity_displaces_only_what_is_less_severe(tmp_path: Path) -> None:
    with spooling(tmp_path / "s", limit=SpoolLimit(rows=40)) as bench:
        for severity in (LOW, MEDIUM, HIGH, CRITICAL):
            for _ in range(10):
                bench.hand(severity)
        assert bench.hand(LOW).state.state == "buffered"
        assert bench.hand(MEDIUM).state.state == "spooled"
        kept = by_rank(bench.directory)
        assert (kept[2], kept[3], kept[4]) == (11, 10, 10)
        assert kept[1] <= 1, "the low one that waits may take the room of the ten that went"
        for _ in range(40):
            bench.hand(CRITICAL)
        assert by_rank(bench.directory) == {1: 0, 2: 0, 3: 0, 4: 40}
        assert bench.adds_up()


@pytest.mark.line(37)
def test_what_finds_no_room_waits_in_memory_and_is_refused_and_counted_when_that_is_full_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.WARNING),
        spooling(tmp_path / "s", limit=SpoolLimit(rows=40), memory=BufferLimit(bytes=20_000)) as bench,
    ):
        for _ in range(40):
            bench.hand(CRITICAL)
        handed = [bench.hand(MEDIUM) for _ in range(60)]
        waiting = [ticket for ticket in handed if ticket.state.state == "buffered"]
        beyond = [ticket for ticket in handed if ticket.state.reason == "buffer_full"]
        assert handed == waiting + beyond
        assert len(waiting) >= 10
        assert len(beyond) >= 10
        assert bench.buffer.figures().lost == {"buffer_full": len(beyond)}
        assert bench.adds_up()
    assert "event.lost reason=buffer_full" in caplog.text
    assert bench.buffer.figures().lost == {"buffer_full": len(beyond), "shutdown": len(waiting)}
    assert bench.adds_up()


@pytest.mark.line(37)
def test_what_waits_in_memory_goes_to_disk_when_there_is_room(tmp_path: Path) -> None:
    with spooling(tmp_path / "s", limit=SpoolLimit(rows=40)) as bench:
        kept = [bench.hand(HIGH) for _ in range(40)]
        waiting = [bench.hand(HIGH) for _ in range(10)]
        for ticket in kept[:10]:
            bench.confirm(ticket)
        bench.flush()
        assert {ticket.state.state for ticket in waiting} == {"spooled"}
        assert bench.adds_up()


@pytest.mark.line(37)
def test_at_the_limit_of_bytes_the_directory_stays_inside_its_budget(tmp_path: Path) -> None:
    rng = random.Random(37)
    directory = tmp_path / "s"
    with spooling(directory, limit=SpoolLimit(bytes=2 * MIB)) as bench:
        largest = 0
        for severity in (LOW, MEDIUM, HIGH, CRITICAL):
            for _ in range(40):
                bench.hand(severity, body=rng.randbytes(rng.randint(200, 25_000)))
            largest = max(largest, sum(path.stat().st_size for path in directory.iterdir()))
        assert largest <= 2 * MIB
        kept = by_rank(directory)
        assert kept[4] == 40
        assert kept[1] == 0, "what is least severe went first"
        assert bench.buffer.figures().lost["spool_evicted"] > 0
        assert bench.adds_up()


@pytest.mark.line(37)
def test_at_the_end_the_critical_ones_go_to_disk_however_many_low_ones_stand_before_them(
    tmp_path: Path,
) -> None:
    with spooling(tmp_path / "s", limit=SpoolLimit(rows=3_000)) as bench:
        for _ in range(3_000):
            bench.hand(LOW, wait=False)
        bench.flush()
        with bench.spool.turning:  # as if the disk were slow at the end of the process
            for number in range(2_000):
                bench.hand(LOW, wait=False)
                bench.hand(CRITICAL, wait=False, event_id=f"critical-{number}")
    kept = [event.event_id for event in read_spools(bench.directory)]
    assert sum(event_id.startswith("critical-") for event_id in kept) == 2_000
    assert len(kept) >= 2_990
    assert bench.adds_up()


@pytest.mark.line(37)
def test_the_sum_is_right_at_every_moment_while_events_come_are_evicted_and_confirmed(
    tmp_path: Path,
) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    rng = random.Random(seed)
    severities = (LOW, MEDIUM, HIGH, CRITICAL)
    with spooling(tmp_path / "s", limit=SpoolLimit(rows=100), memory=BufferLimit(bytes=50_000)) as bench:
        tickets: list[Ticket] = []
        for _ in range(3_000):
            tickets.append(bench.hand(rng.choice(severities), wait=False))
            if rng.random() < 0.4:
                _confirm_one(bench, rng, tickets)
            assert bench.adds_up()
    assert bench.adds_up()


def _confirm_one(bench: SpoolBench, rng: random.Random, tickets: list[Ticket]) -> None:
    ticket = tickets[rng.randrange(len(tickets))]
    if not ticket.decided:
        bench.confirm(ticket)

"""Line 40 of the fault matrix: several processes of a service use one spool directory."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.tools.spool_bench import LOW, MEDIUM, is_owned, leave_orphan, spooling, until
from tests.tools.spool_reader import read_spools, spooled_ids

from faultwire.queue.file import SpoolLimit

pytestmark = pytest.mark.may_block("waits for the spool's thread")

HOLDER = (
    "import fcntl, os, sys, time\n"
    "descriptor = os.open(sys.argv[1], os.O_RDWR)\n"
    "fcntl.flock(descriptor, fcntl.LOCK_EX)\n"
    "print('held', flush=True)\n"
    "time.sleep(100)\n"
)

READER = (
    "import sqlite3, sys, time\n"
    "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    "connection.execute('PRAGMA locking_mode=EXCLUSIVE')\n"
    "connection.execute('BEGIN EXCLUSIVE')\n"
    "print('held', flush=True)\n"
    "time.sleep(100)\n"
)


@pytest.mark.line(40)
def test_each_has_a_file_of_its_own_and_leaves_the_others_alone(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    with spooling(directory) as one, spooling(directory) as other:
        tickets = [bench.hand(event_id=f"e{n}-{bench is one}") for n in range(50) for bench in (one, other)]
        assert {ticket.state.state for ticket in tickets} == {"spooled"}
        assert len(list(directory.glob("*.db"))) == 2
        assert all(is_owned(lock) for lock in directory.glob("*.lock"))
        assert one.buffer.figures().adopted == other.buffer.figures().adopted == 0
        assert len(read_spools(directory)) == 100
        assert one.adds_up()
        assert other.adds_up()


@pytest.mark.line(40)
def test_what_a_dead_process_left_is_adopted_and_its_file_goes(tmp_path: Path) -> None:
    with spooling(tmp_path / "source") as source:
        for n in range(1_200):
            source.hand(event_id=f"left-{n}", wait=False)
        source.flush()
        left = leave_orphan(tmp_path / "source", tmp_path / "s")
    with spooling(tmp_path / "s") as heir:
        heir.spool.start()
        until(lambda: not left.exists())
        assert heir.buffer.figures().adopted == 1_200
        assert heir.adds_up()
        assert spooled_ids(tmp_path / "s") == {f"left-{n}" for n in range(1_200)}
        assert len(read_spools(tmp_path / "s")) == 1_200


@pytest.mark.line(40)
def test_an_event_that_an_interrupted_adoption_copied_twice_is_no_damage(tmp_path: Path) -> None:
    with spooling(tmp_path / "source") as source:
        for event_id in ("once", "twice", "twice"):
            source.hand(event_id=event_id)
        left = leave_orphan(tmp_path / "source", tmp_path / "s")
    with spooling(tmp_path / "s") as heir:
        heir.spool.start()
        until(lambda: not left.exists())
        figures = heir.buffer.figures()
        assert (figures.adopted, figures.lost) == (3, {})
        assert spooled_ids(tmp_path / "s") == {"once", "twice"}
        assert not list((tmp_path / "s").glob("*.corrupt-*"))


@pytest.mark.line(40)
def test_a_file_whose_process_lives_is_not_adopted_until_it_is_dead(tmp_path: Path) -> None:
    with spooling(tmp_path / "source") as source:
        source.hand()
        left = leave_orphan(tmp_path / "source", tmp_path / "s")
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLDER, left.with_suffix(".lock")], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    with spooling(tmp_path / "s") as second:
        second.hand(event_id="its own")
        until(lambda: second.spool._keeper.recovery.at > time.monotonic())
        assert left.exists()
        assert second.buffer.figures().adopted == 0
    owner.kill()
    owner.communicate()
    with spooling(tmp_path / "s") as third:
        third.spool.start()
        until(lambda: third.buffer.figures().adopted == 2)
        until(lambda: not left.exists())


@pytest.mark.line(40)
def test_a_lock_whose_file_is_gone_is_swept_away(tmp_path: Path) -> None:
    directory = tmp_path / "s"
    directory.mkdir(mode=0o700)
    (directory / "shop-1-00000000.lock").touch(0o600)
    (directory / "other-1-00000000.lock").touch(0o600)
    with spooling(directory) as heir:
        heir.spool.start()
        until(lambda: not (directory / "shop-1-00000000.lock").exists())
        assert heir.hand().state.state == "spooled"
    assert (directory / "other-1-00000000.lock").exists(), "another service's is not ours to judge"


@pytest.mark.line(40)
def test_two_heirs_at_once_adopt_each_event_once(tmp_path: Path) -> None:
    with spooling(tmp_path / "source") as source:
        for n in range(300):
            source.hand(event_id=f"left-{n}", wait=False)
        source.flush()
        for number in range(6):
            leave_orphan(tmp_path / "source", tmp_path / "s", name=f"shop-1-0000000{number}")
    with spooling(tmp_path / "s") as one, spooling(tmp_path / "s") as other:
        one.spool.start()
        other.spool.start()
        until(lambda: not list((tmp_path / "s").glob("shop-1-*")))
        assert one.buffer.figures().adopted + other.buffer.figures().adopted == 6 * 300


@pytest.mark.line(40)
def test_an_orphan_that_finds_no_room_is_copied_bit_by_bit_and_never_twice(tmp_path: Path) -> None:
    with spooling(tmp_path / "source") as source:
        for n in range(1_500):
            source.hand(event_id=f"left-{n}", wait=False)
        source.flush()
        left = leave_orphan(tmp_path / "source", tmp_path / "s")
    with spooling(tmp_path / "s", limit=SpoolLimit(rows=700)) as heir:
        heir.spool.start()
        until(lambda: heir.buffer.figures().adopted == 500)
        own = [heir.hand(LOW) for _ in range(200)]
        for ticket in own:
            heir.confirm(ticket)
        heir.publish(500)
        until(lambda: heir.buffer.figures().adopted == 1_000)
        assert left.exists()
        heir.publish(500)
        until(lambda: not left.exists())
        assert heir.buffer.figures().adopted == 1_500
        assert heir.adds_up()
    assert len(read_spools(tmp_path / "s")) == 500


@pytest.mark.line(40)
def test_an_orphan_that_cannot_be_read_holds_up_neither_the_others_nor_what_is_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with spooling(tmp_path / "source") as source:
        source.hand(MEDIUM)
        first = leave_orphan(tmp_path / "source", tmp_path / "s", name="shop-1-00000000")
        second = leave_orphan(tmp_path / "source", tmp_path / "s", name="shop-1-00000001")
    # SQLite's own lock, which somebody holds who looks into the file by hand.
    locked = subprocess.Popen([sys.executable, "-c", READER, first], stdout=subprocess.PIPE, text=True)
    assert locked.stdout is not None
    assert locked.stdout.readline() == "held\n"
    with spooling(tmp_path / "s") as heir:
        assert heir.hand().state.state == "spooled"
        until(lambda: not second.exists())
        until(lambda: "spool.not_adopted" in caplog.text)
        assert heir.hand().state.state == "spooled"
        assert first.exists()
    assert "spool.unavailable" not in caplog.text
    locked.kill()
    locked.communicate()

"""Line 39 of the fault matrix: a spool's file is damaged."""

import json
import os
import random
import shutil
import sqlite3
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from tests.tools.spool_bench import spooling, until
from tests.tools.spool_damage import (
    DAMAGES,
    EVENTS,
    Outcome,
    Template,
    flip,
    has_adopted,
    make_template,
    start_over,
)
from tests.tools.spool_reader import read_spools

from faultwire.queue.directory import TORN, copy_own
from faultwire.queue.file import SpoolFile, SpoolLimit
from faultwire.queue.record import pack
from faultwire.queue.salvage import Wal, look_at_wal

pytestmark = pytest.mark.may_block("waits for the spool's thread")

FEW: Final = 44
MANY: Final = 1_000
USABLE_SECONDS: Final = 2.0
SLACK: Final = 5
"""For a machine that does other work too: what a start may take here, as a multiple of the promise."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.mark.line(39)
@pytest.mark.parametrize("kind", sorted(DAMAGES))
def test_what_is_whole_comes_back_what_is_not_is_counted_and_told(
    kind: str, template: Template, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = start_over(template, tmp_path / "s", kind, random.Random(kind))
    # The chain of pages behind a long event can break where none of its bytes is touched.
    assert found.whole - found.recovered <= template.long
    assert found.adds_up
    assert found.lost == max(0, EVENTS - len(found.recovered))
    assert ("event.lost reason=spool_corrupt" in caplog.text) == (found.lost > 0)
    quarantined = list((tmp_path / "s").glob("*.corrupt-*"))
    assert bool(quarantined) == ("spool.salvaged" in caplog.text)
    assert not list((tmp_path / "s").glob("shop-1-*.db"))


@pytest.mark.line(39)
def test_a_sound_file_is_adopted_without_a_word(
    template: Template, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    template.copy(tmp_path / "s")
    with spooling(tmp_path / "s") as heir:
        heir.spool.start()
        until(lambda: has_adopted(heir))
        assert heir.buffer.figures().adopted == EVENTS
        assert heir.buffer.figures().lost == {}
    assert caplog.text == ""
    assert not list((tmp_path / "s").glob("*.corrupt-*"))


@pytest.mark.line(39)
def test_a_transaction_that_was_killed_after_it_wrote_a_page_twice_is_no_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = SpoolFile(str(tmp_path / "dying.db"), SpoolLimit())
    file.connection.execute("PRAGMA cache_size=1")  # pages leave it for the WAL before the commit
    with suppress(InterruptedError), file.transaction():
        for _ in range(20):
            file.append([(1, os.urandom(4_000))])
            file.count_refusal([1])
        (tmp_path / "s").mkdir(mode=0o700)
        for end in ("", "-wal"):
            left = shutil.copy(f"{file.path}{end}", tmp_path / "s" / f"shop-1-00000000.db{end}")
            Path(left).chmod(0o600)
        (tmp_path / "s" / "shop-1-00000000.lock").touch(mode=0o600)
        raise InterruptedError
    file.close()
    assert look_at_wal(str(tmp_path / "s" / "shop-1-00000000.db-wal")) is Wal.TORN
    with spooling(tmp_path / "s") as heir:
        heir.spool.start()
        until(lambda: has_adopted(heir))
    assert caplog.text == ""
    assert not list((tmp_path / "s").glob("*.corrupt-*"))


@pytest.mark.line(39)
@pytest.mark.parametrize("is_second", [False, True], ids=["first adoption", "after one that was killed"])
@pytest.mark.parametrize("noted", [3, 13])
def test_a_commit_that_was_killed_before_it_mended_its_sums_is_no_damage_unless_a_note_says_so(
    noted: int, is_second: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = SpoolFile(str(tmp_path / "dying.db"), SpoolLimit())
    with file.transaction():
        file.append([record_of(f"first-{number}") for number in range(3)])
    first = Path(f"{file.path}-wal").stat().st_size
    with file.transaction():
        file.append([record_of(f"second-{number}") for number in range(10)])
    database = tmp_path / "s" / "shop-1-00000000.db"
    database.parent.mkdir(mode=0o700)
    for end in ("", "-wal"):
        shutil.copy(f"{file.path}{end}", f"{database}{end}")
        Path(f"{database}{end}").chmod(0o600)
    lock = database.with_suffix(".lock")
    lock.write_text(json.dumps({"1": noted}))
    lock.chmod(0o600)
    file.close()
    flip(Path(f"{database}-wal"), random.Random(39), 1, first=first + 100, last=first + 101)
    assert look_at_wal(f"{database}-wal") is Wal.TORN
    if is_second:
        copy_own(f"{database}-wal", f"{database}{TORN}")
    with spooling(tmp_path / "s") as heir:
        heir.spool.start()
        until(lambda: has_adopted(heir))
        kept = {event.event_id for event in read_spools(tmp_path / "s")}
    assert {f"first-{number}" for number in range(3)} <= kept
    assert bool(list((tmp_path / "s").glob("*.corrupt-*"))) == (noted > 3)
    assert ("spool.salvaged" in caplog.text) == (noted > 3)


@pytest.mark.line(39)
def test_a_damaged_file_is_put_aside_with_its_wal_and_only_the_last_three_are_kept(
    template: Template, tmp_path: Path
) -> None:
    for number in range(5):
        database = template.copy(tmp_path / f"copy-{number}")
        os.truncate(database, 0)
        (tmp_path / "s").mkdir(mode=0o700, exist_ok=True)
        for path in database.parent.iterdir():
            shutil.move(path, tmp_path / "s" / path.name.replace("00000000", f"0000000{number}"))
    with spooling(tmp_path / "s") as heir:
        heir.spool.start()
        until(lambda: has_adopted(heir))
        aside = sorted(path.name for path in (tmp_path / "s").glob("*.corrupt-*"))
    assert len(aside) == 6
    assert [name.endswith("-wal") for name in aside] == [False, True] * 3
    assert {name.partition(".db")[0][-1] for name in aside} == {"2", "3", "4"}


@pytest.mark.line(39)
def test_a_file_that_is_damaged_while_it_is_used_loses_what_is_damaged_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The new file begins where the old one's numbers ended: late confirms of the old rows delete nothing."""
    rng = random.Random(39)
    with spooling(tmp_path / "s") as bench:
        before = [bench.hand(body=rng.randbytes(2_000), event_id=f"before-{n}") for n in range(400)]
        file = bench.spool._keeper._file
        assert file is not None
        (database,) = (tmp_path / "s").glob("*.db")

        def damage() -> None:
            file.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            file.connection.execute("PRAGMA shrink_memory").fetchall()
            flip(database, rng, 40, first=3 * 8192, last=40 * 8192)
            flip(database, rng, 12, first=8192, last=8192 + 12)

        bench.spool.flush(damage)  # in the spool's own thread
        under_way = before[:3]
        after = [bench.hand(event_id=f"after-{n}", body=b"{}") for n in range(200)]
        until(lambda: "spool.salvaged" in caplog.text)
        until(lambda: has_adopted(bench))
        for ticket in under_way:
            bench.confirm(ticket)
        bench.hand(event_id="last")
        assert {ticket.state.state for ticket in after} == {"spooled"}
        assert bench.adds_up()
        figures = bench.buffer.figures()
        kept = [event.event_id for event in read_spools(tmp_path / "s")]
        assert {f"after-{n}" for n in range(200)} <= set(kept)
        lost = figures.lost["spool_corrupt"]
        assert 0 < lost < 60
        assert sum(event_id.startswith("before-") for event_id in kept) == 400 - lost
        assert figures.spooled == len(kept) - len(under_way)


@pytest.mark.line(39)
def test_a_schema_that_is_no_text_any_more_is_damage_as_any_other(template: Template, tmp_path: Path) -> None:
    """SQLite quotes it in its message, which Python then cannot decode."""
    for seed in range(12):
        database = template.copy(tmp_path / str(seed))
        connection = sqlite3.connect(database)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.close()
        data = bytearray(database.read_bytes())
        at = data.index(b"CREATE TABLE") + seed
        data[at : at + 2] = b"\x91\xff"
        database.write_bytes(data)
        with spooling(tmp_path / str(seed)) as heir:
            heir.spool.start()
            until(lambda: has_adopted(heir))
            assert heir.buffer.figures().lost == {}
            assert heir.buffer.figures().spooled >= EVENTS


@pytest.mark.line(39)
def test_random_damage_loses_what_is_damaged_and_nothing_else(template: Template, tmp_path: Path) -> None:
    judge(damage_many(template, tmp_path, FEW))


@pytest.mark.line(39)
@pytest.mark.e2e
@pytest.mark.timeout(1_200)
def test_a_thousand_damaged_spools_lose_what_is_damaged_and_nothing_else(
    template: Template, tmp_path: Path
) -> None:
    outcomes = damage_many(template, tmp_path, MANY)
    judge(outcomes)
    times = sorted(outcome.usable_after for outcome in outcomes)
    assert times[-1] < SLACK * USABLE_SECONDS


def record_of(event_id: str) -> tuple[int, bytes]:
    return 1, pack(event_id, 1, "event.low.system.shop", os.urandom(4_000))


def damage_many(template: Template, place: Path, count: int) -> list[Outcome]:
    """So many starts, each kind in its turn."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")
    rng = random.Random(seed)
    outcomes = []
    for number in range(count):
        directory = place / str(number)
        outcomes.append(start_over(template, directory, sorted(DAMAGES)[number % len(DAMAGES)], rng))
        shutil.rmtree(directory)
    return outcomes


def judge(outcomes: list[Outcome]) -> None:
    """Print what came of it; fail where less than 99 % of what is whole is back, or a loss not counted."""
    times = sorted(outcome.usable_after for outcome in outcomes)
    whole = sum(len(outcome.whole) for outcome in outcomes)
    missing = Counter(one.kind for one in outcomes for _ in one.whole - one.recovered)
    back = sum(len(outcome.whole & outcome.recovered) for outcome in outcomes)
    print(
        f"{len(outcomes)} damaged spools: usable after {times[len(times) // 2]:.3f} s (median), "
        f"{times[-1]:.3f} s (longest); {back} of {whole} whole events back, "
        f"{sum(outcome.lost for outcome in outcomes)} counted as lost; missing {missing.total()}"
    )
    assert back >= 0.99 * whole, missing
    assert all(outcome.adds_up for outcome in outcomes)
    assert all(one.lost == max(0, EVENTS - len(one.recovered)) for one in outcomes)

"""Line 43 of the fault matrix: a producer is killed in the middle of its work, anywhere."""

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.faults.killed_producer import AT_A_TIME
from tests.servers.worker import clean_environment
from tests.tools.oracle import Audit, Kept, audit, read_ledgers
from tests.tools.recording_intake import RecordingIntake, recording
from tests.tools.spool_reader import spooled_ids
from tests.tools.waiting import until

from faultwire import ErrorManager
from faultwire_shared.failpoint import FAILPOINTS, VARIABLE

pytestmark = pytest.mark.may_block("starts processes and reads what they left")

FEW: Final = 15
MANY: Final = 1_000
NEEDS_CONFIRM: Final = {"spool.confirmed"}
NEEDS_ORPHAN: Final = {"spool.adopting", "spool.adopted"}


async def produce(intake: RecordingIntake, place: Path, rounds: int, seed: int, **settings: str) -> int:
    """Run ``killed_producer`` to its end; its exit code."""
    words = (intake.url, str(place / "spool"), str(place), str(rounds), str(seed))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.killed_producer",
        *words,
        env=clean_environment(place) | settings,
        stderr=asyncio.subprocess.DEVNULL,  # a trace of each error that was handed over
    )
    return await process.wait()


async def inherit(intake: RecordingIntake, place: Path) -> None:
    """The next process of the service publishes everything that was left, and leaves nothing."""
    intake.accepts = lambda: True
    async with ErrorManager(service="shop", broker_url=intake.url, spool_path=place / "spool") as heir:
        response = await heir.handle_error(ValueError("the heir's own"), durability="spooled")

        async def is_drained() -> bool:
            owners = {path.name.split("-")[1] for path in (place / "spool").glob("*.db")}
            return owners == {str(os.getpid())} and heir.stats().spooled == 0

        await until(is_drained, "the spool is drained", seconds=100)
        assert not heir.stats().lost
        stats = heir.stats()
        assert stats.handled + stats.adopted == stats.confirmed + stats.buffered
    # A dead producer's ledger of numbers stays until its last report is confirmed.
    assert [path.name for path in (place / "spool").iterdir() if path.suffix != ".ledger"] == []
    del intake.received[response.error_id]


def judge(intake: RecordingIntake, place: Path, kills: int) -> Audit:
    """What was accepted is at the receiver or on disk; the receiver recognises what comes twice."""
    kept = Kept(stored=list(intake.received), dead=[], spooled=spooled_ids(place / "spool"))
    found = audit(read_ledgers(place), kept, unwritten=AT_A_TIME * kills)
    assert not found.faults(), f"\n{found}"
    return found


async def kill_many(place: Path, rounds: int) -> None:
    seed = int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    async with recording() as intake:
        intake.accepts = lambda: chance.random() < 0.3
        assert await produce(intake, place, rounds, seed) == 0
        judge(intake, place, rounds)
        await inherit(intake, place)
        found = judge(intake, place, rounds)
    twice = intake.received.total() - len(intake.received)
    print(f"seed {seed}: {rounds} kills, {found.emitted} events answered, {twice} arrived twice")
    assert found.emitted >= rounds * AT_A_TIME


@pytest.mark.line(43)
async def test_killed_at_random_moments_nothing_accepted_is_lost(tmp_path: Path) -> None:
    await kill_many(tmp_path, FEW)


@pytest.mark.line(43)
@pytest.mark.e2e
@pytest.mark.timeout(1_200)
async def test_killed_a_thousand_times_nothing_accepted_is_lost(tmp_path: Path) -> None:
    await kill_many(tmp_path, MANY)


@pytest.mark.line(43)
@pytest.mark.parametrize("name", sorted(name for name in FAILPOINTS if name.startswith("spool.")))
async def test_killed_at_a_named_place_of_its_spool_nothing_accepted_is_lost(
    name: str, tmp_path: Path
) -> None:
    async with recording() as intake:
        intake.accepts = lambda: False
        if name in NEEDS_CONFIRM:
            answers = _no_then_yes(5)
            intake.accepts = lambda: next(answers)
        kills = 1
        if name in NEEDS_ORPHAN:
            kills = 2
            assert await produce(intake, tmp_path, 0, 0, **{VARIABLE: "spool.committed:4"}) == -9
            assert spooled_ids(tmp_path / "spool")
        assert await produce(intake, tmp_path, 0, 1, **{VARIABLE: f"{name}:0"}) == -9
        judge(intake, tmp_path, kills)
        await inherit(intake, tmp_path)
        judge(intake, tmp_path, kills)


def _no_then_yes(times: int) -> Iterator[bool]:
    for _ in range(times):
        yield False
    while True:
        yield True

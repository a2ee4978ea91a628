"""However a process ends, SIGKILL apart: what it handed over at its last instant is found by its heir."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.faults.leaver import EVENTS, UNDER_WAY, WAYS
from tests.tools.spool_bench import spooling, until
from tests.tools.spool_damage import has_adopted
from tests.tools.spool_reader import spooled_ids

pytestmark = pytest.mark.may_block("starts a process")


@pytest.mark.parametrize("way", sorted(WAYS))
def test_what_is_in_memory_goes_to_disk_when_the_process_ends(way: str, tmp_path: Path) -> None:
    _, code, times = WAYS[way]
    spool, ledger = tmp_path / "spool", tmp_path / "ledger"
    command = (sys.executable, "-m", "tests.faults.leaver", way, str(spool), str(ledger))
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == code, done.stderr
    emitted = ledger.read_text().split()
    assert len(emitted) == len(set(emitted)) == max(times, 1) * EVENTS
    if not times:
        return
    assert spooled_ids(spool) == set(emitted)
    with spooling(spool) as heir:
        heir.spool.start()
        until(lambda: has_adopted(heir))
        assert heir.buffer.figures().adopted == times * EVENTS


def test_what_a_thread_is_told_is_taken_is_on_disk_until_the_last_instant(tmp_path: Path) -> None:
    """Also in a burst, whose windows are open just then."""
    spool, ledger = tmp_path / "spool", tmp_path / "ledger"
    command = (sys.executable, "-m", "tests.faults.leaver", UNDER_WAY.__name__, str(spool), str(ledger))
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == -15, done.stderr
    told = {line for line in ledger.read_text().splitlines(keepends=True) if line.endswith("\n")}
    assert {line.strip() for line in told} <= spooled_ids(spool)

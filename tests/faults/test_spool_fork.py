"""Line 42 of the fault matrix: the process forks after the manager was made, and both sides go on."""

import asyncio
import sys
from pathlib import Path

import pytest
from tests.faults.forking import CHILDREN, EVENTS
from tests.tools.oracle import Kept, audit, read_ledgers
from tests.tools.recording_intake import recording

pytestmark = pytest.mark.may_block("starts a process and reads what it left")


@pytest.mark.line(42)
async def test_parent_and_children_emit_and_every_event_arrives(tmp_path: Path) -> None:
    async with recording() as intake:
        words = (intake.url, str(tmp_path / "spool"), str(tmp_path))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.forking", *words, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(100):
            _, log = await process.communicate()
        assert process.returncode == 0, log.decode()
        ledger = read_ledgers(tmp_path)
        found = audit(ledger, Kept(stored=list(intake.received), dead=[]))
    assert not found.faults(), f"\n{found}"
    assert {entry.state for entry in ledger} == {"confirmed"}
    assert found.emitted == (CHILDREN + 2) * EVENTS + 100
    assert list((tmp_path / "spool").iterdir()) == [], "each closed its own file, and nobody another's"

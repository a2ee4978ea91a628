"""Line 38 of the fault matrix: the spool's disk is full, or fails."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.faults.full_disk import Report
from tests.tools.namespace import OWN_MOUNTS

pytestmark = pytest.mark.may_block("starts a process")


def run_full_disk(kind: str, directory: Path, *, prefix: tuple[str, ...] = ()) -> tuple[Report, str]:
    command = (*prefix, sys.executable, "-m", "tests.faults.full_disk", kind, str(directory))
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=Report), done.stderr


def is_kept(report: Report, log: str) -> None:
    assert report.accepted, "some found room"
    assert set(report.accepted) <= set(report.on_disk_while_full), "what was accepted is on disk"
    assert set(report.states_after) == {"spooled"}, "what waited in memory goes to disk once there is room"
    assert set(report.on_disk_after) == {*report.accepted, *report.turned_away}
    assert report.lost == {}
    assert report.adds_up
    assert log.count("spool.unavailable") == 1, log


@pytest.mark.line(38)
def test_a_full_disk_costs_no_event_is_told_once_and_heals(tmp_path: Path) -> None:
    is_kept(*run_full_disk("tmpfs", tmp_path, prefix=OWN_MOUNTS))


@pytest.mark.line(38)
def test_a_disk_that_fails_to_write_costs_no_event_is_told_once_and_heals(tmp_path: Path) -> None:
    is_kept(*run_full_disk("limit", tmp_path))

"""SyncErrorManager in hosts without an event loop, against an intake that writes down what it took."""

import asyncio
import socket
import sys
from pathlib import Path

import pytest
from tests.faults.recording_intake import recording
from tests.faults.spool_reader import spooled_ids
from tests.faults.sync_host import EVENTS, WAYS

pytestmark = pytest.mark.may_block("starts a process and reads what it left")


async def run_host(way: str, url: str, place: Path) -> tuple[int | None, str]:
    words = (way, url, str(place / "spool"), str(place))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.sync_host", *words, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(100):
        _, log = await process.communicate()
    return process.returncode, log.decode()


def ids_in(place: Path) -> list[str]:
    return [line for path in place.glob("ids-*") for line in path.read_text().split()]


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_every_event_of_a_host_without_a_loop_arrives_once(way: str, tmp_path: Path) -> None:
    _, code, events = WAYS[way]
    async with recording() as intake:
        returned, log = await run_host(way, intake.url, tmp_path)
        assert returned == code, log
        emitted = ids_in(tmp_path)
        assert len(emitted) == len(set(emitted))
        assert not events or len(emitted) == events
        # At the exit's end what was not published lies on disk; nothing is in between.
        assert set(emitted) <= set(intake.received) | spooled_ids(tmp_path / "spool")
        assert set(intake.received.values()) == {1}
    if code == 0:
        assert log == ""


@pytest.mark.parametrize("way", ["at_exit", "closed", "in_spawned_children"])
async def test_the_exit_waits_for_nobody_who_never_answers_and_leaves_all_on_disk(
    way: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        returned, log = await run_host(way, f"http://127.0.0.1:{port}", tmp_path)
    assert (returned, log) == (0, "")
    assert spooled_ids(tmp_path / "spool") == set(ids_in(tmp_path))
    assert len(ids_in(tmp_path)) == WAYS[way][2] >= EVENTS

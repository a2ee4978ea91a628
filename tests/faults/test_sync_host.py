"""SyncErrorManager in hosts without an event loop, against an intake that writes down what it took."""

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from tests.faults.sync_host import EVENTS, HOOKED, WAYS
from tests.tools.recording_intake import recording
from tests.tools.spool_reader import read_spools, spooled_ids

from faultwire_shared import codec

# Python 3.12 and newer warn of a fork beside a thread, and our thread is one: the guide says so.
FORKING: Final = ("-W", "ignore:This process:DeprecationWarning")

pytestmark = pytest.mark.may_block("starts a process and reads what it left")


async def run_host(way: str, url: str, place: Path) -> tuple[int | None, str]:
    words = (way, url, str(place / "spool"), str(place))
    command = (sys.executable, *FORKING, "-m", "tests.faults.sync_host", *words)
    process = await asyncio.create_subprocess_exec(
        *command, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    reading = asyncio.create_task(process.communicate())
    done, _ = await asyncio.wait((reading,), timeout=100)
    with suppress(ProcessLookupError):  # its children have the same log open
        os.killpg(process.pid, signal.SIGKILL)
    _, log = await reading
    assert done, f"it hangs; where, its processes say after a while:\n{log.decode()}"
    return process.returncode, log.decode()


def ids_in(place: Path) -> list[str]:
    return [line for path in place.glob("ids-*") for line in path.read_text().split()]


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_every_event_of_a_host_without_a_loop_arrives_or_lies_on_disk(way: str, tmp_path: Path) -> None:
    _, code, events = WAYS[way]
    async with recording() as intake:
        returned, log = await run_host(way, intake.url, tmp_path)
        assert returned == code, log
        emitted = ids_in(tmp_path)
        assert len(emitted) == len(set(emitted))
        assert not events or len(emitted) == events
        # At the exit's end what was not published lies on disk; nothing is in between.
        assert set(emitted) <= set(intake.received) | spooled_ids(tmp_path / "spool")
    if code == 0:
        assert log == ""


@pytest.mark.parametrize("way", ["at_exit", "closed"])
async def test_the_exit_waits_for_nobody_who_never_answers_and_leaves_all_on_disk(
    way: str, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        returned, log = await run_host(way, f"http://127.0.0.1:{port}", tmp_path)
    assert (returned, log) == (0, "")
    assert spooled_ids(tmp_path / "spool") == set(ids_in(tmp_path))
    assert len(ids_in(tmp_path)) == WAYS[way][2] >= EVENTS


@pytest.mark.parametrize("way", sorted(HOOKED))
async def test_what_nobody_catches_is_safe_before_the_process_is_over(way: str, tmp_path: Path) -> None:
    _, code, severity, events = HOOKED[way]
    returned, log = await run_host(way, "http://127.0.0.1:1", tmp_path)
    assert returned == code, log
    assert log.count("RuntimeError: ") == events, "the former hooks have printed it as ever"
    found = [codec.decode(event.body) for event in read_spools(tmp_path / "spool")]
    assert len(found) == events
    assert {(event.severity, event.handled) for event in found} == {(severity, False)}

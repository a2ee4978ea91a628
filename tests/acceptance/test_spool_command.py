"""An operator empties the spools of services that are gone."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import FAULTWIRE
from tests.tools.bench import running
from tests.tools.migrating import upgrade
from tests.tools.oracle import Entry, assert_nothing_lost
from tests.tools.publisher import declare
from tests.tools.spool_reader import spooled_ids
from tests.tools.waiting import until
from tests.tools.worker_process import command

pytestmark = pytest.mark.may_block("starts processes")

EVENTS = 400
SERVICE = """
import asyncio, sys
from faultwire import ErrorManager

async def main():
    async with ErrorManager(service=sys.argv[1], broker_url="amqp://127.0.0.1:1/") as errors:
        responses = [errors.handle_error_nowait(ValueError(str(n)), "high") for n in range(int(sys.argv[2]))]
        for response in responses:
            assert (await response.delivered(60)).state == "spooled"
        print("\\n".join(response.error_id for response in responses), "THE END", sep="\\n", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def leave_spool(service: str, home: Path) -> list[str]:
    """A service that spooled its events, and was then killed, once it had noted how many they are.

    What it notes may come after what it says, and may be less than there is.
    """

    async def is_noted() -> bool:
        _, out, _ = await command("spool", "status", "--json", cwd=home, XDG_STATE_HOME=str(home / "state"))
        spools = json.loads(out)["spools"]
        return any((each["service"], each["high"]) == (service, EVENTS) for each in spools)

    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", SERVICE, service, str(EVENTS)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"XDG_STATE_HOME": str(home / "state")},
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        ids = (await process.stdout.readuntil(b"THE END\n")).decode().split()[:-2]
    await until(is_noted, f"{service} has noted its events")
    process.kill()
    await process.wait()
    return ids


async def test_status_and_drain_from_a_kill_to_the_store(
    rabbitmq: RabbitMQ, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    await declare(rabbitmq.url)
    await upgrade(postgresql.url)
    state = {"XDG_STATE_HOME": str(tmp_path / "state")}
    ids = [*await leave_spool("billing", tmp_path), *await leave_spool("shop", tmp_path)]
    _, out, _ = await command("spool", "status", "--json", cwd=tmp_path, **state)
    spools = {spool["service"]: spool for spool in json.loads(out)["spools"]}
    assert {service: (spool["owned"], spool["high"]) for service, spool in spools.items()} == {
        "billing": (0, EVENTS),
        "shop": (0, EVENTS),
    }

    words = ("spool", "drain", "--service", "billing", "--broker-url", rabbitmq.url)
    code, out, err = await command(*words, cwd=tmp_path, **state)
    assert (code, out.split()[5:]) == (0, ["billing", str(EVENTS), "0", "0", "1"]), err
    code, out, err = await command(*words, cwd=tmp_path, **state)
    assert (code, out, err) == (
        0,
        "",
        "no dead process left anything\n",
    )
    assert spooled_ids(tmp_path / "state") == set(ids[EVENTS:])

    await interrupt_a_drain(rabbitmq.url, state)
    code, out, err = await command("spool", "drain", "--broker-url", rabbitmq.url, cwd=tmp_path, **state)
    assert code == 0, err
    async with running(postgresql.url, rabbitmq.url) as bench:
        await bench.wait_for(2 * EVENTS)
    await assert_nothing_lost(
        [Entry(event_id, "spooled") for event_id in ids],
        database_url=postgresql.url,
        broker_url=rabbitmq.url,
        spooled=spooled_ids(tmp_path / "state"),
    )


async def interrupt_a_drain(broker_url: str, state: dict[str, str]) -> None:
    """Ctrl-C at some moment: before, in or after the work, the next drain goes on."""
    process = await asyncio.create_subprocess_exec(
        FAULTWIRE, "spool", "drain", "--broker-url", broker_url, env=os.environ | state
    )
    await asyncio.sleep(0.5)
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
    assert await process.wait() in (0, 130, -signal.SIGINT)

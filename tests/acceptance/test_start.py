"""A worker's first moments, and what it is told while it runs: nothing at hand ends it or holds it up."""

import asyncio
import json
import os
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientConnectionError
from tests.servers.postgresql import PostgreSQL, PrivatePostgreSQL
from tests.servers.worker import FAULTWIRE, clean_environment
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

pytestmark = pytest.mark.may_block("starts a worker's process")

ENDED_BY_SIGTERM = 128 + signal.SIGTERM


async def test_a_database_that_is_away_at_the_start_is_waited_for(
    private_postgresql: PrivatePostgreSQL, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, database_url=private_postgresql.url)
    await command("db", "upgrade", cwd=tmp_path, FAULTWIRE_DATABASE_URL=private_postgresql.url)
    private_postgresql.stop_immediately()
    await worker.launch()
    try:

        async def is_alive() -> bool:
            try:
                return (await worker.get("/livez"))[0] == 200
            except OSError:
                return False

        await until(is_alive, "it is alive without its database")
        for path in ("/readyz", "/startupz"):
            status, report = await worker.get(path)
            (check,) = report["checks"]
            assert (status, check["name"], check["status"]) == (503, "store", "fail")
            assert "postgresql://" in check["error"]
        status, refusal = await worker.post("/ingest/v1/events", b"{}")
        assert (status, refusal["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        await private_postgresql.start()
        await until(partial(_is_ready, worker), "it starts when the database is there")
    finally:
        assert await worker.signal(signal.SIGTERM) == 0


async def test_a_worker_that_waits_for_its_database_ends_when_it_is_told_to(tmp_path: Path) -> None:
    worker = WorkerProcess(tmp_path, database_url="postgresql://bob:pw@127.0.0.1:9/faultwire")
    await worker.launch()

    async def waits() -> bool:
        return await asyncio.to_thread(lambda: "store.awaited" in worker.log.read_text())

    await until(waits, "it waits")
    assert await worker.signal(signal.SIGTERM) == 0


async def test_a_database_that_is_not_there_by_its_name_is_not_waited_for(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url = f"{postgresql.url.rpartition('/')[0]}/nowhere"
    code, out, err = await command(
        "worker", cwd=tmp_path, FAULTWIRE_DATABASE_URL=url, FAULTWIRE_HTTP_PORT="0"
    )
    assert (code, out) == (1, "")
    assert err.startswith("faultwire: postgresql://")
    assert err.count("\n") == 1


async def test_a_hangup_puts_the_rules_into_use_that_stand_there_now(tmp_path: Path) -> None:
    rules, config = tmp_path / "rules.toml", tmp_path / "faultwire.toml"
    rules.write_text(_policy("first"))
    config.write_text(f'rules = "{rules}"\n')
    database = f"sqlite:///{tmp_path / 'faultwire.db'}"
    worker = WorkerProcess(
        tmp_path, database_url=database, FAULTWIRE_CONFIG=str(config), FAULTWIRE_LOG_FORMAT="json"
    )

    async def lines(event: str) -> list[dict[str, object]]:
        text = await asyncio.to_thread(worker.log.read_text)
        whole = text[: text.rfind("\n") + 1]  # the last line may still be written
        return [line for line in map(json.loads, whole.splitlines()) if line["message"] == event]

    async def told(event: str) -> None:
        async def is_told() -> bool:
            return bool(await lines(event))

        await worker.send(signal.SIGHUP)
        await until(is_told, f"it says {event}")

    await worker.launch()
    try:
        await until(worker.is_ready, "it is ready")
        assert await _receivers(worker) == ["first"]
        rules.write_text("rules = [")
        await told("worker.not_reloaded")
        assert await _receivers(worker) == ["first"]
        assert "rules.toml:1" in str((await lines("worker.not_reloaded"))[0]["why"])

        rules.write_text(_policy("second"))
        config.write_text(f'rules = "{rules}"\nlog_level = "DEBUG"\nretention_low_days = 30\n')
        await told("worker.reloaded")
        assert await _receivers(worker) == ["second"]
        (line,) = await lines("worker.reloaded")
        assert (line["log_level"], line["wants_restart"]) == ("DEBUG", ["retention_low_days"])

        await command("send", "--severity", "critical", "--message", "boom", FAULTWIRE_URL=worker.url)

        async def is_told() -> bool:
            return [line["receiver"] for line in await lines("notification.logged")] == ["second"]

        await until(is_told, "the new receiver is told")

        rules.write_text("rules = [")  # and nobody asks for it to be read

        async def is_said() -> bool:
            return (await _rules(worker))["wrong"] is not None

        await until(is_said, "it says that the file is broken")
        assert await _receivers(worker) == ["second"]
        rules.write_text(_policy("third"))

        async def is_used() -> bool:
            return await _receivers(worker) == ["third"]

        await until(is_used, "the file is used without a signal")
        assert (await _rules(worker))["wrong"] is None
    finally:
        assert await worker.signal(signal.SIGTERM) == 0


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="wants a PID namespace")
async def test_process_1_ends_by_sigterm_while_it_still_starts(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        outer = await asyncio.create_subprocess_exec(
            *("unshare", "--pid", "--fork", "--kill-child", FAULTWIRE, "worker"),
            cwd=tmp_path,
            env=clean_environment(tmp_path) | {"FAULTWIRE_HTTP_PORT": "0"},
            stderr=output,
        )

    async def has_ended() -> bool:
        _signal_children(outer.pid)
        return outer.returncode is not None

    await until(has_ended, "it ends")
    assert outer.returncode == ENDED_BY_SIGTERM
    assert "worker.started" not in await asyncio.to_thread(log.read_text)


def _signal_children(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    for child in children.read_text().split() if children.exists() else ():
        os.kill(int(child), signal.SIGTERM)


async def _is_ready(worker: WorkerProcess) -> bool:
    """Whether it takes events; what waited in its place lets connections go without an answer."""
    try:
        return await worker.is_ready()
    except ClientConnectionError:
        return False


async def _receivers(worker: WorkerProcess) -> list[str]:
    return [receiver["name"] for receiver in (await _rules(worker))["receivers"]]


async def _rules(worker: WorkerProcess) -> dict[str, Any]:
    _, policy = await worker.get("/api/v1/rules")
    rules: dict[str, Any] = policy
    return rules


def _policy(receiver: str) -> str:
    return f'[receivers.{receiver}]\ntype = "log"\n'

"""The first minute of a new user: one command, no server, incidents of real failures."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import reserve_port
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import FAULTWIRE, clean_environment
from tests.tools.waiting import until
from tests.tools.worker_process import command

KINDS = {"KeyError", "JSONDecodeError", "ZeroDivisionError", "ValidationError", "ExceptionGroup"}


@asynccontextmanager
async def demo(directory: Path, **settings: str) -> AsyncIterator[str]:
    """The demo in a session of its own, ended as by Ctrl-C; gives its worker's address."""
    port = reserve_port()
    with (directory / "demo.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            FAULTWIRE,
            "demo",
            cwd=directory,
            env=clean_environment(directory) | {"FAULTWIRE_HTTP_PORT": str(port)} | settings,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGINT)
        async with asyncio.timeout(40):
            code = await process.wait()
    said = (directory / "demo.log").read_text()
    assert code in (0, 130), said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


async def incidents(url: str) -> list[dict[str, Any]]:
    code, out, _ = await command("incidents", "list", "--json", "--limit", "200", FAULTWIRE_URL=url)
    return list(json.loads(out)["incidents"]) if code == 0 else []


async def wait_for_kinds(url: str) -> list[dict[str, Any]]:
    async def all_there() -> bool:
        return {one["title"].split(":")[0] for one in await incidents(url)} >= KINDS

    await until(all_there, f"incidents of {KINDS}", seconds=90)
    return await incidents(url)


async def test_it_shows_the_shops_failures_and_a_second_run_goes_on_with_them(tmp_path: Path) -> None:
    async with demo(tmp_path) as url:
        first = await wait_for_kinds(url)
    async with demo(tmp_path) as url:
        again = await wait_for_kinds(url)
    before = {one["id"]: (one["title"].split(":")[0], one["count"]) for one in first}
    after = {one["id"]: (one["title"].split(":")[0], one["count"]) for one in again}
    assert before.keys() <= after.keys()
    assert all(after[one][0] == kind and after[one][1] >= count for one, (kind, count) in before.items())


@pytest.mark.e2e
async def test_it_runs_on_rabbitmq_and_postgresql_by_two_variables(
    tmp_path: Path, rabbitmq: RabbitMQ, postgresql: PostgreSQL
) -> None:
    settings = {"FAULTWIRE_BROKER_URL": rabbitmq.url, "FAULTWIRE_DATABASE_URL": postgresql.url}
    async with demo(tmp_path, **settings) as url:
        found = await wait_for_kinds(url)
    assert len({one["severity"] for one in found}) >= 3

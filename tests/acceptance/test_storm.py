"""A bug in a tight loop: an exact count, few messages, and every id that was told leads to its event."""

import asyncio
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from tests.acceptance import storming
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command, running

from faultwire_consumer.domain.body_budget import BODIES_PER_INCIDENT

GROWTH_MIB: Final = 32
MILLION: Final = 1_000_000
DATABASE_GROWTH: Final = 10_000_000
"""Bytes by which a storm may let the database grow."""
OF_THE_STORM: Final = "FROM {s}events WHERE service = 'stormy'"

pytestmark = [pytest.mark.timeout(600), pytest.mark.may_block("starts processes")]


async def rage(url: str, spool: Path, errors: int) -> dict[str, Any]:
    """Let a process rage; what it was told and felt."""
    command = [sys.executable, storming.__file__, url, str(spool), str(errors)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def assert_exact(reader: StoreReader, told: dict[str, Any], errors: int, size_before: int) -> None:
    """One incident holds them all (but the one that warmed up); whoever was told an id finds its event."""
    assert await reader.size() - size_before < DATABASE_GROWTH
    assert await reader.one(f"SELECT count(doc) {OF_THE_STORM}") <= BODIES_PER_INCIDENT
    assert told["lost"] == {}
    assert await reader.one(f"SELECT sum(count) {OF_THE_STORM}") == errors + 1
    assert await reader.one(f"SELECT count(*) {OF_THE_STORM}") < 1_000
    assert set(told["ids"]) == set(await reader.all(f"SELECT event_id {OF_THE_STORM}"))
    assert await reader.one("SELECT max(count) FROM {s}incidents") == errors


async def is_whole(reader: StoreReader, told: dict[str, Any]) -> bool:
    """Every event that the process published is stored."""
    return await reader.one(f"SELECT count(*) {OF_THE_STORM}") >= len(set(told["ids"]))


@pytest.mark.parametrize("errors", [20_000, pytest.param(MILLION, marks=pytest.mark.e2e)])
async def test_over_http_into_sqlite_a_storm_is_counted_exactly(tmp_path: Path, errors: int) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    async with running(WorkerProcess(tmp_path, database_url=url)) as worker:
        size_before = await StoreReader(url).size()
        told = await rage(worker.url, tmp_path / "spool", errors)
        await assert_exact(StoreReader(url), told, errors, size_before)
        assert told["grown_mib"] < GROWTH_MIB


@pytest.mark.e2e
async def test_over_amqp_into_postgresql_a_storm_is_counted_exactly(
    rabbitmq: RabbitMQ, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, database_url=postgresql.url, broker_url=rabbitmq.url)
    await command("db", "upgrade", FAULTWIRE_DATABASE_URL=postgresql.url)
    async with running(worker):
        size_before = await StoreReader(postgresql.url).size()
        told = await rage(rabbitmq.url, tmp_path / "spool", MILLION)
        reader = StoreReader(postgresql.url)
        await until(partial(is_whole, reader, told), "what the broker confirmed is stored")
        await assert_exact(reader, told, MILLION, size_before)
        assert told["grown_mib"] < GROWTH_MIB


async def test_with_nobody_to_publish_to_a_storm_fits_a_few_rows_of_the_spool(tmp_path: Path) -> None:
    told = await rage("amqp://127.0.0.1:1", tmp_path / "spool", 20_000)
    assert told["handled"] == 20_001
    assert (told["lost"], told["grown_mib"] < GROWTH_MIB) == ({}, True)
    assert told["collapsed"] + told["spooled"] == told["handled"]

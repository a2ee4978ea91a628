"""A worker's whole life in a database whose tables it does not own, and those who look at it beside it."""

import asyncio
import json
from asyncio.subprocess import DEVNULL
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.tools.aged import fill, totals
from tests.tools.clock import FixedClock
from tests.tools.database_roles import BACKUP, READER, UPGRADER, WORKER, url_as
from tests.tools.factories import wire_event
from tests.tools.opening import open_patiently
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command, running

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.may_block("starts a worker's process"),
]

BIN = next(Path("/usr/lib/postgresql").glob("*/bin"), Path())
OLD = 100
"""Days ago: more than anything is kept."""


async def test_a_worker_lives_without_owning_a_table_and_readers_and_backups_beside_it(
    apart_postgresql: PostgreSQL, tmp_path: Path
) -> None:
    await _leave_an_old_day(apart_postgresql)
    worker = WorkerProcess(tmp_path, database_url=url_as(apart_postgresql.url, WORKER))
    async with running(worker):
        event = json.dumps(wire_event(severity="critical", message="boom")).encode()
        assert (await worker.post("/ingest/v1/events", event))[0] == 202
        await until(partial(_has_told, worker), "the notification is sent")
        await until(partial(_has_dropped_the_old_day, apart_postgresql), "the old day is dropped")
        status, report = await worker.get("/readyz")
        assert (status, {check["name"] for check in report["checks"]} >= {"rights", "store"}) == (200, True)
        code, out, err = await command(
            "db", "status", FAULTWIRE_DATABASE_URL=url_as(apart_postgresql.url, READER)
        )
        assert (code, err) == (0, "")
        assert "up to date" in out
        restored = await _restored_from_a_dump(apart_postgresql)
        assert await _counts(restored) == await _counts(apart_postgresql.url) == (9, 9)
    apart_postgresql.execute(f"DROP DATABASE {apart_postgresql.database}_restored")


async def _leave_an_old_day(database: PostgreSQL) -> None:
    store = await open_patiently(url_as(database.url, UPGRADER))
    try:
        await fill(store, FixedClock(datetime.now(UTC)), days=[OLD, 1])
    finally:
        await store.close()


async def _has_told(worker: WorkerProcess) -> bool:
    _, alerts = await worker.get("/api/v1/alerts")
    return any(alert["state"] == "sent" for alert in alerts["alerts"])


async def _has_dropped_the_old_day(database: PostgreSQL) -> bool:
    name = f"events_{datetime.now(UTC).date() - timedelta(days=OLD):%Y%m%d}"
    return not database.execute(f"SELECT 1 FROM pg_class WHERE relname = '{name}'")


async def _restored_from_a_dump(database: PostgreSQL) -> str:
    """Restore what the backup's role dumps into a database beside it, as an administrator; its address."""
    copy = f"{database.url}_restored"
    database.execute(f"CREATE DATABASE {database.database}_restored")
    dump = f"{BIN}/pg_dump {url_as(database.url, BACKUP)} | {BIN}/psql -X -q -v ON_ERROR_STOP=1 {copy}"
    process = await asyncio.create_subprocess_exec("bash", "-eo", "pipefail", "-c", dump, stdout=DEVNULL)
    assert await process.wait() == 0
    return copy


async def _counts(url: str) -> tuple[int, int]:
    store = await open_patiently(url_as(url, WORKER))
    try:
        return await totals(store)
    finally:
        await store.close()

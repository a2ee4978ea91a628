"""A fault of the worker is in its own store, where operators look."""

import asyncio
import signal
from pathlib import Path

import pytest
from aiohttp import ClientError
from tests.servers.postgresql import PostgreSQL
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

# Asked by the loss audit every few seconds, and by nothing that stores an event.
_BROKEN = """
ALTER TABLE faultwire.sequence_gaps RENAME TO kept_gaps;
CREATE VIEW faultwire.sequence_gaps AS
    SELECT * FROM faultwire.kept_gaps WHERE 1 / (SELECT 0 * count(*) FROM faultwire.kept_gaps) = 1
"""
_OWN_INCIDENTS = "SELECT severity, category, title FROM faultwire.incidents WHERE service = 'faultwire'"


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_what_stops_a_chore_is_stored_and_the_worker_goes_on(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    await command("db", "upgrade", cwd=tmp_path, FAULTWIRE_DATABASE_URL=postgresql.url)
    worker = WorkerProcess(tmp_path, database_url=postgresql.url)
    await worker.launch()

    async def is_ready() -> bool:
        try:
            return (await worker.get("/readyz"))[0] == 200
        except (OSError, ClientError):
            return False

    async def is_stored() -> bool:
        return "division by zero" in await asyncio.to_thread(postgresql.execute, _OWN_INCIDENTS)

    try:
        await until(is_ready, "the worker is ready", seconds=60)
        await asyncio.to_thread(postgresql.execute, _BROKEN)
        await until(is_stored, "an incident of the worker's own", seconds=60)
        assert await is_ready()
    finally:
        await worker.signal(signal.SIGKILL)
    found = await asyncio.to_thread(postgresql.execute, _OWN_INCIDENTS)
    assert found.split("|")[:2] == ["3", "system"]

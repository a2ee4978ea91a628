"""An operator moves from SQLite to PostgreSQL; the command is killed on the way, and run again."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.tools.factories import wire_event
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command, running

pytestmark = pytest.mark.may_block("starts processes, reads files")

EVENTS = 120


@pytest.mark.e2e
@pytest.mark.timeout(300)
async def test_a_store_moves_to_a_server_though_the_copy_is_killed(
    current_postgresql: PostgreSQL, tmp_path: Path
) -> None:
    database, target = f"sqlite:///{tmp_path / 'faultwire.db'}", current_postgresql.url
    worker = WorkerProcess(tmp_path, database_url=database)
    async with running(worker):
        bodies = [wire_event(message=f"fault {'abcdefgh'[number % 8]}") for number in range(EVENTS)]
        status, _ = await worker.post("/ingest/v1/events", json.dumps(bodies).encode())
        assert status == 202
        code, _, err = await command("db", "copy", "--from", database, "--to", target, cwd=tmp_path)
        assert (code, err.count("belongs to a worker that is running; stop it for the copy")) == (1, 1)
        before = await figures_of(worker)

    words = ("db", "copy", "--from", database, "--to", target)
    for chunk in (0, 2):
        killed, _, _ = await command(*words, cwd=tmp_path, FAULTWIRE_TEST_FAILPOINT=f"copy.loaded:{chunk}")
        assert killed == -9
    code, out, err = await command(*words, "--json", cwd=tmp_path)
    assert code == 0, err
    tables = {table["table"]: table for table in json.loads(out)["tables"]}
    assert (tables["events"]["rows"], tables["incidents"]["counted"]) == (EVENTS, EVENTS)
    code, out, err = await command(*words, cwd=tmp_path)
    assert (code, out.splitlines()[0]) == (0, "nothing was left to copy"), err

    moved = WorkerProcess(tmp_path, database_url=target)
    async with running(moved):
        after = await figures_of(moved)
        assert after == before
        status, answer = await moved.post("/ingest/v1/events", json.dumps(bodies).encode())
        assert {result["status"] for result in answer["results"]} == {"duplicate"}
    with sqlite3.connect(tmp_path / "faultwire.db") as source:
        assert source.execute("SELECT count(*) FROM events").fetchone() == (EVENTS,)
    source.close()


async def figures_of(worker: WorkerProcess) -> Any:
    """The incidents, once the chore that judges how urgent they are has come by."""
    found: dict[str, Any] = {}

    async def are_judged() -> bool:
        _, answer = await worker.get("/api/v1/incidents?limit=100")
        found.update(answer)
        return all(one["urgency"] for one in found["incidents"])

    await until(are_judged, "every incident has its urgency", seconds=60)
    return found

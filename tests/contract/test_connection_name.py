"""An administrator of PostgreSQL sees by a connection's name which part of which machine's worker has it."""

import asyncio
import json
import socket
import urllib.request
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text
from tests.servers.postgresql import PostgreSQL
from tests.tools.factories import wire_event
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.store.contract.role import NAME_CHARACTERS, acting_as, connection_name
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.worker.lifecycle import role_of

OWN = text("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")


async def own_name(store: Store) -> str:
    ((name,),) = await store.read(OWN)
    return str(name)


async def test_a_connection_has_the_name_of_the_role_that_uses_it_now(current_postgresql: PostgreSQL) -> None:
    store, host = await open_store(current_postgresql.url), socket.gethostname()
    try:
        assert await own_name(store) == "faultwire"
        with acting_as("lane-high"):
            assert await own_name(store) == f"faultwire/{host}/lane-high"
            assert await asyncio.create_task(own_name(store)) == f"faultwire/{host}/lane-high"
        with acting_as("chore retention"):
            async with store.write() as tx:
                ((name,),) = await tx.execute(OWN)
        assert name == f"faultwire/{host}/chore retention"
        assert await own_name(store) == "faultwire"
    finally:
        await store.close()


async def test_a_name_in_the_address_is_its_owner_s_and_stays(current_postgresql: PostgreSQL) -> None:
    store = await open_store(f"{current_postgresql.url}?application_name=errors")
    try:
        with acting_as("page"):
            assert await own_name(store) == "errors"
    finally:
        await store.close()


@pytest.mark.parametrize("host", ["db-1.example", "x" * 300, "it's; DROP", "büro"])
def test_a_name_fits_and_holds_nothing_odd(host: str) -> None:
    with acting_as("chore search filler"):
        name = connection_name(host)
    assert len(name) <= NAME_CHARACTERS
    assert name.startswith("faultwire/")
    assert name.endswith("/chore search filler")
    assert name.isascii()
    assert not set(name) & set("';\"\\")


@pytest.mark.parametrize(
    ("part", "role"),
    [
        ("lane high", "lane-high"),
        ("receiver dead", "lane-dead"),
        ("dispatcher", "outbox"),
        ("upkeep", "outbox"),
        ("retention", "chore retention"),
        ("search filler", "chore search filler"),
    ],
)
def test_a_part_of_the_worker_has_a_role(part: str, role: str) -> None:
    assert role_of(part) == role


@pytest.mark.e2e
async def test_the_connections_of_a_real_worker_say_whose_they_are(
    current_postgresql: PostgreSQL, tmp_path: Path
) -> None:
    worker = WorkerProcess(tmp_path, database_url=current_postgresql.url)
    await worker.start()
    seen: set[str] = set()
    connection = await asyncpg.connect(current_postgresql.url)

    async def are_all_seen() -> bool:
        body = json.dumps(wire_event(severity="critical")).encode()
        await asyncio.to_thread(_send, worker.url, body)
        await worker.get("/api/v1/incidents")
        rows = await connection.fetch(
            "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"
        )
        seen.update(row["application_name"].rpartition("/")[2] for row in rows)
        return {"lane-critical", "page", "outbox", "chore figures"} <= seen

    await until(are_all_seen, "each role is seen")
    await connection.close()
    await worker.end()
    assert seen <= {"lane-critical", "page", "outbox", "faultwire", ""} | {
        one for one in seen if one.startswith("chore ")
    }


def _send(url: str, body: bytes) -> None:
    asked = urllib.request.Request(  # noqa: S310 - our own
        f"{url}/ingest/v1/events", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - our own
        answer.read()

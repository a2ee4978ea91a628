"""Poison in a batch: it is found by halves and kept with its reason, and its neighbours are stored."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import running
from tests.tools.factories import wire_body, wire_event
from tests.tools.migrating import upgrade
from tests.tools.oracle import Entry, assert_nothing_lost
from tests.tools.publisher import publishing

from faultwire_consumer.store.engine import open_store

BATCH: Final = 200
POISON: Final[dict[str, dict[str, Any]]] = {
    "rejected_by_store": {"release": "poison"},
    "invalid_event": {"category": "nonsense"},
}
POSTGRESQL_CONSTRAINT: Final = (
    "ALTER TABLE faultwire.events ADD CONSTRAINT no_poison CHECK (release IS DISTINCT FROM 'poison')"
)
SQLITE_CONSTRAINT: Final = (
    "CREATE TRIGGER no_poison BEFORE INSERT ON events WHEN NEW.release = 'poison'"
    " BEGIN SELECT raise(ABORT, 'CHECK constraint failed: no_poison'); END"
)


@pytest.fixture(params=["postgresql", "sqlite"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with a constraint that poison breaks."""
    if request.param == "postgresql":
        database: PostgreSQL = request.getfixturevalue("postgresql")
        await upgrade(database.url)
        database.execute(POSTGRESQL_CONSTRAINT)
        return database.url
    path = tmp_path / "faultwire.db"
    url = f"sqlite:///{path}"
    await (await open_store(url)).close()
    await asyncio.to_thread(add_constraint, path)
    return url


def add_constraint(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(SQLITE_CONSTRAINT)
    connection.close()


@pytest.mark.line(27)
@pytest.mark.parametrize("poisoned", [1, pytest.param(BATCH, marks=pytest.mark.e2e)])
async def test_poison_is_kept_with_its_reason_and_its_neighbours_are_stored(
    broker: RabbitMQ, database_url: str, poisoned: int
) -> None:
    async with publishing(broker.url) as publisher, running(database_url, broker.url) as bench:
        for fields in POISON.values():
            good = [wire_event() for _ in range(BATCH - poisoned)]
            bad = [wire_event(**fields) for _ in range(poisoned)]
            await publisher.publish(*good[: BATCH // 3], *bad, *good[BATCH // 3 :])
        await bench.wait_for_dead_letters(len(POISON) * poisoned)
        await bench.wait_for(len(POISON) * (BATCH - poisoned))
        reasons = Counter(await bench.reader.all("SELECT reason FROM {s}dead_letters"))
        assert reasons == dict.fromkeys(POISON, poisoned)
        details = await bench.reader.all(
            "SELECT detail FROM {s}dead_letters WHERE reason = 'rejected_by_store'"
        )
        assert all("no_poison" in detail for detail in details)
        assert bench.most_attempts == 1
    await assert_nothing_lost(publisher.ledger, database_url=database_url, broker_url=broker.url)


@pytest.mark.line(27)
async def test_a_nul_anywhere_and_a_severity_unheard_of_are_no_poison(
    broker: RabbitMQ, database_url: str
) -> None:
    odd = [
        wire_event(**{field: "a\x00b"})
        for field in ("message", "service", "release", "environment", "code", "producer_id", "host")
    ]
    odd += [wire_event(context={"a\x00b": "c\x00d"}, sequence=7), wire_event(severity="apocalyptic")]
    async with publishing(broker.url) as publisher, running(database_url, broker.url) as bench:
        await publisher.publish(*odd)
        await publisher.publish_body(wire_body(id="a\x00b"))
        publisher.ledger.append(Entry("a\ufffdb", "confirmed"))
        await bench.wait_for(len(odd))
        await bench.wait_for_dead_letters(1)
    found = await assert_nothing_lost(publisher.ledger, database_url=database_url, broker_url=broker.url)
    assert (found.stored, found.dead) == (len(odd), 1)

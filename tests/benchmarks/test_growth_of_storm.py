"""What a flood of one bug costs the database when no client collapses it; `make bench` prints it."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.tools.flooding import flood

from faultwire_consumer.domain.body_budget import BODIES_PER_INCIDENT
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations import migrate

EVENTS: Final = min(1_000_000, int(os.environ.get("SCALE", "1000000")))

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800), pytest.mark.may_block("benchmarks")]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, servers: Servers, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'faultwire.db'}"
        await migrate.upgrade(url)
        opened = await open_store(url)
        yield opened
        await opened.close()
        return
    with servers.shared() as database:
        await migrate.upgrade(database.url)
        opened = await open_store(database.url)
        yield opened
        await opened.close()


async def test_a_flood_from_foreign_publishers_costs_a_narrow_row_each(store: Store) -> None:
    found = await flood(store, EVENTS)
    assert (found.events, found.incidents) == (EVENTS, 1)
    assert found.bodies <= BODIES_PER_INCIDENT
    assert found.first_body
    assert found.last_body
    where = f"storm into {store.name}, {EVENTS:,} different messages of one bug"
    rate = {"events/s": [EVENTS / found.seconds], "bodies kept": [float(found.bodies)]}
    report(f"{where}: incidents", "at most 1", [float(found.incidents)], rate)
    report(f"{where}: bytes a row, indexes and bodies included", "none", [found.grown_bytes / EVENTS])

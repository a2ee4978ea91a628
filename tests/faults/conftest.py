"""Databases with a schema and a broker with a topology: where every fault starts."""

from collections.abc import AsyncIterator

import pytest
from tests.servers.postgresql import PostgreSQL, PrivatePostgreSQL, Servers, SmallDiskPostgreSQL
from tests.tools.migrating import upgrade

from faultwire_consumer.ingest.receive import lane


@pytest.fixture
def database(current_postgresql: PostgreSQL) -> PostgreSQL:
    """A PostgreSQL database on the shared server, up to date."""
    return current_postgresql


@pytest.fixture
async def private_database(private_postgresql: PrivatePostgreSQL) -> PrivatePostgreSQL:
    """A PostgreSQL database on a server of the test's own, up to date."""
    await upgrade(private_postgresql.url)
    return private_postgresql


@pytest.fixture
async def small_disk(_postgresql_servers: Servers) -> AsyncIterator[SmallDiskPostgreSQL]:
    """A PostgreSQL database on a disk of 32 MiB, up to date."""
    with _postgresql_servers.on_small_disk(32) as database:
        await upgrade(database.url)
        yield database


@pytest.fixture
def quick_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is away is tried many times a second."""
    monkeypatch.setattr(lane, "TRIAL_SECONDS", (0.05, 0.2))

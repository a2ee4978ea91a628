"""Every store behaviour is tested on both databases, through the same tests."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations import migrate


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind: SQLite's is empty, PostgreSQL's up to date."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'faultwire.db'}"
    database: PostgreSQL = request.getfixturevalue("current_postgresql")
    return database.url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'faultwire.db'}"
    database: PostgreSQL = request.getfixturevalue("postgresql")
    return database.url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """A store with a current schema."""
    # In a thread: the migrations are files that are read.
    await asyncio.to_thread(asyncio.run, migrate.upgrade(database_url))
    store = await open_store(database_url)
    yield store
    await store.close()

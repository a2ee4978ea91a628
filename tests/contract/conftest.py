"""Every store behaviour is tested on both databases, through the same tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.contract.filling import fill_database, put_filled_file
from tests.servers.postgresql import PostgreSQL, Servers
from tests.tools.opening import open_patiently
from tests.tools.prepared_file import put_current_file
from tests.tools.spool_bench import leave_service

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.contract.timeouts import Timeouts


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with a current schema and nothing in it."""
    if request.param == "sqlite":
        return put_current_file(tmp_path / "faultwire.db")
    database: PostgreSQL = request.getfixturevalue("current_postgresql")
    return database.url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file with a current schema, where the kind of database is not what is tested."""
    return put_current_file(tmp_path / "faultwire.db")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'faultwire.db'}"
    database: PostgreSQL = request.getfixturevalue("postgresql")
    return database.url


@pytest.fixture
def timeouts(request: pytest.FixtureRequest) -> Timeouts:
    """How long the store waits for the database: a patient module's, longer than a worker's would."""
    patient = request.node.get_closest_marker("patient")
    return Timeouts(lock=60, statement=60, answer=90) if patient else Timeouts()


@pytest.fixture
async def store(database_url: str, timeouts: Timeouts) -> AsyncIterator[Store]:
    """A store with a current schema."""
    store = await open_patiently(database_url, timeouts=timeouts)
    yield store
    await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def filled_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database of each kind with 20,000 incidents and 40,000 events: a copy of one that was filled once."""
    if request.param == "sqlite":
        yield put_filled_file(tmp_path / "faultwire.db")
        return
    servers: Servers = request.getfixturevalue("_postgresql_servers")
    with servers.shared(fill_database) as database:
        yield database.url


@pytest.fixture
async def filled(filled_url: str, timeouts: Timeouts) -> AsyncIterator[Store]:
    """A store that is large enough for a plan to matter."""
    store = await open_patiently(filled_url, timeouts=timeouts)
    yield store
    await store.close()


@pytest.fixture
def spools(tmp_path: Path) -> Path:
    """What dead processes of two services left: five events of one, one of the other."""
    (tmp_path / "spools").mkdir(mode=0o700)
    leave_service(tmp_path, "billing", low=3, critical=2)
    leave_service(tmp_path, "shop", low=1)
    return tmp_path / "spools"

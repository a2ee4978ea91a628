"""How a database stands, as an operator asks before and after an upgrade."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.tools.aged import fill
from tests.tools.clock import FixedClock

from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations.migrate import bring_up_to_date
from faultwire_consumer.store.migrations.schema_version import head
from faultwire_consumer.store.status import read_status

pytestmark = pytest.mark.may_block("looks for migrations")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'faultwire.db'}"
    database: PostgreSQL = request.getfixturevalue("postgresql")
    return database.url


async def test_a_database_without_a_schema_has_nothing_to_be_read(url: str) -> None:
    status = await read_status(url)
    assert (status.schema.current, status.schema.head, status.schema.up_to_date) == (None, head(), False)
    assert (status.schema.search_indexed, status.content) == (False, None)


async def test_an_upgrade_says_from_where_to_where_and_the_second_that_it_stands(url: str) -> None:
    assert await bring_up_to_date(url) == (None, head())
    assert await bring_up_to_date(url) == (head(), head())


async def test_a_database_in_use_says_what_it_holds(url: str) -> None:
    await bring_up_to_date(url)
    now = datetime.now(UTC)
    store = await open_store(url)
    await fill(store, FixedClock(now), days=[1, 5], each=2)
    await store.close()
    status = await read_status(url)
    assert status.schema.up_to_date
    content = status.content
    assert content is not None
    assert content.bytes > 0
    assert (content.days, content.oldest_day) == (2, (now - timedelta(days=5)).date())
    assert content.kept_from == {}
    assert content.shrinks

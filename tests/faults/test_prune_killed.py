"""A prune that is killed anywhere is done again: what has to go is gone, and nothing is counted twice."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.servers.postgresql import PostgreSQL
from tests.tools.aged import fill, ingest, kept, pipeline_of, totals
from tests.tools.clock import FixedClock
from tests.tools.migrating import upgrade
from tests.tools.worker_process import command

from faultwire_consumer.domain.outcome import DeadLettered, Duplicate
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.postgresql.partition import list_partitions
from faultwire_consumer.store.upkeep.space import measure_store
from faultwire_shared.failpoint import FAILPOINTS, VARIABLE

pytestmark = [pytest.mark.may_block("starts processes"), pytest.mark.e2e]

NAMES = sorted(name for name in FAILPOINTS if name.startswith("prune."))


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'faultwire.db'}"
        return
    database: PostgreSQL = request.getfixturevalue("postgresql")
    await upgrade(database.url)
    yield database.url


async def let_lease_expire(store: Store) -> None:
    async with store.write() as tx:
        await tx.execute(text("UPDATE faultwire.leases SET expires_at = now() - interval '1 second'"))


@pytest.mark.parametrize("name", NAMES)
async def test_killed_at(name: str, url: str, tmp_path: Path) -> None:
    clock = FixedClock(datetime.now(UTC))
    store = await open_store(url)
    given = await fill(store, clock, days=[1, 6, 9], each=5)
    await store.close()
    prune = ("db", "prune", "--yes", "--database-url", url)
    whole = (*prune, "--older-than", "7d")
    some = (*prune, "--older-than", "4d", "--severity", "low", "--severity", "medium")
    # Whole days are dropped on PostgreSQL, and rows are deleted of days that stay.
    first = some if name == "prune.deleting" else whole
    code, _, _ = await command(*first, cwd=tmp_path, **{VARIABLE: name})
    if name == "prune.detached" and url.startswith("sqlite"):
        assert code == 0, "SQLite has no partitions"
    else:
        assert code == -9
    if not url.startswith("sqlite"):
        store = await open_store(url)
        await let_lease_expire(store)
        await store.close()
    for again in (whole, some, whole):
        code, _, err = await command(*again, cwd=tmp_path)
        assert code == 0, err
    store = await open_store(url)
    try:
        assert list((await kept(store)).values()) == [[0, 0, 5, 5], [5, 5, 5, 5]]
        assert (await measure_store(store)).free_bytes == 0
        if store.name == "postgresql":
            assert len(await list_partitions(store)) == 2
        outcomes = await ingest(pipeline_of(store, clock), given)
        assert [type(one) for one in outcomes] == [DeadLettered] * 30 + [Duplicate] * 30
        assert await totals(store) == (60, 60)
    finally:
        await store.close()

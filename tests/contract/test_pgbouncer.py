"""PgBouncer in between: a pool of sessions is as good as the server, a pool of transactions is refused."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text
from tests.servers import pgbouncer
from tests.servers.postgresql import PostgreSQL
from tests.tools.aged import fill
from tests.tools.clock import FixedClock

from faultwire_consumer.store.contract.store import StoreRefusedError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.schema.events import events

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.may_block("starts a server, looks for migrations"),
    pytest.mark.skipif(not pgbouncer.is_installed(), reason="wants PgBouncer (tests/servers/install)"),
]

IGNORING = (
    "ignore_startup_parameters = default_transaction_isolation,lock_timeout,statement_timeout,"
    "idle_in_transaction_session_timeout,extra_float_digits"
)


@pytest.mark.parametrize("more", ["", IGNORING], ids=["as installed", "passing over settings"])
async def test_a_pool_of_sessions_is_used_with_our_own_settings(postgresql: PostgreSQL, more: str) -> None:
    with pgbouncer.pooled(postgresql, mode="session", more=more) as url:
        await migrate.upgrade(url)
        store = await open_store(url)
        try:
            await store.warm()
            put_in = await fill(store, FixedClock(datetime.now(UTC)), days=[0], each=5)
            ((count,),) = await store.read(select(func.count()).select_from(events))
            assert count == len(put_in)
            await store.run_alone("SELECT 1", seconds=60)
            for name, value in (("lock_timeout", "2s"), ("statement_timeout", "10s")):
                assert [tuple(row) for row in await store.read(text(f"SHOW {name}"))] == [(value,)]
        finally:
            await store.close()


@pytest.mark.parametrize("mode", ["transaction", "statement"])
@pytest.mark.parametrize("more", ["", IGNORING], ids=["as installed", "passing over settings"])
async def test_a_pool_of_transactions_is_refused_with_the_reason(
    postgresql: PostgreSQL, mode: str, more: str
) -> None:
    await migrate.upgrade(postgresql.url)
    with pgbouncer.pooled(postgresql, mode=mode, more=more) as url:
        for use in (migrate.upgrade, open_store):
            with pytest.raises(StoreRefusedError, match="pool_mode = session"):
                await use(url)

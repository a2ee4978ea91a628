"""Sessions of PostgreSQL as an address asks for them: their name, their settings, their certificates."""

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.store.contract.store import Store, StoreRefusedError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations.schema_version import status

pytestmark = pytest.mark.may_block("reads certificates")


async def _setting(store: Store, name: str) -> str:
    ((value,),) = await store.read(text(f"SHOW {name}"))
    return str(value)


async def test_a_session_has_the_name_and_the_options_of_its_address_and_our_bounds(
    current_postgresql: PostgreSQL,
) -> None:
    url = f"{current_postgresql.url}?application_name=errors&options=-cwork_mem%3D8MB&connect_timeout=10"
    store = await open_store(url)
    try:
        for name, value in (
            ("application_name", "errors"),
            ("work_mem", "8MB"),
            ("lock_timeout", "2s"),
            ("statement_timeout", "10s"),
            ("default_transaction_isolation", "read committed"),
        ):
            assert await _setting(store, name) == value
        await store.run_alone("SELECT 1", seconds=60)
        assert await _setting(store, "statement_timeout") == "10s"
    finally:
        await store.close()


async def test_every_session_of_a_worker_bears_its_name(current_postgresql: PostgreSQL) -> None:
    store = await open_store(current_postgresql.url)
    try:
        await store.warm()
        names = current_postgresql.execute(
            "SELECT DISTINCT application_name FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert names == "faultwire"
    finally:
        await store.close()


async def test_a_certificate_that_cannot_be_read_is_named_by_its_word(
    current_postgresql: PostgreSQL, tmp_path: Path
) -> None:
    with pytest.raises(StoreRefusedError, match=r"sslrootcert: cannot read .*ca\.pem: No such file"):
        await status(f"{current_postgresql.url}?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}")

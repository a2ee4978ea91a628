"""Sessions of PostgreSQL as an address asks for them: their name, their settings, their certificates."""

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.servers.postgresql import ACCOUNT, PostgreSQL, PrivatePostgreSQL
from tests.servers.process import run, temporary_home
from tests.tools.waiting import until

from faultwire_consumer.store.contract.store import Store, StoreRefusedError, StoreUnavailableError
from faultwire_consumer.store.engine import open_standby, open_store
from faultwire_consumer.store.migrations.schema_version import head, status
from faultwire_consumer.store.postgresql.store import PostgresqlStore

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


async def test_a_session_that_is_still_in_use_when_a_store_closes_ends_with_it(
    current_postgresql: PostgreSQL,
) -> None:
    store = await open_store(current_postgresql.url)
    slow = asyncio.create_task(store.read(text("SELECT pg_sleep(60)")))

    async def is_asking() -> bool:
        asking = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        return await asyncio.to_thread(current_postgresql.execute, asking) == "1"

    await until(is_asking, "the slow query is asked")
    await store.close()
    with pytest.raises(StoreUnavailableError):
        await slow


@pytest.mark.skipif(shutil.which("openssl") is None, reason="wants openssl")
async def test_of_all_servers_only_one_that_the_named_authority_vouches_for_is_spoken_to(
    private_postgresql: PrivatePostgreSQL,
) -> None:
    with temporary_home("certificates") as home:
        for name in ("ours", "theirs"):
            _make_certificate(home / name)
        for setting, file in (("ssl_cert_file", "ours.crt"), ("ssl_key_file", "ours.key")):
            private_postgresql.execute(f"ALTER SYSTEM SET {setting} = '{home / file}'")
        private_postgresql.execute("ALTER SYSTEM SET ssl = on")
        private_postgresql.execute("SELECT pg_reload_conf()")
        url = f"{private_postgresql.url}?sslmode=verify-full&sslrootcert="

        async def is_encrypted() -> bool:
            try:
                return await status(f"{url}{home / 'ours.crt'}") == (None, head())
            except StoreUnavailableError:  # it has not read its settings again yet
                return False

        await until(is_encrypted, "the server is spoken to")
        standby = open_standby(f"{url}{home / 'ours.crt'}")
        await standby.ping()
        assert isinstance(standby, PostgresqlStore)
        assert standby.certificate_ends_at == pytest.approx(time.time() + 2 * 86_400, abs=3600)
        await standby.close()
        for authority in (home / "theirs.crt", "system"):
            with pytest.raises(StoreUnavailableError, match="certificate is not trusted"):
                await status(f"{url}{authority}")


def _make_certificate(path: Path) -> None:
    """One that vouches for itself, as this machine, and its key, which only the server may read."""
    key = path.with_suffix(".key")
    subject = ["-subj", "/CN=faultwire", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(path.with_suffix(".crt"))]
    run(["openssl", "req", "-x509", "-days", "2", *subject, *made])
    if os.geteuid() == 0:
        for each in (path.parent, key):
            shutil.chown(each, ACCOUNT, ACCOUNT)


async def test_a_certificate_that_cannot_be_read_is_named_by_its_word(
    current_postgresql: PostgreSQL, tmp_path: Path
) -> None:
    with pytest.raises(StoreRefusedError, match=r"sslrootcert: cannot read .*ca\.pem: No such file"):
        await status(f"{current_postgresql.url}?sslmode=verify-full&sslrootcert={tmp_path / 'ca.pem'}")

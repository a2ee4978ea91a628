"""Backups made under load and put back: what they hold, and what is told of the rest."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.deploy.load import (
    CLIENTS,
    load_on,
    postgresql_sums,
    sqlite_sums,
    until_accounted_for,
    until_stored,
)
from tests.servers.postgresql import PostgreSQL, Server, Servers, account_of_servers
from tests.servers.process import become, run, temporary_home, wait_until
from tests.servers.worker import Worker
from tests.tools.block import ROOT, read_blocks

GUIDE: Final = "deploy/docs/operate/backup.md"

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.may_block("runs and stops servers")]


async def test_a_sqlite_backup_under_load_is_put_back_and_the_audit_misses_what_came_later(
    tmp_path: Path,
) -> None:
    worker, backup, file = Worker(tmp_path), tmp_path / "backup.db", tmp_path / "faultwire.db"
    worker.start()
    async with load_on(worker.url, tmp_path) as load:
        await load.send_while(lambda: worker.command("db", "backup", str(backup)))
        await until_stored(lambda: sqlite_sums(file)[0], load.sent)
        assert worker.terminate() == 0
        events, _, _ = sqlite_sums(backup)
        assert 0 < events < load.sent
        later = load.sent - events
        # What the guide says: stop, put it there, remove what belonged to the other one, start.
        shutil.copy(backup, file)
        for left in ("faultwire.db-wal", "faultwire.db-shm"):
            (tmp_path / left).unlink(missing_ok=True)
        worker.start()
        await load.send(1)
        await until_accounted_for(worker, lambda: sqlite_sums(file)[0], load.sent)
    assert worker.terminate() == 0
    events_after, of_events, of_incidents = sqlite_sums(file)
    assert events + CLIENTS <= events_after < load.sent
    assert of_events == of_incidents
    print(
        f"{later} of {load.sent} events came after the backup, each in the store again or missed by the audit"
    )


async def test_a_dump_under_load_is_restored_and_the_audit_misses_what_came_later(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    worker, dump = Worker(tmp_path, database_url=postgresql.url), tmp_path / "faultwire.dump"
    worker.prepare()
    worker.start()
    database = postgresql.url.rpartition("/")[2]
    async with load_on(worker.url, tmp_path) as load:
        await load.send_while(
            lambda: postgresql_tool(postgresql, "pg_dump", "--format=custom", f"--file={dump}", database)
        )
        await until_stored(lambda: postgresql_sums(postgresql)[0], load.sent)
        assert worker.terminate() == 0
        postgresql.execute("DROP SCHEMA faultwire CASCADE")
        postgresql_tool(postgresql, "pg_restore", f"--dbname={database}", "--exit-on-error", str(dump))
        events, of_events, of_incidents = postgresql_sums(postgresql)
        assert of_events == of_incidents
        later = load.sent - events
        assert 0 < later < load.sent
        worker.start()
        await load.send(1)
        await until_accounted_for(worker, lambda: postgresql_sums(postgresql)[0], load.sent)
    assert worker.terminate() == 0
    print(
        f"{later} of {load.sent} events came after the dump, each in the store again or missed by the audit"
    )


class Recovered(Server):
    """A server that begins as a copy of another's files, and reads its log up to a moment."""

    def __init__(self, home: Path, *, base: Path, settings: str, port: int) -> None:
        self._base = base
        self._recovery = settings
        super().__init__(home)
        self.port = port

    def _make_data(self, template: Path | None) -> None:
        assert template is None
        own(self._home)
        as_account = become(account_of_servers())
        run([*as_account, "cp", "-a", str(self._base), str(self._data)])
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(self._recovery)
        run([*as_account, "touch", str(self._data / "recovery.signal")])


@pytest.fixture
def server(_postgresql_servers: Servers) -> Iterator[Server]:
    with _postgresql_servers.own() as server:
        server.execute("CREATE DATABASE test")
        yield server


async def test_a_server_goes_back_to_a_second_by_the_guide_and_the_audit_misses_what_came_later(
    server: Server, tmp_path: Path
) -> None:
    """The guide's lines, with other folders and another second."""
    archiving, recovering = (
        block.text for block in read_blocks(GUIDE, (ROOT / GUIDE).read_text()) if block.language == "ini"
    )
    with temporary_home("archive") as archive:
        archive_into(server, archive, archiving)
        database = PostgreSQL(server, "test")
        worker = Worker(tmp_path, database_url=database.url)
        worker.prepare()
        worker.start()
        async with load_on(worker.url, tmp_path) as load:
            base = archive / "base"
            copy = ["pg_basebackup", f"--pgdata={base}", "--checkpoint=fast", "--no-sync"]
            await load.send_while(lambda: postgresql_tool(database, *copy, account=account_of_servers()))
            await until_stored(lambda: postgresql_sums(database)[0], load.sent)
            before, second = postgresql_sums(database), server.execute("SELECT clock_timestamp()")
            await load.send(5)
            await asyncio.to_thread(until_archived, server)
            assert worker.terminate() == 0
            server.stop_immediately()
            settings = recovering.replace("/var/backups/faultwire", str(archive))
            settings = settings.replace("2026-11-23 14:03:11+00", second)
            with recovered(base, settings, server.port):
                assert postgresql_sums(database) == before
                worker.start()
                await load.send(1)
                await until_accounted_for(worker, lambda: postgresql_sums(database)[0], load.sent)
                assert worker.terminate() == 0


@contextmanager
def recovered(base: Path, settings: str, port: int) -> Iterator[None]:
    with temporary_home("postgresql-recovered") as home:
        server = Recovered(home, base=base, settings=settings, port=port)
        try:
            server.start()
            wait_until(lambda: server.execute("SELECT pg_is_in_recovery()") == "f", "it takes writes")
            yield
        finally:
            server.stop_immediately()


def archive_into(server: Server, archive: Path, settings: str) -> None:
    (archive / "wal").mkdir()
    own(archive)
    own(archive / "wal")
    for line in settings.replace("/var/backups/faultwire", str(archive)).splitlines():
        name, _, value = line.partition(" = ")
        server.execute(f"ALTER SYSTEM SET {name} = '{value.strip(chr(39))}'")
    server.stop_immediately()
    server.start()


def own(folder: Path) -> None:
    """Give a folder to the servers' user."""
    if (account := account_of_servers()) is not None:
        shutil.chown(folder, account, account)


def until_archived(server: Server) -> None:
    """What was committed so far is in the archive."""
    last = server.execute("SELECT pg_walfile_name(pg_switch_wal())")
    archived = "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver"
    wait_until(lambda: server.execute(archived)[:24] >= last, f"{last} is in the archive")


def postgresql_tool(server: PostgreSQL, *command: str, account: str | None = None) -> None:
    asks = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "faultwire",
        "PGPASSWORD": "faultwire",
    }
    subprocess.run([*become(account), *command], env=os.environ | asks, check=True, timeout=120)

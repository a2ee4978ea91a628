"""A release on the schema of the next one: it goes on, restarts and is put back, until it may not."""

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text
from tests.tools.aged import fill
from tests.tools.clock import FixedClock

from faultwire_consumer.cli.application import run
from faultwire_consumer.store.contract.store import MigrationError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.examination import examine_database
from faultwire_consumer.store.migrations.migrate import bring_up_to_date
from faultwire_consumer.store.migrations.schema_version import (
    OLDEST,
    SchemaStanding,
    head,
    on_connection,
    standing,
)
from faultwire_consumer.store.status import read_status

pytestmark = pytest.mark.may_block("looks for migrations")

NEXT = "9001"


async def _upgrade_by_the_next_release(url: str, oldest: str | None) -> None:
    """What an upgrade of the next release would leave: only more than this release knows."""
    before = "" if url.startswith("sqlite") else "faultwire."

    def upgrade(connection: Connection) -> None:
        connection.execute(text(f"ALTER TABLE {before}incidents ADD COLUMN newer TEXT NOT NULL DEFAULT 'x'"))
        connection.execute(text(f"ALTER TABLE {before}events ADD COLUMN newer BIGINT"))
        connection.execute(text(f"CREATE TABLE {before}newer (id BIGINT PRIMARY KEY)"))
        stated = {"next": NEXT, "oldest": oldest}
        connection.execute(
            text(f"UPDATE {before}schema_version SET version_num = :next, oldest = :oldest"), stated
        )

    await on_connection(url, upgrade)


async def test_an_upgrade_states_which_releases_may_run_on_its_schema(database_url: str) -> None:
    assert await standing(database_url) == SchemaStanding(head(), OLDEST, head())
    assert head() >= OLDEST


async def test_a_release_goes_on_and_restarts_on_the_schema_of_the_next_one(database_url: str) -> None:
    running = await open_store(database_url)
    try:
        await _upgrade_by_the_next_release(database_url, head())
        await fill(running, FixedClock(datetime.now(UTC)), days=[1], each=2)
    finally:
        await running.close()
    restarted = await open_store(database_url)
    try:
        await fill(restarted, FixedClock(datetime.now(UTC)), days=[2], each=2)
    finally:
        await restarted.close()
    content = (await read_status(database_url)).content
    assert content is not None
    assert content.days == 2
    assert (await examine_database(database_url)).schema_mend == ""


async def test_an_upgrade_by_the_release_before_changes_nothing_there(database_url: str) -> None:
    await _upgrade_by_the_next_release(database_url, head())
    assert await bring_up_to_date(database_url) == (NEXT, NEXT)
    assert await standing(database_url) == SchemaStanding(NEXT, head(), head())


@pytest.mark.parametrize("oldest", [None, "9000"])
async def test_a_release_that_may_not_run_there_says_so_and_changes_nothing(
    database_url: str, oldest: str | None
) -> None:
    await _upgrade_by_the_next_release(database_url, oldest)
    for ask in (open_store, bring_up_to_date):
        with pytest.raises(MigrationError, match=r"9001 is newer .* may not run on it; install a newer"):
            await ask(database_url)
    assert (await read_status(database_url)).schema_mend == "install a newer faultwire"
    assert await standing(database_url) == SchemaStanding(NEXT, oldest, head())


def test_the_state_of_a_newer_schema_is_told_with_what_it_means_for_this_release(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(_upgrade_by_the_next_release(database_url, head()))
    assert run(["db", "status", "--database-url", database_url]) == 0
    assert f"9001, newer than this release's {head()}, which may go on" in capsys.readouterr().out
    assert run(["db", "upgrade", "--database-url", database_url]) == 0
    assert "the schema is 9001" in capsys.readouterr().err

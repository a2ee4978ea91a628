"""PostgreSQL's roles apart: who may do what, and that a worker needs no table of its own."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from tests.servers.postgresql import PostgreSQL
from tests.tools.aged import fill, kept
from tests.tools.clock import FixedClock
from tests.tools.database_roles import (
    BACKUP,
    READER,
    UPGRADER,
    WORKER,
    keep_apart,
    make_login,
    run_as,
    url_as,
)
from tests.tools.opening import open_current, open_patiently

from faultwire_consumer.cli.application import run
from faultwire_consumer.maintenance.partitions import PartitionMaker
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.maintenance.rewriting import rewrite_by_hand
from faultwire_consumer.store.contract.store import RightsError, Store, StoreBusyError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.postgresql.partition import make_partition
from faultwire_consumer.store.postgresql.rights import check_rights
from faultwire_consumer.store.status import read_status
from faultwire_consumer.store.upkeep.space import list_days
from faultwire_shared.event import ErrorSeverity

pytestmark = pytest.mark.may_block("looks for migrations")

OWNERS = """
SELECT DISTINCT pg_get_userbyid(owner) FROM (
  SELECT relowner AS owner FROM pg_class WHERE relnamespace = 'faultwire'::regnamespace
  UNION SELECT nspowner FROM pg_namespace WHERE nspname = 'faultwire'
  UNION SELECT proowner FROM pg_proc WHERE pronamespace = 'faultwire'::regnamespace AND proname LIKE '%\\_day'
) AS found
"""


@pytest.fixture
async def worker(apart_postgresql: PostgreSQL) -> AsyncIterator[Store]:
    """What a worker has under its role."""
    store = await open_patiently(url_as(apart_postgresql.url, WORKER))
    yield store
    await store.close()


async def test_a_member_of_the_owner_upgrades_and_the_owner_has_all_of_it(
    apart_postgresql: PostgreSQL,
) -> None:
    assert apart_postgresql.execute(OWNERS) == "faultwire_owner"


async def test_a_worker_makes_days_and_drops_those_below_every_floor_that_the_owner_has(
    apart_postgresql: PostgreSQL, worker: Store
) -> None:
    clock = FixedClock(datetime.now(UTC))
    today = clock().date()
    await fill(worker, clock, days=[1, 20, 30])
    await PartitionMaker(worker, clock=clock).make()
    assert apart_postgresql.execute(OWNERS) == "faultwire_owner"
    assert today + timedelta(days=2) in await list_days(worker)
    floors = dict.fromkeys(ErrorSeverity, today - timedelta(days=25))
    await Pruner(worker, "test", clock=clock).prune(floors)
    assert today - timedelta(days=30) not in await list_days(worker)
    assert sum(map(sum, (await kept(worker)).values())) == 8


async def test_a_day_that_a_reader_holds_is_dropped_later_and_holds_nobody_up(
    apart_postgresql: PostgreSQL, worker: Store
) -> None:
    clock = FixedClock(datetime.now(UTC))
    await fill(worker, clock, days=[1, 30])
    floors = dict.fromkeys(ErrorSeverity, clock().date() - timedelta(days=25))
    reader = await asyncpg.connect(url_as(apart_postgresql.url, READER))
    try:
        async with reader.transaction():
            await reader.fetch("SELECT count(*) FROM faultwire.events")
            with pytest.raises(StoreBusyError, match="lock timeout"):
                await Pruner(worker, "test", clock=clock).prune(floors)
        await fill(worker, clock, days=[1])
        await Pruner(worker, "test", clock=clock).prune(floors)
    finally:
        await reader.close()
    assert len(await list_days(worker)) == 1


REFUSED = {
    WORKER: (
        "CREATE TABLE faultwire.mine (id int)",
        "TRUNCATE faultwire.leases",
        "DROP TABLE faultwire.leases",
        "ALTER TABLE faultwire.incidents ADD COLUMN mine int",
        "CREATE INDEX ON faultwire.incidents (title)",
        "CREATE SCHEMA mine",
        "SET ROLE faultwire_owner",
        "SELECT faultwire.make_day(current_date + 42)",
        "SELECT faultwire.make_day(current_date - 42)",
        "SELECT faultwire.make_day(NULL)",
        "SELECT faultwire.drop_day(current_date - 30)",
        "SELECT faultwire.drop_day(NULL)",
    ),
    READER: (
        "DELETE FROM faultwire.incidents",
        "INSERT INTO faultwire.leases SELECT * FROM faultwire.leases",
        "SELECT faultwire.make_day(current_date)",
        "SELECT faultwire.drop_day(current_date - 30)",
    ),
    BACKUP: (
        "UPDATE faultwire.incidents SET count = 0",
        "SELECT nextval('faultwire.outbox_id_seq')",
        "SELECT faultwire.drop_day(current_date - 30)",
    ),
}


@pytest.mark.parametrize("role", REFUSED)
async def test_a_role_is_refused_what_it_may_not(apart_postgresql: PostgreSQL, role: str) -> None:
    connection = await asyncpg.connect(url_as(apart_postgresql.url, role))
    try:
        for statement in REFUSED[role]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_floor_that_lies_ahead_drops_no_day_that_is_not_over(
    apart_postgresql: PostgreSQL, worker: Store
) -> None:
    await worker.prepare_days(frozenset({datetime.now(UTC).date()}))
    await run_as(
        apart_postgresql.url,
        WORKER,
        "INSERT INTO faultwire.retention_floors (severity, day, raised_at)"
        " SELECT n, '2999-01-01', now() FROM generate_series(1, 4) n",
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="is not below the retention floors"):
        await run_as(
            apart_postgresql.url, WORKER, "SELECT faultwire.drop_day((now() AT TIME ZONE 'UTC')::date)"
        )


async def test_nothing_that_a_caller_sets_leads_the_owner_s_functions_astray(
    apart_postgresql: PostgreSQL,
) -> None:
    rows = await run_as(
        apart_postgresql.url,
        READER,
        "SELECT prosecdef, proconfig FROM pg_proc WHERE proname IN ('make_day', 'drop_day') ORDER BY proname",
    )
    assert [row["prosecdef"] for row in rows] == [True, True]
    assert all("search_path=pg_catalog, pg_temp" in row["proconfig"] for row in rows)


async def test_roles_are_taken_apart_under_a_worker_that_owned_all_and_it_goes_on(
    postgresql: PostgreSQL,
) -> None:
    administrator = await asyncpg.connect(postgresql.url)
    await make_login(administrator, "former")
    await administrator.execute(f"ALTER DATABASE {postgresql.database} OWNER TO former")
    store = await open_current(url_as(postgresql.url, "former"))
    clock = FixedClock(datetime.now(UTC))
    try:
        await fill(store, clock, days=[1])
        await keep_apart(postgresql.url)
        await keep_apart(postgresql.url)  # once more does no harm
        await fill(store, clock, days=[1, 2])
    finally:
        await store.close()
        await administrator.execute("REVOKE faultwire_worker FROM former")
        await administrator.close()
    assert postgresql.execute(OWNERS) == "faultwire_owner"


async def test_what_a_member_of_the_owner_makes_is_the_owner_s(apart_postgresql: PostgreSQL) -> None:
    connection = await asyncpg.connect(url_as(apart_postgresql.url, UPGRADER))
    try:
        await make_partition(connection, datetime.now(UTC).date() - timedelta(days=400))
    finally:
        await connection.close()
    assert apart_postgresql.execute(OWNERS) == "faultwire_owner"


async def test_a_role_that_lacks_rights_is_told_at_the_start_which_statements_give_them(
    apart_postgresql: PostgreSQL,
) -> None:
    url = url_as(apart_postgresql.url, WORKER)
    apart_postgresql.execute(
        f"REVOKE UPDATE, DELETE ON faultwire.incidents FROM {WORKER};"
        f"REVOKE EXECUTE ON FUNCTION faultwire.make_day FROM {WORKER}"
    )
    expected = (
        rf"lacks rights.* GRANT UPDATE, DELETE ON faultwire.incidents TO {WORKER}; "
        rf"GRANT EXECUTE ON FUNCTION faultwire.make_day\(date\) TO {WORKER}$"
    )
    with pytest.raises(RightsError, match=expected):
        await open_store(url)


async def test_a_role_that_was_given_nothing_is_well_after_the_statements_that_it_is_told(
    apart_postgresql: PostgreSQL,
) -> None:
    administrator = await asyncpg.connect(apart_postgresql.url)
    await make_login(administrator, "stranger")
    await administrator.close()
    url = url_as(apart_postgresql.url, "stranger")
    with pytest.raises(RightsError) as refusal:
        await open_store(url)
    grants = str(refusal.value).partition("run: ")[2]
    assert grants.split("; ") == [
        "GRANT USAGE ON SCHEMA faultwire TO stranger",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA faultwire TO stranger",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA faultwire TO stranger",
        "GRANT EXECUTE ON FUNCTION faultwire.drop_day(date), faultwire.make_day(date) TO stranger",
    ]
    apart_postgresql.execute(grants)
    store = await open_store(url)
    try:
        await fill(store, FixedClock(datetime.now(UTC)), days=[1])
    finally:
        await store.close()
        apart_postgresql.execute("DROP OWNED BY stranger")


async def test_a_right_that_is_taken_away_later_fails_the_check_of_readiness(
    apart_postgresql: PostgreSQL, worker: Store
) -> None:
    await check_rights(worker)
    apart_postgresql.execute(f"REVOKE DELETE ON faultwire.outbox FROM {WORKER}")
    with pytest.raises(RightsError, match=f"GRANT DELETE ON faultwire.outbox TO {WORKER}"):
        await check_rights(worker)


async def test_the_owner_of_all_lacks_nothing_and_a_reader_may_read_the_state(
    current_postgresql: PostgreSQL, apart_postgresql: PostgreSQL
) -> None:
    await (await open_store(current_postgresql.url)).close()
    assert (await read_status(url_as(apart_postgresql.url, READER))).schema.up_to_date


async def test_a_worker_leaves_the_rewriting_of_a_day_to_the_owner_whom_nobody_who_reads_holds_up(
    apart_postgresql: PostgreSQL, worker: Store
) -> None:
    clock = FixedClock(datetime.now(UTC))
    await fill(worker, clock, days=[1, 10, 11], each=10, padding=4_000)
    floors = dict.fromkeys([ErrorSeverity.LOW, ErrorSeverity.MEDIUM, ErrorSeverity.HIGH], clock().date())
    floors = {severity: day - timedelta(days=5) for severity, day in floors.items()}
    await Pruner(worker, "test", clock=clock).prune(floors)
    with pytest.raises(RightsError, match="member of their owner"):
        await rewrite_by_hand(url_as(apart_postgresql.url, WORKER))
    reader = await asyncpg.connect(url_as(apart_postgresql.url, READER))
    try:
        async with reader.transaction():
            day = clock().date() - timedelta(days=10)
            await reader.fetch(f"SELECT count(*) FROM faultwire.events WHERE occurred_day = '{day}'")
            held = await rewrite_by_hand(url_as(apart_postgresql.url, UPGRADER))
    finally:
        await reader.close()
    freed = await rewrite_by_hand(url_as(apart_postgresql.url, UPGRADER))
    assert (held.days, held.busy, freed.days, freed.busy) == (2, 1, 2, 0)
    assert freed.bytes_after < held.bytes_after < held.bytes_before
    assert sum(map(sum, (await kept(worker)).values())) == 60


def test_a_sqlite_file_s_worker_needs_no_owner_beside_it(
    sqlite_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "maintain", "--database-url", sqlite_url]) == 1
    assert "whose worker gives its space back by itself" in capsys.readouterr().err


def test_a_command_whose_role_lacks_rights_ends_as_a_wrong_configuration(
    apart_postgresql: PostgreSQL, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "prune", "--yes", "--database-url", url_as(apart_postgresql.url, READER)]) == 78
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert f"GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA faultwire TO {READER}; " in lines[0]

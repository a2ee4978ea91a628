"""A database whose roles are apart, as ``deploy/postgresql/roles.sql`` makes them."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import asyncpg
from tests.tools.migrating import upgrade

from faultwire_consumer.store.contract.url import parse_database_url
from faultwire_consumer.store.postgresql.roles import read_roles

UPGRADER: Final = "faultwire_upgrade"
WORKER: Final = "faultwire_worker"
READER: Final = "faultwire_reader"
BACKUP: Final = "faultwire_backup"
_PASSWORD: Final = "of-tests"  # noqa: S105 - of servers that end with the tests


def url_as(url: str, role: str) -> str:
    """A database's address for a role."""
    named = parse_database_url(url).set(drivername="postgresql", username=role, password=_PASSWORD)
    return named.render_as_string(hide_password=False)


async def keep_apart(url: str) -> None:
    """Make the roles, to which the database's administrator gives passwords."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(read_roles())
        await make_login(connection, UPGRADER)
        await connection.execute(f"GRANT faultwire_owner TO {UPGRADER}")
        for role in (WORKER, READER, BACKUP):
            await connection.execute(f"ALTER ROLE {role} PASSWORD '{_PASSWORD}'")
    finally:
        await connection.close()


async def make_login(connection: asyncpg.Connection, role: str) -> None:
    """Make a role that logs in; roles are the server's, so one of an earlier test may be there."""
    made = f"CREATE ROLE {role} LOGIN PASSWORD '{_PASSWORD}'"
    await connection.execute(f"DO $$ BEGIN {made}; EXCEPTION WHEN duplicate_object THEN NULL; END $$")


def prepare_apart(url: str) -> None:
    """Make the roles in an empty database, and the schema as a member of its owner."""

    async def prepare() -> None:
        await keep_apart(url)
        await upgrade(url_as(url, UPGRADER))

    with ThreadPoolExecutor(1) as thread:  # the asking fixture may run in a loop
        thread.submit(lambda: asyncio.run(prepare())).result()


async def run_as(url: str, role: str, statement: str) -> Sequence[asyncpg.Record]:
    """Run a statement as a role."""
    connection = await asyncpg.connect(url_as(url, role))
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()

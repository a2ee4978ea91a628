"""The SQL that an upgrade of a database would run, with what each statement locks; nothing of it is run."""

from collections.abc import Iterator, Sequence
from io import StringIO
from typing import Final

from alembic import command
from sqlalchemy import Connection, NullPool, create_engine

from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.migrations.locks import (
    LockMode,
    TableLock,
    locks_of,
    spell_locks,
    table_made_by,
)
from faultwire_consumer.store.migrations.migrate import (
    LOCK_SECONDS,
    alembic_config,
    check_upgradable,
    preparations,
)
from faultwire_consumer.store.migrations.schema_version import OLDEST, oldest_statement, on_connection
from faultwire_consumer.store.migrations.search_index import missing_index_statements

_STEP: Final = "-- Running upgrade "
_OWN: Final = ("BEGIN;", "COMMIT;")
"""Alembic's words for transactions; an upgrade is one."""
_POSTGRESQL: Final = f"""\
-- From {{before}} to {{after}} in one transaction: what a statement locks stays locked until COMMIT.
-- For tables that are new nobody waits. Statements without a word lock nothing that anybody waits for.
-- `faultwire db upgrade` asks for each lock during {LOCK_SECONDS} s; if somebody holds it for longer, all
-- is rolled back, everybody passes, and it tries again."""
_SQLITE: Final = """\
-- From {before} to {after} in one transaction: the file is locked for every other writer until COMMIT, and
-- who reads it sees what was there before. A worker does this itself when it opens the file."""


class _Script(StringIO):
    """Statements that Alembic writes in place of running them."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[str] = []

    def write(self, text: str) -> int:
        self.statements.append(text.strip())
        return len(text)


async def plan_upgrade(database_url: str) -> str:
    """Return the SQL of an upgrade, from the schema that the database has now.

    Raises:
        StoreUnavailableError: the database does not answer, or refuses the login.
        MigrationError: the database is newer than this release, or cannot hold every character.
    """
    url = parse_database_url(database_url)
    if url.drivername == "sqlite" and not sqlite_path(url).exists():
        # A file would be made by asking for it.
        with create_engine("sqlite://", poolclass=NullPool).connect() as nothing:
            return plan_on(nothing)
    return await on_connection(database_url, plan_on)


def plan_on(connection: Connection) -> str:
    """Return the SQL of an upgrade of this connection's database.

    Raises:
        MigrationError: the database is newer than this release, or cannot hold every character.
    """
    found = check_upgradable(connection)
    if found.is_newer:
        return (
            f"-- Nothing to do: the schema is {found.current}, of a later release, and this one may go on.\n"
        )
    statements = [*_migrations(connection, found.current)]
    if found.current is None or found.oldest != OLDEST:
        statements.append(f"{oldest_statement(connection)};")
    statements += [f"{one};" for one in missing_index_statements(connection)]
    if not [one for one in statements if not one.startswith("--")]:
        return f"-- Nothing to do: the schema is {found.needed}.\n"
    is_sqlite = connection.dialect.name == "sqlite"
    head = (_SQLITE if is_sqlite else _POSTGRESQL).format(
        before=found.current or "nothing", after=found.needed
    )
    before = [f"{one};" for one in preparations(connection)]
    body = statements if is_sqlite else _with_locks(statements)
    return "\n\n".join([head, "BEGIN;", *before, *body, "COMMIT;"]) + "\n"


def _migrations(connection: Connection, current: str | None) -> Sequence[str]:
    script = _Script()
    command.upgrade(alembic_config(connection, script), f"{current or 'base'}:head", sql=True)
    return [one for one in script.statements if one not in _OWN]


def _with_locks(statements: Sequence[str]) -> Iterator[str]:
    """Put before each statement what it locks, and before each step the strongest of that."""
    new = {table for one in statements if (table := table_made_by(one)) is not None}
    for index, one in enumerate(statements):
        if one.startswith(_STEP):
            step = [locks_of(other, new=new) for other in _until_next_step(statements[index + 1 :])]
            yield f"{one}: {spell_locks(strongest(step))}"
            continue
        locks = locks_of(one, new=new)
        yield one if locks == [] else f"-- {spell_locks(locks)}\n{one}"


def _until_next_step(statements: Sequence[str]) -> Iterator[str]:
    for one in statements:
        if one.startswith(_STEP):
            return
        yield one


def strongest(found: Sequence[Sequence[TableLock] | None]) -> Sequence[TableLock] | None:
    """Return the strongest lock on each target; None if one of them is not known."""
    if None in found:
        return None
    modes, best = list(LockMode), dict[str, TableLock]()
    for lock in (one for locks in found for one in locks or ()):
        known = best.get(lock.target)
        if known is None or (modes.index(lock.mode), lock.lasts) > (modes.index(known.mode), known.lasts):
            best[lock.target] = lock
    return list(best.values())

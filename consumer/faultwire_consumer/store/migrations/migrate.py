"""Upgrades of a database's schema, by Alembic."""

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from faultwire_consumer.store.contract.store import MigrationError
from faultwire_consumer.store.migrations.schema_version import (
    current_of,
    newer_than_release,
    on_connection,
    status,
)
from faultwire_consumer.store.migrations.search_index import ensure_search_index
from faultwire_consumer.store.schema.events import SCHEMA

# Any number that nobody else uses will do: one upgrade at a time.
_UPGRADE_LOCK = 7_140_923_365


def _alembic(connection: Connection | None = None) -> Config:
    config = Config()
    with as_file(files("faultwire_consumer.store") / "migrations") as scripts:
        config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade_connection(connection: Connection) -> None:
    """Run the missing migrations, on a connection whose transactions Alembic may manage."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
    command.upgrade(_alembic(connection), "head")
    ensure_search_index(connection)


async def upgrade(database_url: str) -> None:
    """Bring the schema up to date; one upgrade at a time, the others wait.

    Raises:
        StoreUnavailableError: the database does not answer, or refuses the login.
        MigrationError: the database is newer than this release, or refuses the change.
    """
    await on_connection(database_url, upgrade_checked)


async def bring_up_to_date(database_url: str) -> tuple[str | None, str]:
    """Upgrade, and say from which version (None: there was no schema) to which.

    A schema that is current gets what the server did not allow before: the index of the search.

    Raises:
        StoreUnavailableError: the database does not answer or lets nobody in.
        MigrationError: the database is newer than this release, or refuses the change.
    """
    before, needed = await status(database_url)
    await upgrade(database_url)
    return before, needed


def upgrade_checked(connection: Connection) -> None:
    """Run the missing migrations, unless the database is newer than this release.

    Raises:
        MigrationError: the database is newer than this release.
    """
    current = current_of(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
    if current is not None and current not in known:
        raise MigrationError(newer_than_release(current))
    upgrade_connection(connection)

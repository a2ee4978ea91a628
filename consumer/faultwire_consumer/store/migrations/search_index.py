"""PostgreSQL's indexes for free-text search, for servers that have pg_trgm and allow its use.

Without them every search reads the texts of all incidents and kept events. The migrations create them
whenever one is missing, so that ``faultwire db upgrade`` is all that is needed once somebody has created
the extension. SQLite's indexes are part of its schema.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from faultwire_consumer.store.contract.failure import first_line, sqlstate_of
from faultwire_consumer.store.migrations.schema_version import on_connection
from faultwire_consumer.store.schema.events import SCHEMA
from faultwire_shared.logging.logs import get_logger

SEARCH_INDEX: Final = "ix_incidents_search_text"
EVENT_INDEX: Final = "ix_event_texts_text"
_INDEXES: Final = {
    # Every search reads the entries that are not sorted in yet, 4 MB of them unless limited. Incidents
    # are new ones by the dozen, kept events by the thousand: sorted in less often, each costs less.
    SEARCH_INDEX: ("incidents", "search_text", 256),
    EVENT_INDEX: ("event_texts", "text", 1024),
}
MEND: Final = "let a superuser run CREATE EXTENSION pg_trgm in the database, then run `faultwire db upgrade`"

# Not allowed; not installed on the server, before PostgreSQL 15 and since.
_REFUSED: Final = ("42501", "58P01", "0A000")
_EXTENSION_SCHEMA: Final = text(
    "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace"
    " WHERE e.extname = 'pg_trgm'"
)

_log = get_logger("faultwire.store")


def is_search_indexed(connection: Connection) -> bool:
    """Return True if free text is looked up in an index and not scanned for."""
    if connection.dialect.name == "sqlite":
        return True
    return all(_exists(connection, name) for name in _INDEXES)


def _exists(connection: Connection, name: str) -> bool:
    return connection.scalar(text(f"SELECT to_regclass('{SCHEMA}.{name}')")) is not None


async def has_search_index(database_url: str) -> bool:
    """Return True if the database, whose schema is up to date, has an index for free text.

    Raises:
        StoreUnavailableError: the database does not answer, or refuses the login.
    """
    return await on_connection(database_url, is_search_indexed)


def missing_index_statements(connection: Connection) -> Sequence[str]:
    """Return what creates the indexes where one is missing, and the extension that they need."""
    if is_search_indexed(connection):
        return []
    # Into faultwire's schema, which the role owns; an extension in another schema does as well.
    place = connection.scalar(_EXTENSION_SCHEMA) or SCHEMA
    indexes = [
        f"CREATE INDEX IF NOT EXISTS {name} ON {SCHEMA}.{table}"
        f' USING gin ({column} "{place}".gin_trgm_ops) WITH (gin_pending_list_limit = {unsorted})'
        for name, (table, column, unsorted) in _INDEXES.items()
    ]
    return [f"CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA {SCHEMA}", *indexes]


def ensure_search_index(connection: Connection) -> None:
    """Create the indexes if possible; if not, log that and go on."""
    if is_search_indexed(connection):
        return
    try:
        with connection.begin_nested():
            for statement in missing_index_statements(connection):
                connection.execute(text(statement))
    except DBAPIError as error:
        if sqlstate_of(error) not in _REFUSED:
            raise
        _log.warning("search.unindexed", reason=first_line(error), mend=MEND)

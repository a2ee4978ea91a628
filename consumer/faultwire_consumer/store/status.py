"""The state of a database, for its operators: its schema, its size, and the days that it keeps."""

from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_to_read
from faultwire_consumer.store.migrations import schema_version
from faultwire_consumer.store.migrations.search_index import MEND, has_search_index
from faultwire_consumer.store.upkeep.retention_floors import read_floors
from faultwire_consumer.store.upkeep.space import list_days, measure_store
from faultwire_shared.event import ErrorSeverity


class SchemaStatus(Struct, frozen=True, kw_only=True):
    """The schema's version, and the one that is needed."""

    current: str | None
    """None if there is none yet."""
    head: str
    """The version that this release needs."""
    up_to_date: bool
    """This release may run on it: the version is the one that it needs, or a newer one that keeps it."""
    search_indexed: bool


class ContentStatus(Struct, frozen=True, kw_only=True):
    """The stored days, and the disk space that they take."""

    bytes: int
    free_bytes: int
    shrinks: bool
    """False for a SQLite file that was made before it could."""
    days: int
    oldest_day: date | None
    kept_from: Mapping[ErrorSeverity, date]


class DatabaseStatus(Struct, frozen=True, kw_only=True):
    """Both, and what to do about a search without an index, or another schema."""

    schema: SchemaStatus
    content: ContentStatus | None = None
    """None where the schema is not this release's: it cannot be read then."""
    search_mend: str = MEND
    schema_mend: str = ""
    """The cure where the schema is not this release's."""


async def read_status(database_url: str) -> DatabaseStatus:
    """Read the state of a database; a worker may use it at the same time.

    Raises:
        DatabaseUrlError: the text names no database.
        StoreUnavailableError: it does not answer, or lets nobody in.
        MigrationError: it cannot hold every character.
    """
    found = await schema_version.standing(database_url)
    up_to_date = found.fits
    schema = SchemaStatus(
        current=found.current,
        head=found.needed,
        up_to_date=up_to_date,
        search_indexed=up_to_date and await has_search_index(database_url),
    )
    if not up_to_date:
        return DatabaseStatus(schema=schema, schema_mend=schema_version.cure_of(found.current, found.needed))
    store = await open_to_read(database_url)
    try:
        return DatabaseStatus(schema=schema, content=await read_content(store))
    finally:
        await store.close()


async def read_content(store: Store) -> ContentStatus:
    """Measure what a store keeps.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    size, days = await measure_store(store), await list_days(store)
    return ContentStatus(
        bytes=size.bytes,
        free_bytes=size.free_bytes,
        shrinks=size.shrinks,
        days=len(days),
        oldest_day=days[0] if days else None,
        kept_from=await read_floors(store),
    )

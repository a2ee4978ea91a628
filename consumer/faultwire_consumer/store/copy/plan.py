"""The plan of a copy: its tables and their order, and how an interrupted copy is continued.

The columns come from the tables' own definitions; the tables are named here, and a test compares them
with those that the migrations create.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Dialect, Row, Select, Table, func, literal, select, tuple_
from sqlalchemy.types import TypeDecorator

from faultwire_consumer.store.schema import access, dead_letters, events, figures, notify, search, upkeep

CHUNK_ROWS: Final = 5_000
CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Bounds of a chunk, of which the first one reached ends it: one transaction, and all that is in memory."""
FETCH_ROWS: Final = 250


COPIED: Final = frozenset(
    (
        access.access_tokens, access.accounts, access.audit_log, access.invitations, access.sessions,
        access.sign_in_failures,
        dead_letters.dead_letter_history, dead_letters.dead_letters, events.body_dictionaries,
        events.edge_bodies, events.events,
        events.fingerprints, events.history, events.hourly, events.incidents, events.producers,
        events.sequence_gaps, events.sightings,
        figures.figure_journal, figures.hourly_totals, figures.release_totals, figures.user_sketches,
        figures.value_counts,
        notify.absences, notify.digest_lines, notify.digests, notify.outbox, notify.outbox_attempts,
        notify.outbox_stages, notify.pending, notify.silence_history, notify.silence_hits, notify.silences,
        notify.windows,
        search.event_texts, search.event_values, search.search_fill, search.search_queue,
        upkeep.leases, upkeep.retention_floors, upkeep.retention_looks,
    )
)  # fmt: skip
"""All tables that are copied."""


class CopyError(Exception):
    """A target that is not a copy of the source; the subclass says why, and the text what to do."""


class CopyRefusedError(CopyError):
    """The copy cannot be made like this, and the attempt changed nothing; the text says what would help."""


class CopyDiffersError(CopyError):
    """Everything was copied, and yet the two databases do not hold the same; the text says where."""


class TableSummary(Struct, frozen=True):
    """The values by which a table's contents are recognised again."""

    rows: int
    counted: int | None
    """The sum of its column ``count``, if it has one."""
    final_key: str | None
    """The last key, in the database's order."""


def copied_tables() -> Sequence[Table]:
    """Return every copied table, those that others refer to first."""
    return [table for table in events.metadata.sorted_tables if table in COPIED]


def columns_of(table: Table) -> Sequence[Column[Any]]:
    """Return the columns that are copied: all that the database does not compute by itself."""
    return [column for column in table.columns if column.computed is None]


def encode_key(table: Table, row: Sequence[Any]) -> str:
    """Return the primary key of a row as text."""
    places = {column.name: place for place, column in enumerate(columns_of(table))}
    return msgspec.json.encode([row[places[key.name]] for key in table.primary_key.columns]).decode()


def decode_key(table: Table, text: str) -> Sequence[Any]:
    """Return the values of a primary key, typed as its columns are."""
    types = tuple(_python_type(key) for key in table.primary_key.columns)
    return msgspec.json.decode(text, type=tuple[types])  # type: ignore[valid-type]  # known when it runs


def _python_type(column: Column[Any]) -> type:
    # A TypeDecorator's own python_type is object.
    kind = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return kind.python_type


def rows_after(table: Table, last_key: str | None) -> Select[Any]:
    """Select the rows that follow a key, in the order of keys."""
    keys = list(table.primary_key.columns)
    statement = select(*columns_of(table)).order_by(*keys)
    if last_key is None:
        return statement
    values = [literal(value, key.type) for key, value in zip(keys, decode_key(table, last_key), strict=True)]
    # The first condition follows from the second, and lets PostgreSQL skip the partitions of earlier days.
    return statement.where(keys[0] >= values[0], tuple_(*keys) > tuple_(*values))


def select_counts(table: Table) -> Select[Any]:
    """Select a table's number of rows and sum of counts."""
    count = table.columns.get("count")
    return select(
        func.count().label("rows"),
        (func.coalesce(func.sum(count), 0) if count is not None else literal(None)).label("counted"),
    ).select_from(table)


def select_final_key(table: Table) -> Select[Any]:
    """Select the last key of a table."""
    keys = list(table.primary_key.columns)
    return select(*keys).order_by(*(key.desc() for key in keys)).limit(1)


def summary_from(counts: Any, final: Any) -> TableSummary:
    """Return the answers of both queries as a summary."""
    final_key = None if final is None else msgspec.json.encode(list(final)).decode()
    return TableSummary(counts.rows, None if counts.counted is None else int(counts.counted), final_key)


def size_of(rows: Sequence[Any]) -> int:
    """Return the approximate number of bytes in the rows' texts and bodies."""
    return sum(len(value) for row in rows for value in row if isinstance(value, bytes | str))


def driver_rows(table: Table, rows: Sequence[Row[Any]], dialect: Dialect) -> Sequence[Sequence[Any]]:
    """Return the rows as a database's driver takes them, converted by the types without a statement.

    SQLAlchemy's statements would take as long for a row as SQLite itself.
    """
    columns = columns_of(table)
    processors = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    changed = [(place, process) for place, process in enumerate(processors) if process is not None]
    converted = []
    for row in rows:
        values = list(row)
        for place, process in changed:
            values[place] = process(values[place])
        converted.append(tuple(values))
    return converted

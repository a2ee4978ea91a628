"""How far a copy has got: one row for each table, in the database that is filled.

A chunk and its progress are one transaction: a copy that is killed goes on behind its last chunk,
and never stores a row twice. The rows also say of which contents it is the copy.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import BigInteger, Column, MetaData, Row, Table, Text, Update, update

from faultwire_consumer.store.copy.plan import CopyRefusedError, TableSummary
from faultwire_consumer.store.schema.events import SCHEMA

progress = Table(
    "copy_progress",
    MetaData(schema=SCHEMA),
    Column("table_name", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("counted", BigInteger),
    Column("final_key", Text),
    Column("last_key", Text),
    Column("copied", BigInteger, nullable=False),
    comment="how far a copy into this database has got; made by the copy, and of no use to a worker",
)


class Step(Struct, frozen=True):
    """How far the copy of a table is, or shall be after a chunk."""

    last_key: str | None
    copied: int


def progress_rows(source: str, marks: Mapping[str, TableSummary]) -> list[dict[str, Any]]:
    """The rows by which a copy begins."""
    return [
        {
            "table_name": name,
            "source": source,
            "rows": mark.rows,
            "counted": mark.counted,
            "final_key": mark.final_key,
            "last_key": None,
            "copied": 0,
        }
        for name, mark in marks.items()
    ]


def read_progress(rows: Iterable[Row[Any]]) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
    """The marks and steps in those rows."""
    marks = {row.table_name: TableSummary(row.rows, row.counted, row.final_key) for row in rows}
    return marks, {row.table_name: Step(row.last_key, row.copied) for row in rows}


def advance(table: Table, before: Step, after: Step) -> Update:
    """The statement that takes a table's progress from one step to the next, if it stands at the first."""
    return (
        update(progress)
        .where(progress.c.table_name == table.name, progress.c.copied == before.copied)
        .values(last_key=after.last_key, copied=after.copied)
    )


def check_moved(rowcount: int) -> None:
    """See that it stood there.

    Raises:
        CopyRefusedError: it did not.
    """
    if rowcount != 1:
        raise CopyRefusedError("another copy into this database is at work; let it end")

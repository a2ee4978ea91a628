"""Progress of a copy: one row for each table, in the target database.

A chunk and its progress are one transaction: a copy that is killed goes on after its last chunk, and
never stores a row twice. The rows also identify the contents of which it is the copy.
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
    """The progress of a table's copy, now or after a chunk."""

    last_key: str | None
    copied: int


def progress_rows(source: str, summaries: Mapping[str, TableSummary]) -> list[dict[str, Any]]:
    """Return the rows with which a copy begins."""
    return [
        {
            "table_name": name,
            "source": source,
            "rows": summary.rows,
            "counted": summary.counted,
            "final_key": summary.final_key,
            "last_key": None,
            "copied": 0,
        }
        for name, summary in summaries.items()
    ]


def read_progress(rows: Iterable[Row[Any]]) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
    """Return the summaries and steps in those rows."""
    summaries = {row.table_name: TableSummary(row.rows, row.counted, row.final_key) for row in rows}
    return summaries, {row.table_name: Step(row.last_key, row.copied) for row in rows}


def advance(table: Table, before: Step, after: Step) -> Update:
    """Return the statement that advances a table's progress to the next step, if it is still at the first."""
    return (
        update(progress)
        .where(progress.c.table_name == table.name, progress.c.copied == before.copied)
        .values(last_key=after.last_key, copied=after.copied)
    )


def check_moved(rowcount: int) -> None:
    """Check that exactly one row was advanced.

    Raises:
        CopyRefusedError: the progress was at another step.
    """
    if rowcount != 1:
        raise CopyRefusedError("another copy into this database is running; let it finish")

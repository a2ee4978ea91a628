"""Databases to copy: with something in every table and column, and what they hold."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    Float,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.types import TypeEngine

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.copy.plan import columns_of, copied_tables
from faultwire_consumer.store.schema.events import UtcDateTime, events
from faultwire_consumer.store.schema.upkeep import leases

ROWS: Final = 7
_NOON: Final = datetime(2026, 11, 23, 12, 0, 0, 123_457, tzinfo=UTC)


_MAKERS: Final[Mapping[type[TypeEngine[Any]], Callable[[int], Any]]] = {
    UtcDateTime: lambda number: _NOON + timedelta(days=number, microseconds=number),
    Date: lambda number: date(2026, 11, 20) + timedelta(days=number),
    Boolean: lambda number: number % 2 == 1,
    Integer: lambda number: 1000 + number,
    Float: lambda number: number + 0.1,
    LargeBinary: lambda number: bytes([number, 0, 255, 10]),
    Text: lambda number: f"number {number} ähnlich\t'\"\\ \U0001f600",
}


def value_of(column: Column[Any], number: int) -> Any:
    """A value of the column's type that no other row has; none in even rows where none is allowed."""
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return value_of(key.column, number)
    if column.nullable and number % 2 == 0:
        return None
    return next(make for kind, make in _MAKERS.items() if isinstance(column.type, kind))(number)


async def fill_every_table(store: Store) -> None:
    """Some rows in every table, whatever their meaning."""
    await store.prepare_days(
        frozenset(value_of(events.c.occurred_day, number) for number in range(1, ROWS + 1))
    )
    async with store.write() as tx:
        for table in copied_tables():
            rows = [
                {column.name: value_of(column, number) for column in columns_of(table)}
                for number in range(1, ROWS + 1)
            ]
            await tx.execute(insert(table), rows)


async def contents_of(store: Store) -> Mapping[str, Sequence[Row[Any]]]:
    """Every row of every table, in an order that is the same in both databases."""
    return {table.name: await rows_of(store, table) for table in copied_tables()}


async def rows_of(store: Store, table: Table) -> Sequence[Row[Any]]:
    """Every row of a table. A SQLite file that is opened ends the leases in it: their ends say nothing."""
    columns = [column for column in columns_of(table) if column is not leases.c.expires_at]
    return sorted(await store.read(select(*columns)), key=repr)

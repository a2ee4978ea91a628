"""Lists of incidents in each order, a page at a time, and the cursors between their pages.

Each order is that of an index and then of the incidents themselves. What changes with every batch is not
indexed: counts are by their class first, last sights by their hour.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, ColumnElement, Row, Select, SmallInteger, and_, literal, tuple_

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.store.contract.paging import BadCursorError
from faultwire_consumer.store.schema.events import UtcDateTime, from_micros, incidents, to_micros

_LISTING: Final = "incidents"
_COLUMNS: Final[Mapping[IncidentOrder, Sequence[str]]] = {
    IncidentOrder.LAST: ("last_seen_hour", "last_seen_at"),
    IncidentOrder.URGENT: ("urgency", "last_seen_hour", "last_seen_at"),
    IncidentOrder.FIRST: ("began_at",),
    IncidentOrder.COUNT: ("count_class", "count"),
    IncidentOrder.USERS: ("users",),
    IncidentOrder.GROWTH: ("growth",),
}


class OrderPosition(Struct, frozen=True, array_like=True):
    """The last incident of a page: by what it stands there, and its id."""

    listing: str
    values: list[int]


_decoder: Final = msgspec.json.Decoder(OrderPosition)


def columns_of_order(order: IncidentOrder) -> list[Column[Any]]:
    """Return the columns that make an order; every one runs downwards, and no two incidents are equal."""
    return [*(incidents.c[name] for name in _COLUMNS[order]), incidents.c.id]


def order_page(
    statement: Select[Any], order: IncidentOrder, position: OrderPosition | None, limit: int
) -> Select[Any]:
    """Return a statement for incidents as one for a page of them in this order."""
    columns = columns_of_order(order)
    statement = statement.add_columns(*(column.label(_label(column)) for column in columns))
    if order is IncidentOrder.FIRST:
        # Without figures yet, for a moment: PostgreSQL would have them first, and SQLite last.
        statement = statement.where(incidents.c.began_at.is_not(None))
    if position is not None:
        statement = statement.where(_after(columns, position))
    elif order is IncidentOrder.COUNT:
        # An index on the first of three columns is read by SQLite 3.53 only where a bound enters it.
        statement = statement.where(incidents.c.count_class >= 0)
    return statement.order_by(*(column.desc() for column in columns)).limit(limit)


def _after(columns: Sequence[Column[Any]], position: OrderPosition) -> ColumnElement[bool]:
    """Match all that follows a position; an index is entered by the first bound alone."""
    values = [
        literal(_typed(column, value), column.type)
        for column, value in zip(columns, position.values, strict=True)
    ]
    return and_(columns[0] <= values[0], tuple_(*columns) < tuple_(*values))


def order_beside(
    statement: Select[Any], order: IncidentOrder, values: Sequence[Any], *, is_before: bool
) -> Select[Any]:
    """Return a statement for incidents as one for the incident just before or after a place in this order.

    Args:
        statement: selects incidents.
        order: of the list.
        values: what the place has in the order's columns.
        is_before: the one before; else the one after.
    """
    columns = columns_of_order(order)
    given = [literal(value, column.type) for column, value in zip(columns, values, strict=True)]
    if order is IncidentOrder.FIRST:
        statement = statement.where(incidents.c.began_at.is_not(None))
    # An index is entered by the bound on its first column alone.
    place, own = tuple_(*columns), tuple_(*given)
    if is_before:
        condition = and_(columns[0] >= given[0], place > own)
        return statement.where(condition).order_by(*columns).limit(1)
    condition = and_(columns[0] <= given[0], place < own)
    return statement.where(condition).order_by(*(column.desc() for column in columns)).limit(1)


def encode_position(order: IncidentOrder, row: Row[Any]) -> str:
    """Return the cursor of the incidents that follow a row of `order_page`."""
    found = [getattr(row, _label(column)) for column in columns_of_order(order)]
    values = [to_micros(value) if isinstance(value, datetime) else int(value) for value in found]
    text = msgspec.json.encode(OrderPosition(_name(order), values))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode_position(order: IncidentOrder, cursor: str) -> OrderPosition:
    """Return the position at which the page before ended.

    Raises:
        BadCursorError: the text is not a cursor of a list in this order.
    """
    try:
        body = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        position = _decoder.decode(body)
        columns = columns_of_order(order)
        if position.listing != _name(order) or len(position.values) != len(columns):
            raise BadCursorError("the cursor belongs to another list")
        for column, value in zip(columns, position.values, strict=True):
            _typed(column, value)
    except (binascii.Error, UnicodeError, msgspec.MsgspecError, OverflowError):
        raise BadCursorError("the cursor is not one that this list gave") from None
    return position


def _typed(column: Column[Any], value: int) -> Any:
    """Return a number of a cursor as the column has it.

    Raises:
        OverflowError: no row can have it.
    """
    if isinstance(column.type, UtcDateTime):
        return from_micros(value)
    bits = 15 if isinstance(column.type, SmallInteger) else 63 if isinstance(column.type, BigInteger) else 31
    if not 0 <= value < 2**bits:
        raise OverflowError(value)
    return value


def _label(column: Column[Any]) -> str:
    return f"order_{column.name}"


def _name(order: IncidentOrder) -> str:
    return f"{_LISTING} by {order}"

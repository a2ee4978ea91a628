"""Writes that wait for each other and go to PostgreSQL as one statement: one round trip for all of them.

A first sight writes texts, a history, what is pending or due, and its producer's number. None of these asks
what another one did; each alone cost a round trip, and SQLAlchemy's work on the way to it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from msgspec import Struct
from sqlalchemy import Table
from sqlalchemy.dialects import postgresql

_PARAMETER: Final = re.compile(r"\$(\d+)")
_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


class Shape(Struct, frozen=True):
    """One write of several: named expressions of a ``WITH``, of which the last one writes and returns rows.

    In their texts ``$1`` and so on are the write's own parameters, all of them arrays, and ``{after}`` is a
    condition that has the writes before it run first: PostgreSQL promises no order, and locks are taken in
    one.
    """

    expressions: tuple[tuple[str, str], ...]
    parameters: int


UsualWrites = Sequence[Sequence[Shape]]
"""Several times what is sent together."""


class Write(Struct, frozen=True):
    """A shape with the values of its parameters."""

    shape: Shape
    values: Sequence[Any]


class Pile(Protocol):
    """The writes of a transaction that have not been sent yet.

    They go before anything else that the transaction does, and before its commit.
    """

    async def add(self, write: Write) -> None:
        """Have a write sent with those that follow; if one of its shape waits, that one is sent first."""
        ...

    async def send(self, last: Write | None = None) -> Sequence[Any]:
        """Send what waits, and after it this one; return the rows of the last one by their columns' names."""
        ...


def insertion(name: str, table: Table, columns: Sequence[str], *, conflict: str = "") -> Shape:
    """Return the insertion of rows into a table, in the order in which they are given.

    Args:
        name: its name among others.
        table: the table, which is ``t`` in the clause of a conflict.
        columns: the columns that are given.
        conflict: an ``ON CONFLICT`` clause.
    """
    types = (table.c[one].type.compile(dialect=_DIALECT) for one in columns)
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    names = ", ".join(f'"{one}"' for one in columns)
    text = (
        f"INSERT INTO {table.schema}.{table.name} AS t ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608 - our own words
        f" WHERE {{after}} {conflict} RETURNING 1"
    )
    return Shape(((name, text),), len(columns))


def write_of(shape: Shape, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Write:
    """Return rows as a write: an array for each column."""
    return Write(shape, [[row[name] for row in rows] for name in columns])


def nothing_of(shapes: Sequence[Shape]) -> list[list[Any]]:
    """Return values with which these shapes write nothing: every parameter is an array."""
    return [[] for shape in shapes for _ in range(shape.parameters)]


@lru_cache(maxsize=128)
def together(shapes: tuple[Shape, ...]) -> str:
    """Return one statement for all shapes, in their order; it returns the rows of the last."""
    expressions: list[str] = []
    last, taken = "", 0
    for shape in shapes:
        after = f"(SELECT count(*) FROM {last}) >= 0" if last else "true"  # noqa: S608 - our own words
        for name, text in shape.expressions:
            expressions.append(f"{name} AS ({_renumbered(text, taken).replace('{after}', after)})")
            last = name
        taken += shape.parameters
    return f"WITH {', '.join(expressions)} SELECT * FROM {last}"  # noqa: S608 - our own words


def _renumbered(text: str, taken: int) -> str:
    return _PARAMETER.sub(lambda match: f"${int(match[1]) + taken}", text)

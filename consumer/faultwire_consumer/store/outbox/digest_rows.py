"""The pending rows of a digest: those that are due for it, and those that are early."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import ColumnElement, Executable, FromClause, Row, and_, func, not_, or_, select

from faultwire_consumer.domain.rules import Conditions
from faultwire_consumer.store.schema.notify import pending

Ask = Callable[[Executable], Awaitable[Sequence[Row[Any]]]]
"""Runs one query, in a transaction or outside any."""


class DigestScope(Struct, frozen=True, kw_only=True):
    """A digest that is made or looked at: its rule and receiver, its period, and what is due for it."""

    rule: str
    receiver: str
    since: datetime
    until: datetime
    due_until: datetime
    """What is pending for a digest until then belongs to it; the end of the period, if that is over."""
    where: Conditions | None
    """The rule's, for what is told beside what is pending; None: the rule is gone, and nothing is."""


def due_rows(scope: DigestScope) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the pending rows that a digest tells of.

    These are the rows that are due for it, and the early ones of the same incidents: those were written
    before its end though they are due later, since its hour was another one then.
    """
    due = pending.alias("due_by_then")
    incidents_due = select(due.c.incident_id).where(*rows_of(scope, due), is_due(scope, due))
    is_early = and_(pending.c.created_at < scope.until, pending.c.incident_id.in_(incidents_due))
    return (*rows_of(scope, pending), or_(is_due(scope, pending), is_early))


def taken_rows(scope: DigestScope) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the rows that the transaction which makes a digest has marked."""
    return (*rows_of(scope, pending), pending.c.is_taken)


def is_due(scope: DigestScope, rows: FromClause = pending) -> ColumnElement[bool]:
    """Return the condition of pending rows that are due for a digest; it deletes them."""
    return rows.c.due_at <= scope.due_until


def is_later(scope: DigestScope, rows: FromClause) -> ColumnElement[bool]:
    """Return the condition of pending rows that belong to the digests after this one."""
    return and_(not_(is_due(scope, rows)), rows.c.created_at >= scope.until)


def rows_of(scope: DigestScope, rows: FromClause) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of all that is pending of a rule for a receiver."""
    return (rows.c.rule == scope.rule, rows.c.receiver == scope.receiver)


async def has_one_hour(ask: Ask, only: Sequence[ColumnElement[bool]]) -> bool:
    """Return True if pending rows are all due at one time, so that each incident has one row."""
    due_at = pending.c.due_at
    first, last = func.min(due_at, type_=due_at.type), func.max(due_at, type_=due_at.type)
    (row,) = await ask(select(first.label("first"), last.label("last")).where(*only))
    return bool(row.first == row.last)

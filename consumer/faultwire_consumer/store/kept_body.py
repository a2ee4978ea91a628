"""Where an event's body is, if it is kept: in its row, or beside it as its incident's first or last."""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from faultwire_consumer.store.schema import edge_bodies


def has_body(table: Any) -> ColumnElement[bool]:
    """Whether an event of ``events``, or of an alias of it, can be read and not only counted."""
    return or_(table.c.doc.is_not(None), exists().where(_at_an_edge(table)).correlate(table))


def doc_of(table: Any) -> ColumnElement[Any]:
    """Its body, which is NULL where none is kept."""
    edge: Select[Any] = select(edge_bodies.c.doc).where(_at_an_edge(table)).correlate(table).limit(1)
    return func.coalesce(table.c.doc, edge.scalar_subquery())


def _at_an_edge(table: Any) -> ColumnElement[bool]:
    return and_(edge_bodies.c.fingerprint == table.c.fingerprint, edge_bodies.c.event_id == table.c.event_id)

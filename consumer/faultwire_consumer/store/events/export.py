"""Stored events in the order in which they were received, in pieces: for exports, and for regrouping."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, and_, or_, select

from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.contract.paging import ListCursor, decode_cursor, encode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.bodies import doc_of
from faultwire_consumer.store.events.condition import event_conditions, fingerprint_conditions
from faultwire_consumer.store.schema.events import events, fingerprints, incidents

PIECE_ROWS: Final = 200
"""The rows of one query: few enough to hold neither the database nor memory for long, though a body may
have 256 KiB."""
_LISTING: Final = "export"


class ExportedEvent(Struct, frozen=True, kw_only=True):
    """An event as it is stored, with its body if one was kept."""

    event_id: str
    received_at: datetime
    count: int
    doc: bytes | None
    fingerprint: bytes
    incident_id: int

    @property
    def cursor(self) -> str:
        """The cursor of the events that follow it."""
        return encode_cursor(_LISTING, self.received_at, self.event_id)


async def read_pieces(
    store: Store, query: Query, *, now: datetime, cursor: str | None = None
) -> AsyncIterator[Sequence[ExportedEvent]]:
    """Read matching events, the first received first; the last piece has fewer than `PIECE_ROWS` rows.

    Args:
        store: the store that has them.
        query: the query that selects them.
        now: the time that the query's relative times refer to.
        cursor: the position to go on from.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    position = decode_cursor(_LISTING, cursor, str) if cursor is not None else None
    chosen = _select(store.name, query, now)
    while True:
        statement = chosen if position is None else chosen.where(*_after(position))
        piece = [ExportedEvent(**values_of(row)) for row in await store.read(statement)]
        yield piece
        if len(piece) < PIECE_ROWS:
            return
        position = decode_cursor(_LISTING, piece[-1].cursor, str)


def _select(database: str, query: Query, now: datetime) -> Select[Any]:
    names = ("event_id", "received_at", "count", "fingerprint")
    grouped = events.join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)
    statement = (
        select(*(events.c[name] for name in names), doc_of(events).label("doc"), fingerprints.c.incident_id)
        .select_from(grouped.join(incidents, incidents.c.id == fingerprints.c.incident_id))
        .order_by(events.c.received_at, events.c.event_id)
        .limit(PIECE_ROWS)
    )
    if not query.terms:
        return statement
    return statement.where(
        *event_conditions(query, events.c, database=database, now=now),
        *fingerprint_conditions(query, database=database, now=now),
    )


def _after(position: ListCursor) -> Sequence[ColumnElement[bool]]:
    moment, key = events.c.received_at, events.c.event_id
    # The first condition follows from the second, and is the one that the index is entered by.
    return (
        moment >= position.moment,
        or_(moment > position.moment, and_(moment == position.moment, key > position.key)),
    )


async def find_incidents(
    store: Store, keys: Collection[bytes], *, below_version: int | None = None
) -> dict[bytes, int]:
    """Return the incidents of those fingerprints that are registered, if need be by an earlier version."""
    statement = select(fingerprints.c.fingerprint, fingerprints.c.incident_id).where(
        fingerprints.c.fingerprint.in_(sorted(keys))
    )
    if below_version is not None:
        statement = statement.where(fingerprints.c.version < below_version)
    rows = await store.read(statement)
    return {row.fingerprint: row.incident_id for row in rows}

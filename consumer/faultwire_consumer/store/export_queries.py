"""Stored events in the order in which they came, read piece by piece: for exports, and to group them anew."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, and_, or_, select

from faultwire_consumer.store.contract import Store
from faultwire_consumer.store.event_queries import EventFilter, event_conditions
from faultwire_consumer.store.paging import Position, decode_cursor, encode_cursor
from faultwire_consumer.store.row import values_of
from faultwire_consumer.store.schema import events, fingerprints

PIECE_ROWS: Final = 200
"""Rows of one query: neither the database nor the memory is held for long, though a body may have 256 KiB."""
_LISTING: Final = "export"


class Kept(Struct, frozen=True, kw_only=True):
    """An event as it is stored, with its body where one was kept."""

    event_id: str
    received_at: datetime
    count: int
    doc: bytes | None
    fingerprint: bytes
    incident_id: int

    @property
    def cursor(self) -> str:
        """What follows behind it."""
        return encode_cursor(_LISTING, self.received_at, self.event_id)


async def read_pieces(
    store: Store, wanted: EventFilter, *, cursor: str | None = None
) -> AsyncIterator[Sequence[Kept]]:
    """Events that match, the first received first; the last piece has fewer rows than `PIECE_ROWS`, or none.

    Raises:
        BadCursorError: the cursor is none of this order.
    """
    position = decode_cursor(_LISTING, cursor, str) if cursor is not None else None
    while True:
        piece = await _read_piece(store, wanted, position)
        yield piece
        if len(piece) < PIECE_ROWS:
            return
        position = decode_cursor(_LISTING, piece[-1].cursor, str)


async def _read_piece(store: Store, wanted: EventFilter, position: Position | None) -> Sequence[Kept]:
    statement = (
        select(*(events.c[name] for name in Kept.__struct_fields__[:-1]), fingerprints.c.incident_id)
        .select_from(events.join(fingerprints, fingerprints.c.fingerprint == events.c.fingerprint))
        .where(*event_conditions(wanted))
        .order_by(events.c.received_at, events.c.event_id)
        .limit(PIECE_ROWS)
    )
    if position is not None:
        statement = statement.where(*_behind(position))
    return [Kept(**values_of(row)) for row in await store.read(statement)]


def _behind(position: Position) -> Sequence[ColumnElement[bool]]:
    moment, key = events.c.received_at, events.c.event_id
    # The first follows from the second, and is what the index is asked by.
    return (
        moment >= position.moment,
        or_(moment > position.moment, and_(moment == position.moment, key > position.key)),
    )


async def find_incidents(store: Store, keys: Collection[bytes]) -> dict[bytes, int]:
    """The incidents of those fingerprints that are registered."""
    rows = await store.read(
        select(fingerprints.c.fingerprint, fingerprints.c.incident_id).where(
            fingerprints.c.fingerprint.in_(sorted(keys))
        )
    )
    return {row.fingerprint: row.incident_id for row in rows}

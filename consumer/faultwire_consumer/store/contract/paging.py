"""Pages of a list, each with an opaque cursor for the page that follows."""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, and_, or_

from faultwire_consumer.domain.incident_name import KEY_MAX
from faultwire_consumer.store.schema.events import from_micros, to_micros

T = TypeVar("T")

LIMIT_MAX: Final = 1000


class BadCursorError(ValueError):
    """A cursor that this list did not give."""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows of a list, and the cursor of the rows that follow, None at the end."""

    rows: tuple[T, ...]
    next_cursor: str | None


class ListCursor(msgspec.Struct, frozen=True, array_like=True):
    """The last row of a page, in a list that runs from the newest to the oldest."""

    listing: str
    micros: int
    key: int | str

    @property
    def moment(self) -> datetime:
        """The row's time."""
        return from_micros(self.micros)


_decoder: Final = msgspec.json.Decoder(ListCursor)


def encode_cursor(listing: str, moment: datetime, key: int | str) -> str:
    """Return the cursor of the rows that follow a row of that list."""
    text = msgspec.json.encode(ListCursor(listing, to_micros(moment), key))
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode_cursor(listing: str, cursor: str, key_type: type[int | str]) -> ListCursor:
    """Return the position at which the previous page ended.

    Raises:
        BadCursorError: the text is not a cursor of that list.
    """
    try:
        body = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), b"-_", validate=True)
        position = _decoder.decode(body)
        _ = position.moment
    except (binascii.Error, UnicodeError, msgspec.MsgspecError, OverflowError):
        raise BadCursorError("the cursor is not one that this list gave") from None
    if position.listing != listing or not isinstance(position.key, key_type) or not _storable(position.key):
        raise BadCursorError("the cursor belongs to another list")
    return position


def _storable(key: int | str) -> bool:
    # A producer names itself, unprintably too; only a NUL is in no list.
    return "\x00" not in key if isinstance(key, str) else 0 <= key <= KEY_MAX


def older_than(
    position: ListCursor, moment: ColumnElement[datetime], key: ColumnElement[Any]
) -> ColumnElement[bool]:
    """Return the condition of the rows that follow a position, newest first."""
    return or_(moment < position.moment, and_(moment == position.moment, key < position.key))


def cut(rows: Sequence[T], *, limit: int, listing: str, moment: str, key: str) -> Page[T]:
    """Cut rows, of which one more than ``limit`` was read, into a page."""
    shown = tuple(rows[:limit])
    if len(rows) <= limit:
        return Page(shown, None)
    last = shown[-1]
    return Page(shown, encode_cursor(listing, getattr(last, moment), getattr(last, key)))

"""What operators read of dead letters: lists, one with its body, and what was done to it."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row, select

from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import dead_letter_history, dead_letters

_LISTING: Final = "dead_letters"


class DeadLetterFilter(Struct, frozen=True, kw_only=True):
    """Which dead letters; within a field any of the values will do, and an empty field takes all."""

    status: tuple[DeadLetterStatus, ...] = (DeadLetterStatus.WAITING,)
    reason: tuple[str, ...] = ()


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What could not be stored, and why."""

    id: int
    reason: str
    detail: str
    first_seen_at: datetime
    last_seen_at: datetime
    attempts: int
    event_id: str | None
    origin: str
    message_type: str | None
    size: int
    status: DeadLetterStatus


class DeadLetterBody(DeadLetter, frozen=True, kw_only=True):
    """A dead letter with the bytes that came, possibly cut."""

    body: bytes


class DeadLetterHistoryEntry(Struct, frozen=True, kw_only=True):
    """One thing that was done to a dead letter, as it was written down."""

    at: datetime
    actor: str
    reason: str
    detail: str
    before: str
    after: str


_COLUMNS: Final = tuple(dead_letters.c[name] for name in DeadLetter.__struct_fields__)
_HISTORY: Final = tuple(dead_letter_history.c[name] for name in DeadLetterHistoryEntry.__struct_fields__)


async def list_dead_letters(
    store: Store, wanted: DeadLetterFilter, *, limit: int, cursor: str | None = None
) -> Page[DeadLetter]:
    """Dead letters that match, the newest first.

    Raises:
        BadCursorError: the cursor is none of this list.
    """
    table = dead_letters.c
    statement = select(*_COLUMNS)
    if wanted.status:
        statement = statement.where(table.status.in_([status.value for status in wanted.status]))
    if wanted.reason:
        statement = statement.where(table.reason.in_(wanted.reason))
    if cursor is not None:
        statement = statement.where(table.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(table.id.desc()).limit(limit + 1))
    found = [DeadLetter(**_values(row)) for row in rows]
    return cut(found, limit=limit, listing=_LISTING, moment="first_seen_at", key="id")


async def get_dead_letter(store: Store, letter_id: int) -> DeadLetterBody | None:
    """One dead letter with its body."""
    statement = select(*_COLUMNS, dead_letters.c.body).where(dead_letters.c.id == letter_id)
    rows = await store.read(statement)
    return DeadLetterBody(**_values(rows[0])) if rows else None


async def list_letter_history(store: Store, letter_id: int) -> tuple[DeadLetterHistoryEntry, ...]:
    """Everything that was done to a dead letter, the newest first."""
    table = dead_letter_history.c
    rows = await store.read(
        select(*_HISTORY).where(table.dead_letter_id == letter_id).order_by(table.id.desc())
    )
    return tuple(DeadLetterHistoryEntry(**values_of(row)) for row in rows)


def _values(row: Row[Any]) -> dict[str, Any]:
    values = values_of(row)
    return values | {"status": DeadLetterStatus(values["status"])}

"""Dead letters as operators read them: lists, one with its body, and its history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, func, literal, or_, select

from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.dead_letters import dead_letter_history, dead_letters

_LISTING: Final = "dead_letters"


class DeadLetterFilter(Struct, frozen=True, kw_only=True):
    """A filter of dead letters: any of a field's values matches, and an empty field matches all."""

    status: tuple[DeadLetterStatus, ...] = (DeadLetterStatus.WAITING,)
    reason: tuple[str, ...] = ()
    service: tuple[str, ...] = ()


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A body that could not be stored as an event, and the reason."""

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
    service: str | None
    """The service that its body names; None of one that was kept before this was read."""


class DeadLetterBody(DeadLetter, frozen=True, kw_only=True):
    """A dead letter with the bytes that were received, possibly cut."""

    body: bytes
    edited_body: bytes | None = None
    """The body as an operator corrected it."""

    @property
    def replayed_body(self) -> bytes:
        """Return the body that a replay puts through ingest."""
        return self.body if self.edited_body is None else self.edited_body


class DeadLetterHistoryEntry(Struct, frozen=True, kw_only=True):
    """One change of a dead letter, as it was recorded."""

    at: datetime
    actor: str
    reason: str
    detail: str
    before: str
    after: str


_COLUMNS: Final = tuple(dead_letters.c[name] for name in DeadLetter.__struct_fields__)
_HISTORY: Final = tuple(dead_letter_history.c[name] for name in DeadLetterHistoryEntry.__struct_fields__)


class ReasonCount(Struct, frozen=True):
    """The number of dead letters of one status and reason."""

    status: DeadLetterStatus
    reason: str
    count: int


async def count_dead_letters(store: Store, *, service: tuple[str, ...] = ()) -> tuple[ReasonCount, ...]:
    """Count dead letters by status and reason, of every service or of these; the most first."""
    table, number = dead_letters.c, func.count().label("number")
    statement = select(table.status, table.reason, number).group_by(table.status, table.reason)
    if service:
        statement = statement.where(_of_services(store.name, service))
    rows = await store.read(statement.order_by(number.desc(), table.reason))
    return tuple(ReasonCount(DeadLetterStatus(row.status), row.reason, row.number) for row in rows)


async def list_newest_by_reason(
    store: Store, wanted: DeadLetterFilter, *, each: int
) -> dict[str, tuple[DeadLetter, ...]]:
    """List the newest dead letters of every reason that match, at most ``each`` of one."""
    table = dead_letters.c
    place = func.row_number().over(partition_by=table.reason, order_by=table.id.desc()).label("place")
    ranked = select(table.id, place).where(*_conditions(store.name, wanted)).subquery()
    chosen = select(ranked.c.id).where(ranked.c.place <= each)
    rows = await store.read(select(*_COLUMNS).where(table.id.in_(chosen)).order_by(table.id.desc()))
    found: dict[str, tuple[DeadLetter, ...]] = {}
    for row in rows:
        found[row.reason] = (*found.get(row.reason, ()), DeadLetter(**_values(row)))
    return found


async def list_oldest_ids(store: Store, wanted: DeadLetterFilter, *, limit: int) -> tuple[int, ...]:
    """List the ids of dead letters that match, the oldest first."""
    conditions = _conditions(store.name, wanted)
    rows = await store.read(
        select(dead_letters.c.id).where(*conditions).order_by(dead_letters.c.id).limit(limit)
    )
    return tuple(row.id for row in rows)


async def list_dead_letters(
    store: Store, wanted: DeadLetterFilter, *, limit: int, cursor: str | None = None
) -> Page[DeadLetter]:
    """List dead letters that match, the newest first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    table = dead_letters.c
    statement = select(*_COLUMNS).where(*_conditions(store.name, wanted))
    if cursor is not None:
        statement = statement.where(table.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(table.id.desc()).limit(limit + 1))
    found = [DeadLetter(**_values(row)) for row in rows]
    return cut(found, limit=limit, listing=_LISTING, moment="first_seen_at", key="id")


async def get_dead_letter(store: Store, dead_letter_id: int) -> DeadLetterBody | None:
    """Return one dead letter with its body."""
    table = dead_letters.c
    statement = select(*_COLUMNS, table.body, table.edited_body).where(table.id == dead_letter_id)
    rows = await store.read(statement)
    return DeadLetterBody(**_values(rows[0])) if rows else None


async def list_dead_letter_history(store: Store, dead_letter_id: int) -> tuple[DeadLetterHistoryEntry, ...]:
    """List every change of a dead letter, the newest first."""
    table = dead_letter_history.c
    rows = await store.read(
        select(*_HISTORY).where(table.dead_letter_id == dead_letter_id).order_by(table.id.desc())
    )
    return tuple(DeadLetterHistoryEntry(**values_of(row)) for row in rows)


def _conditions(database: str, wanted: DeadLetterFilter) -> list[ColumnElement[bool]]:
    table = dead_letters.c
    conditions: list[ColumnElement[bool]] = []
    if wanted.status:
        conditions.append(table.status.in_([status.value for status in wanted.status]))
    if wanted.reason:
        conditions.append(table.reason.in_(wanted.reason))
    if wanted.service:
        conditions.append(_of_services(database, wanted.service))
    return conditions


def _of_services(database: str, services: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition of letters of these services; older ones are searched for the names."""
    table = dead_letters.c
    find = func.instr if database == "sqlite" else func.pg_catalog.position
    named = [
        find(table.body, literal(f'"service":{gap}"{service}"'.encode())) > 0
        for service in services
        for gap in ("", " ")
    ]
    return or_(table.service.in_(services), and_(table.service.is_(None), or_(*named)))


def _values(row: Row[Any]) -> dict[str, Any]:
    values = values_of(row)
    return values | {"status": DeadLetterStatus(values["status"])}

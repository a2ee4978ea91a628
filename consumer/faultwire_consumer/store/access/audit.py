"""The audit: entries are only ever added, in the transaction of what they tell."""

from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import insert, select

from faultwire_consumer.domain.access.audit import AUDIT_TEXT_MAX, AuditEntry
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.access import audit_log
from faultwire_shared.text import storable

_LISTING: Final = "audit"


class AuditFilter(Struct, frozen=True, kw_only=True):
    """A filter of entries; an empty field matches all."""

    actor: tuple[str, ...] = ()
    action: tuple[str, ...] = ()
    object: tuple[str, ...] = ()
    since: datetime | None = None


class AuditRow(Struct, frozen=True, kw_only=True):
    """An entry as it was written down; its words may be an older release's."""

    id: int
    at: datetime
    actor: str
    via: str
    request_id: str | None
    address: str | None
    action: str
    object: str
    detail: str


_COLUMNS: Final = tuple(audit_log.c[name] for name in AuditRow.__struct_fields__)


async def record_audit(tx: Transaction, entry: AuditEntry) -> None:
    """Add an entry; it is kept if the transaction is, and so is what it tells."""
    await tx.execute(
        insert(audit_log).values(
            at=entry.at,
            actor=_bounded(entry.actor),
            via=entry.via.value,
            request_id=_bounded(entry.request_id) if entry.request_id is not None else None,
            address=_bounded(entry.address) if entry.address is not None else None,
            action=entry.action.value,
            object=_bounded(entry.object),
            detail=_bounded(entry.detail),
        )
    )


async def list_audit(
    store: Store, wanted: AuditFilter, *, limit: int, cursor: str | None = None
) -> Page[AuditRow]:
    """List entries that match, the newest first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    table = audit_log.c
    statement = select(*_COLUMNS)
    for column, values in (
        (table.actor, wanted.actor), (table.action, wanted.action), (table.object, wanted.object)
    ):  # fmt: skip
        if values:
            statement = statement.where(column.in_(values))
    if wanted.since is not None:
        statement = statement.where(table.at >= wanted.since)
    if cursor is not None:
        statement = statement.where(table.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(table.id.desc()).limit(limit + 1))
    found = [AuditRow(**values_of(row)) for row in rows]
    return cut(found, limit=limit, listing=_LISTING, moment="at", key="id")


def _bounded(text: str) -> str:
    return storable(text)[:AUDIT_TEXT_MAX]

"""Incidents' transitions in the order of their rows, for whoever follows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Select, func, select

from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import history


class Change(Struct, frozen=True, kw_only=True):
    """One transition of an incident."""

    id: int
    """Its row's number: a later one may be committed first."""
    incident_id: int
    at: datetime
    actor: str
    reason: str
    before: str | None
    after: str


_COLUMNS: Final = tuple(history.c[name] for name in Change.__struct_fields__)


async def read_changes(store: Store, *, after: int, limit: int) -> Sequence[Change]:
    """Read transitions whose number is above one, the lowest first.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return [Change(**values_of(row)) for row in await store.read(select_changes(after, limit))]


def select_changes(after: int, limit: int) -> Select[Any]:
    """Select transitions by their number, in the order of the primary key."""
    return select(*_COLUMNS).where(history.c.id > after).order_by(history.c.id).limit(limit)


async def read_last_change_id(store: Store) -> int:
    """Read the highest number of a transition; 0 for none.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select(func.coalesce(func.max(history.c.id), 0).label("last")))
    return int(rows[0].last)

"""Owners of incidents: whom each was assigned to, for notifications that go to them."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, select

from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import incidents

_ASSIGNEES: Final = select(incidents.c.id, incidents.c.assignee).where(
    incidents.c.id.in_(bindparam("ids", expanding=True)), incidents.c.assignee.is_not(None)
)


async def read_assignees(tx: Transaction, ids: Sequence[int]) -> dict[int, str]:
    """Return who has each incident; those that nobody has are left out."""
    return {row.id: row.assignee for row in await tx.execute(_ASSIGNEES, {"ids": list(ids)})}

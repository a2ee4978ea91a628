"""Work that waits behind the events: figures to be added up, texts to be made findable, producers' disks."""

from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, Select, func, select

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import producers
from faultwire_consumer.store.schema.figures import figure_journal
from faultwire_consumer.store.schema.search import search_queue

COUNTED: Final = 1_000
"""Where counting batches ends."""


class Backlog(Struct, frozen=True, kw_only=True):
    """Work that is not done yet."""

    uncounted: int
    """Batches whose events are stored, and not in the figures yet; a thousand at most."""
    unsearched: int
    """Batches whose texts are not found by a search yet; a thousand at most."""
    on_disks: int
    """Events on the disks of services, by the last reports of their processes."""


async def read_backlog(store: Store) -> Backlog:
    """Read what waits.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    add_up = func.total if store.name == "sqlite" else func.sum
    spools = await store.read(
        select(func.coalesce(add_up(producers.c.spool_depth), 0).label("total")).where(
            producers.c.spool_depth > 0
        )
    )
    return Backlog(
        uncounted=int((await store.read(_count(figure_journal.c.id)))[0].total),
        unsearched=int((await store.read(_count(search_queue.c.id)))[0].total),
        on_disks=int(spools[0].total),
    )


def _count(key: Column[Any]) -> Select[Any]:
    found = select(key).limit(COUNTED).subquery()
    return select(func.count().label("total")).select_from(found)

"""The bounds of an answer that was looked for in what events say: some of them are only counted."""

from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.search import asks_kept
from faultwire_consumer.store.events.search_index import is_search_complete

_NOTE: Final = (
    "Texts and values (user, trace, tag, type, host) are looked up in the events whose bodies are kept, and "
    "texts in what each incident's first event said; other events are only counted."
)
_UNFINISHED: Final = " Events from before the upgrade are still being added."


class SearchBounds(Struct, frozen=True, kw_only=True):
    """The events in which texts and values were looked for."""

    events: str = "kept"
    """Those whose bodies are kept."""
    complete: bool
    """False while events from before an upgrade are still being made findable."""
    note: str
    """The same as a sentence."""


async def bounds_of_search(store: Store) -> SearchBounds:
    """The bounds of an answer that was looked for in what events say."""
    complete = await is_search_complete(store)
    return SearchBounds(complete=complete, note=_NOTE if complete else _NOTE + _UNFINISHED)


async def bounds_of_query(store: Store, query: Query) -> SearchBounds | None:
    """The bounds of a query's answer; None where it asks nothing of what events say."""
    return await bounds_of_search(store) if asks_kept(query) else None

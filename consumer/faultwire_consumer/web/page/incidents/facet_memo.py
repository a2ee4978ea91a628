"""Facets that were counted moments ago: nothing else on the list costs as much, and pages are shown often."""

from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.changes import read_last_change_id
from faultwire_consumer.store.events.figures.facets import Facets, read_facets
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_shared.memo import Memo

COUNTED_MAX: Final = 1_000
"""Incidents among which the page's facets are counted."""
KEPT_FOR: Final = timedelta(seconds=30)
QUERIES_MAX: Final = 64


class CountedFacets(Struct, frozen=True):
    """Facets as they were, and the incidents' last change then."""

    at: datetime
    last_change: int | None
    facets: Facets


class FacetMemo:
    """The facets of the last queries, until any incident changes, or half a minute is over."""

    def __init__(self) -> None:
        self._counted: Memo[str, CountedFacets] = Memo(QUERIES_MAX)

    async def read(self, store: Store, search: Search, *, now: datetime) -> Facets:
        """Return the facets of a list.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        last_change = await read_last_change_id(store)
        known = self._counted.get(search.text)
        if known is not None and known.last_change == last_change and now - known.at < KEPT_FOR:
            return known.facets
        facets = await read_facets(store, search.query, now=now, most=COUNTED_MAX)
        self._counted[search.text] = CountedFacets(now, last_change, facets)
        return facets


FACETS: Final = web.AppKey("facets", FacetMemo)

"""Acts on many incidents at once: on those that are chosen, or on all that the query finds."""

from msgspec import Struct

from faultwire_consumer.actions.verbs import MANY_MAX
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.events.figures.facets import Facets
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.page.incidents.search import Search


class BulkOffer(Struct, frozen=True, kw_only=True):
    """The query whose incidents can be acted on together."""

    query: str
    """Empty where it finds all there are, or more than one request acts on."""
    count: int
    is_too_many: bool
    most: int = MANY_MAX


def bulk_offer(search: Search, page: Page[Incident], facets: Facets) -> BulkOffer:
    """Return what is offered beside the chosen incidents: all that match, where a query says which."""
    is_too_many = facets.incidents > MANY_MAX
    is_offered = bool(search.parts) and bool(page.rows) and not is_too_many
    return BulkOffer(query=search.text if is_offered else "", count=facets.incidents, is_too_many=is_too_many)

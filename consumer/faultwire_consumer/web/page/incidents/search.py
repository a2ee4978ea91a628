"""The page's search form: the box with a query, and the choices beside it."""

from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.query.query import Key, Query, Trait, any_of, print_query
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.find import FoundKind, find_place
from faultwire_consumer.web.parameter import Parameters
from faultwire_shared.event import ErrorSeverity

UNRESOLVED: Final = "unresolved"
_VIEWS: Final = {UNRESOLVED: (Status.OPEN, Status.ACKNOWLEDGED), "all": ()}


class Search(Struct, frozen=True, kw_only=True):
    """The form as it was sent."""

    text: str
    """The content of the box, kept as it was written if it is wrong."""
    problem: QueryError | None
    query: Query
    view: str
    services: tuple[str, ...]
    severities: tuple[ErrorSeverity, ...]

    @property
    def is_filtered(self) -> bool:
        """True if the form asks for more than the view."""
        return bool(self.text or self.services or self.severities)

    @property
    def before(self) -> str:
        """The text before the mistake."""
        return self.text[: self.problem.column - 1] if self.problem is not None else ""

    @property
    def wrong(self) -> str:
        """The mistake."""
        return self.text[len(self.before) :][: self.problem.length] if self.problem is not None else ""


async def find_named(store: Store, search: Search) -> str | None:
    """The path of the one event or incident whose id stands in the box alone."""
    if not search.text or search.services or search.severities:
        return None
    found = await find_place(store, search.text)
    if found is None:
        return None
    return f"/e/{found.id}" if found.kind is FoundKind.EVENT else f"/incidents/{found.id}"


def _names_status(query: Query) -> bool:
    statuses = (Trait.OPEN, Trait.ACKNOWLEDGED, Trait.RESOLVED, Trait.UNRESOLVED)
    return any(
        term.key is Key.STATUS or (term.key is Key.IS and set(statuses) & set(term.values))
        for term in query.terms
    )


def read_search(parameters: Parameters) -> Search:
    """Read the form; the page explains a wrong query, `finish` any other wrong parameter."""
    text = parameters.raw_text("query")
    old = any_of(Key.TEXT, filter(None, [parameters.text("search")]))
    problem, query = None, old
    try:
        query = parse_query(text) + old
    except QueryError as error:
        problem = error
    by_api_s_word = parameters.choices("status", Status)
    view = parameters.text("view") or _view_of(by_api_s_word)
    if view == UNRESOLVED and _names_status(query):
        view = "all"  # what is written wins over what is chosen where nothing is
    statuses = _VIEWS[view] if view in _VIEWS else parameters.choices("view", Status)
    services, severities = parameters.texts("service"), parameters.choices("severity", ErrorSeverity)
    chosen = any_of(Key.STATUS, statuses) + any_of(Key.STATUS, by_api_s_word)
    chosen += any_of(Key.SERVICE, services) + any_of(Key.SEVERITY, severities)
    return Search(
        text=text or print_query(old),
        problem=problem,
        query=query + chosen,
        view=view,
        services=services,
        severities=severities,
    )


def _view_of(statuses: tuple[Status, ...]) -> str:
    """Return the view that shows what the API's parameter asks for."""
    return statuses[0].value if len(statuses) == 1 else "all" if statuses else UNRESOLVED

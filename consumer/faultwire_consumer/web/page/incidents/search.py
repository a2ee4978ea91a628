"""The list as its address asks for it: the query's text, its terms, the order, and the place in it."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.query.edit import QueryPart, join_parts, parts_of, without_key, write_term
from faultwire_consumer.domain.query.query import Key, Query, Term, Trait, Value, merge_terms
from faultwire_consumer.domain.query.text import QueryError
from faultwire_consumer.store.contract.paging import LIMIT_MAX
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.figures.order import decode_position
from faultwire_consumer.store.events.find import FoundKind, find_place
from faultwire_consumer.web.page.listed import TO_DO, USUAL_ORDER, list_path, path_from
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import API_PREFIX
from faultwire_shared.event import ErrorSeverity

SEEN: Final = ("24h", "7d", "30d")
"""Times that can be chosen without writing them."""
BACK_MAX: Final = 20
"""Pages to which a list remembers the way back; beyond them there is the first."""
_ALL: Final = "all"
_UNRESOLVED: Final = "unresolved"
_OLD: Final = ("view", "status", "severity", "service", "search")


class Search(Struct, frozen=True, kw_only=True):
    """A list of incidents as it is asked for."""

    text: str
    """The query, as it was written even where it is wrong."""
    parts: tuple[QueryPart, ...]
    """Its terms; none where it is wrong."""
    problem: QueryError | None = None
    order: IncidentOrder = USUAL_ORDER
    cursor: str | None = None
    back: tuple[str, ...] = ()
    """Cursors of the pages before, but for the first, which has none."""

    @property
    def query(self) -> Query:
        """Return the query that the text means."""
        return merge_terms(part.term for part in self.parts)

    @property
    def before(self) -> str:
        """Return the text before the mistake."""
        return self.text[: self.problem.column - 1] if self.problem is not None else ""

    @property
    def wrong(self) -> str:
        """Return the mistake."""
        return self.text[len(self.before) :][: self.problem.length] if self.problem is not None else ""

    @property
    def seen(self) -> str:
        """Return the time since when something was seen, as it is written; empty where none is."""
        written = [part.text.partition(":")[2] for part in self.parts if part.term.key is Key.SINCE]
        return written[0] if len(written) == 1 else " ".join(written)

    @property
    def path(self) -> str:
        """Return the address of this page of the list."""
        return list_path(self.text, self.order, cursor=self.cursor, back=self.back)

    def path_of(self, parts: Iterable[QueryPart]) -> str:
        """Return the address of the list that other terms ask for, in the same order."""
        return list_path(join_parts(parts), self.order)

    def path_to(self, path: str) -> str:
        """Return the address of an incident that keeps the way back to the list."""
        return path_from(path, self.text, self.order)

    def path_after(self, cursor: str) -> str:
        """Return the address of the page that follows."""
        back = self.back if self.cursor is None else (*self.back, self.cursor)
        return list_path(self.text, self.order, cursor=cursor, back=back[-BACK_MAX:])

    @property
    def path_before(self) -> str | None:
        """Return the address of the page before; the first page's where more is not known."""
        if self.cursor is None:
            return None
        if not self.back:
            return list_path(self.text, self.order)
        return list_path(self.text, self.order, cursor=self.back[-1], back=self.back[:-1])


class ExportPaths(Struct, frozen=True):
    """The addresses at which programs get what a list shows."""

    incidents: str
    events: str


def export_paths(search: Search) -> ExportPaths | None:
    """Return where the list is had as JSON, and its events as lines; None while the query is wrong."""
    if search.problem is not None:
        return None
    asked = [("query", search.text), ("limit", str(LIMIT_MAX))]
    incidents = urlencode([*asked, ("sort", search.order.value)])
    return ExportPaths(
        f"{API_PREFIX}/incidents?{incidents}", f"{API_PREFIX}/events/export?{urlencode(asked)}"
    )


def read_search(parameters: Parameters) -> Search:
    """Read a list's address; a query that is wrong is told beside it, the rest by ``finish``."""
    usual = "" if _is_old(parameters) else TO_DO
    text = parameters.raw_text("query") if parameters.flag("query", "") else usual
    parts, problem = _read_parts(text)
    return Search(
        text=text,
        parts=parts,
        problem=problem,
        order=parameters.choice("sort", IncidentOrder, usual=USUAL_ORDER, about="The order."),
        cursor=parameters.cursor(),
        back=parameters.texts("back")[-BACK_MAX:],
    )


def check_cursor(search: Search) -> None:
    """See that the list's cursor is one of its own, before anything is read.

    Raises:
        BadCursorError: it is not.
    """
    if search.cursor is not None:
        decode_position(search.order, search.cursor)


def _is_old(parameters: Parameters) -> bool:
    return any([parameters.flag(name, "") for name in _OLD])  # noqa: C419 - each is to be known by its name


def _read_parts(text: str) -> tuple[tuple[QueryPart, ...], QueryError | None]:
    try:
        return parts_of(text), None
    except QueryError as error:
        return (), error


def path_instead(parameters: Parameters, search: Search) -> str | None:
    """Return the address that says in its query what this one says beside it; None where it is all there.

    That is what the choice of a time adds, and what addresses of earlier versions said.
    """
    is_chosen, seen, was = parameters.flag("seen", ""), parameters.text("seen"), parameters.text("was")
    old = _old_terms(parameters, search.query) if _is_old(parameters) else []
    if not is_chosen and not _is_old(parameters):
        return None
    text = search.text
    if search.problem is None and seen != was:
        since, problem = _read_parts(f"since:{seen}" if seen else "")
        text = join_parts(search.parts if problem else (*without_key(search.parts, Key.SINCE), *since))
    return list_path(" ".join([one for one in (text.strip(), *map(write_term, old)) if one]), search.order)


def _old_terms(parameters: Parameters, query: Query) -> list[Term]:
    """Return what an address of an earlier version asks for beside its query."""
    wanted: tuple[tuple[Key, tuple[Value, ...]], ...] = (
        _old_status(parameters, query),
        (Key.SEVERITY, parameters.choices("severity", ErrorSeverity)),
        (Key.SERVICE, parameters.texts("service")),
        (Key.TEXT, tuple(filter(None, [parameters.text("search")]))),
    )
    return [Term(key, values) for key, values in wanted if values]


def _old_status(parameters: Parameters, query: Query) -> tuple[Key, tuple[Value, ...]]:
    """Return the status that a view showed, by the page's word or the API's; what is written wins over it."""
    view, statuses = parameters.text("view"), parameters.choices("status", Status)
    if view == _ALL:
        return Key.STATUS, ()
    if view not in (None, _UNRESOLVED):
        statuses = parameters.choices("view", Status)
    if statuses or _names_status(query):
        return Key.STATUS, statuses
    return Key.IS, (Trait.UNRESOLVED,)


def _names_status(query: Query) -> bool:
    statuses = {Trait.OPEN, Trait.ACKNOWLEDGED, Trait.RESOLVED, Trait.UNRESOLVED}
    return any(
        term.key is Key.STATUS or (term.key is Key.IS and statuses & set(term.values)) for term in query.terms
    )


async def find_named(store: Store, search: Search) -> str | None:
    """Return the path of the one event or incident whose id is the whole text.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    if not search.text or search.text == TO_DO or search.cursor is not None:
        return None
    found = await find_place(store, search.text)
    if found is None:
        return None
    return f"/e/{found.id}" if found.kind is FoundKind.EVENT else f"/incidents/{found.id}"

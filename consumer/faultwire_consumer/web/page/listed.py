"""Addresses of the list of incidents, and the one that a page was reached from, which its crumb keeps."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, urlencode

from msgspec import Struct

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.query.query import Key, Query, Trait, any_of, print_query
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_shared.event import ErrorSeverity

FROM: Final = "from"
"""The parameter of a page that holds the query string of the list."""
FROM_CHARACTERS: Final = 1_200
_FIELDS: Final = 20
_OLD_FIELDS: Final = ("view", "search", "service", "severity")
_VIEWS: Final = {
    "unresolved": any_of(Key.IS, [Trait.UNRESOLVED]),
    "all": Query(),
    **{status.value: any_of(Key.STATUS, [status]) for status in Status},
}


class FromList(Struct, frozen=True):
    """A list of incidents: its address, its query, and its order."""

    address: str
    query: Query
    order: IncidentOrder

    @property
    def text(self) -> str:
        """Return the query as text."""
        return print_query(self.query)


TO_DO: Final = "is:unresolved -is:muted"
"""The query of the list as it opens: what somebody has to look after."""
USUAL_ORDER: Final = IncidentOrder.URGENT
USUAL: Final = FromList("/", parse_query(TO_DO), USUAL_ORDER)
"""The list as it opens."""


def list_address(query: Query) -> str:
    """Return the address of the list of all incidents that a query finds, resolved ones too."""
    return list_path(print_query(query))


def list_path(
    text: str, order: IncidentOrder = USUAL_ORDER, *, cursor: str | None = None, back: Iterable[str] = ()
) -> str:
    """Return the address of a list: its query always, the rest where it is not the usual.

    Args:
        text: the query.
        order: of the list.
        cursor: where the page before ended; None for the first page.
        back: cursors of the pages before, but for the first, which has none.
    """
    fields = [("query", text)]
    if order is not USUAL_ORDER:
        fields.append(("sort", order.value))
    if cursor is not None:
        fields += [("cursor", cursor), *(("back", one) for one in back)]
    return f"/?{urlencode(fields)}"


def path_from(path: str, text: str, order: IncidentOrder) -> str:
    """Return the address of a page that knows from which list it was reached; as it opens is understood."""
    if (text, order) == (TO_DO, USUAL_ORDER):
        return path
    came_from = list_path(text, order).partition("?")[2]
    return f"{path}?{urlencode({FROM: came_from})}" if len(came_from) <= FROM_CHARACTERS else path


def read_from(text: str) -> FromList | None:
    """Return the list whose query string this is; None where it cannot be one of ours."""
    if not text or len(text) > FROM_CHARACTERS or not text.isprintable():
        return None
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=_FIELDS)
        query = _query_of(fields)
        order = IncidentOrder(fields.get("sort", [USUAL.order.value])[-1])
    except (ValueError, QueryError):
        return None
    return FromList(f"/?{text.replace('#', '%23')}", query, order)


def _query_of(fields: dict[str, list[str]]) -> Query:
    """Return the query of a list's fields, those of earlier versions included."""
    if not fields.keys() & {"query", *_OLD_FIELDS}:
        return USUAL.query
    query = parse_query(fields.get("query", [""])[-1])
    query += any_of(Key.TEXT, filter(None, fields.get("search", ())))
    query += any_of(Key.SERVICE, filter(None, fields.get("service", ())))
    query += any_of(Key.SEVERITY, map(ErrorSeverity, filter(None, fields.get("severity", ()))))
    view = fields.get("view", [""])[-1]
    return query + _VIEWS.get(view, Query())

"""The list that a page was reached from, by the query string that its crumb keeps."""

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


USUAL: Final = FromList("/", _VIEWS["unresolved"], IncidentOrder.URGENT)
"""The list as it opens."""


def list_address(query: Query) -> str:
    """Return the address of the list of all incidents that a query finds, resolved ones too."""
    return f"/?{urlencode({'query': print_query(query), 'view': 'all'})}"


def read_from(text: str) -> FromList | None:
    """Return the list whose query string this is; None where it cannot be one of ours."""
    if not text or len(text) > FROM_CHARACTERS or not text.isprintable():
        return None
    try:
        fields = parse_qs(text, max_num_fields=_FIELDS)
        query = _query_of(fields)
        order = IncidentOrder(fields.get("sort", [USUAL.order.value])[-1])
    except (ValueError, QueryError):
        return None
    return FromList(f"/?{text.replace('#', '%23')}", query, order)


def _query_of(fields: dict[str, list[str]]) -> Query:
    written = fields.get("query", [""])[-1]
    query = parse_query(written)
    query += any_of(Key.TEXT, fields.get("search", ()))
    query += any_of(Key.SERVICE, fields.get("service", ()))
    query += any_of(Key.SEVERITY, map(ErrorSeverity, fields.get("severity", ())))
    view = fields.get("view", [None])[-1]
    if view is None:
        return query if written else query + _VIEWS["unresolved"]
    return query + _VIEWS.get(view, Query())

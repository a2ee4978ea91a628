"""Facets beside the list: each value adds its term to the query, or takes it away."""

from functools import lru_cache
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.query.edit import has_term, with_term, without_term
from faultwire_consumer.domain.query.query import Key, Term
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.domain.searched import TAG
from faultwire_consumer.store.events.figures.facets import Facet, Facets, FacetValue
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_shared.event import ErrorSeverity

VALUES_SHOWN: Final = 7
"""Values that stand there at once; the others unfold."""
TAGS_SHOWN: Final = 4
_HIDDEN: Final = (Key.STATUS.value,)
"""Facets that the views have already."""


class FacetLink(Struct, frozen=True, kw_only=True):
    """A value, and the list with or without it."""

    value: str
    path: str
    count: int
    is_chosen: bool


class FacetList(Struct, frozen=True, kw_only=True):
    """A key with its values: those that most incidents have, and more of them."""

    name: str
    links: tuple[FacetLink, ...]
    more: tuple[FacetLink, ...]


@lru_cache(maxsize=64)
def facet_lists(facets: Facets, search: Search) -> tuple[FacetList, ...]:
    """Return the facets of a list; of the tags those that most incidents have."""
    named = [facet for facet in facets.facets if facet.key not in _HIDDEN]
    tags = [facet for facet in named if facet.key.startswith(TAG)][:TAGS_SHOWN]
    shown = [facet for facet in named if facet in tags or not facet.key.startswith(TAG)]
    return tuple(found for facet in shown if (found := _facet_list(facet, search)).links)


def _facet_list(facet: Facet, search: Search) -> FacetList:
    values = sorted(facet.values, key=_rank) if facet.key == Key.SEVERITY else facet.values
    links = [_link(value, search) for value in values if value.term]
    return FacetList(
        name=_name(facet.key), links=tuple(links[:VALUES_SHOWN]), more=tuple(links[VALUES_SHOWN:])
    )


def _rank(value: FacetValue) -> int:
    return -ErrorSeverity(value.value).rank


def _link(value: FacetValue, search: Search) -> FacetLink:
    term = _term_of(value.term)
    is_chosen = has_term(search.parts, term)
    parts = without_term(search.parts, term) if is_chosen else with_term(search.parts, term)
    return FacetLink(
        value=value.value or "nobody",
        path=search.path_of(parts),
        count=value.count,
        is_chosen=is_chosen,
    )


@lru_cache(maxsize=2_000)
def _term_of(text: str) -> Term:
    """Return the term that a facet's value is asked by; a page has a hundred of them, mostly the same."""
    (term,) = parse_query(text).terms
    return term


def _name(key: str) -> str:
    return f"Tag {key.removeprefix(TAG)}" if key.startswith(TAG) else key.capitalize()

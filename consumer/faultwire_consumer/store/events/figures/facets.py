"""Facets of a list of incidents: of which severities, services, releases and so on they are, and how many.

They are counted among the incidents that were seen last, up to a number: of a million incidents a filter is
wanted, not a sum.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, Row, Select, Subquery, func, or_, select

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.figures.value_count import HOST, OTHER, TAG
from faultwire_consumer.domain.query.query import Key, Query, Term, Trait, any_of, print_query
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.condition import incident_conditions
from faultwire_consumer.store.events.figures.order import columns_of_order
from faultwire_consumer.store.events.search import estimate_frequency
from faultwire_consumer.store.schema.events import fingerprints, incidents, sightings
from faultwire_consumer.store.schema.figures import value_counts
from faultwire_shared.event import ErrorSeverity

INCIDENTS_MAX: Final = 5_000
"""Incidents among which facets are counted."""
VALUES_SHOWN: Final = 20
TAGS_SHOWN: Final = 10
_TAG_ROWS: Final = 1_000
_UNASSIGNED: Final = Term(Key.IS, (Trait.ASSIGNED,), negated=True)
"""Not ``is:unassigned``, which next to another ``is:`` would be one of two that will do."""


class FacetValue(Struct, frozen=True):
    """A value, the term that asks for it, and the number of incidents that have it."""

    value: str
    """Of ``assigned`` it is empty for incidents that nobody has."""
    term: str
    """To be added to the query; empty where it has no writing there, as control characters have none."""
    count: int


class Facet(Struct, frozen=True):
    """A key of the operators' language, and the values that most incidents have."""

    key: str
    values: tuple[FacetValue, ...]


class Facets(Struct, frozen=True):
    """Facets of the incidents that match a query."""

    incidents: int
    """The number among which they are counted."""
    complete: bool
    """False if more incidents match: the others are those that were seen longer ago."""
    facets: tuple[Facet, ...]


async def read_facets(store: Store, query: Query, *, now: datetime, most: int = INCIDENTS_MAX) -> Facets:
    """Count the facets of the incidents that match, the last ``most`` of them.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    frequency = await estimate_frequency(store, query)
    found = select_found(store.name, query, now, common=frequency.is_common_in_incidents, most=most)
    rows, environments, releases, tags, assignees = await asyncio.gather(
        store.read(select_own_facets(found)),
        store.read(select_places(found, sightings.c.environment)),
        store.read(select_places(found, sightings.c.release)),
        store.read(select_tags(found)),
        store.read(select_assignees(found)),
    )
    total = sum(row.total for row in rows)
    own = [_facet(key, _sum_by(rows, key.value)) for key in (Key.SEVERITY, Key.STATUS, Key.SERVICE)]
    placed = [
        _facet(key, {row.value: row.total for row in found_there})
        for key, found_there in ((Key.ENVIRONMENT, environments), (Key.RELEASE, releases))
    ]
    every = (*own, *placed, *_tag_facets(tags), _assigned_facet(assignees))
    facets = tuple(facet for facet in every if facet.values)
    return Facets(min(total, most), total <= most, facets)


def select_found(
    database: str, query: Query, now: datetime, *, common: bool = False, most: int = INCIDENTS_MAX
) -> Subquery:
    """Select the incidents among which facets are counted, and one more."""
    table = incidents.c
    return (
        select(table.id, table.severity, table.status, table.service, table.assignee)
        .where(*incident_conditions(query, database=database, now=now, common=common))
        .order_by(*(column.desc() for column in columns_of_order(IncidentOrder.LAST)))
        .limit(most + 1)
        .subquery("found")
    )


def select_own_facets(found: Subquery) -> Select[Any]:
    """Count what incidents are by themselves."""
    columns = (found.c.severity, found.c.status, found.c.service)
    return select(*columns, func.count().label("total")).group_by(*columns)


def select_assignees(found: Subquery) -> Select[Any]:
    """Count the incidents that each person has, and those that nobody has."""
    total = func.count().label("total")
    assignee = found.c.assignee
    columns: list[Any] = [assignee.label("value"), total]
    return (
        select(*columns)
        .group_by(assignee)
        .order_by(assignee.is_(None).desc(), total.desc(), assignee)
        .limit(VALUES_SHOWN)
    )


def select_places(found: Subquery, column: Column[str]) -> Select[Any]:
    """Count the incidents that were seen in each environment, or release."""
    total = func.count(found.c.id.distinct()).label("total")
    columns: list[Any] = [column.label("value"), total]
    return (
        select(*columns)
        .select_from(found)
        .join(fingerprints, fingerprints.c.incident_id == found.c.id)
        .join(sightings, sightings.c.fingerprint == fingerprints.c.fingerprint)
        .where(column != "")
        .group_by(column)
        .order_by(total.desc(), column)
        .limit(VALUES_SHOWN)
    )


def select_tags(found: Subquery) -> Select[Any]:
    """Count the incidents that have each value of a tag, or were seen on each host."""
    table = value_counts.c
    total = func.count(found.c.id.distinct()).label("total")
    return (
        select(table.key, table.value, total)
        .select_from(found)
        .join(fingerprints, fingerprints.c.incident_id == found.c.id)
        .join(value_counts, table.fingerprint == fingerprints.c.fingerprint)
        .where(or_(table.key == HOST, table.key.startswith(TAG, autoescape=True)), table.value != OTHER)
        .group_by(table.key, table.value)
        .order_by(total.desc(), table.key, table.value)
        .limit(_TAG_ROWS)
    )


def _sum_by(rows: Sequence[Row[Any]], name: str) -> dict[Any, int]:
    sums: dict[Any, int] = {}
    for row in rows:
        value = getattr(row, name)
        sums[value] = sums.get(value, 0) + row.total
    return sums


def _facet(key: Key, counts: dict[Any, int]) -> Facet:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:VALUES_SHOWN]
    values = []
    for stored, count in ordered:
        value = ErrorSeverity.from_rank(stored) if key is Key.SEVERITY else stored
        values.append(FacetValue(str(value), _written(any_of(key, [value])), count))
    return Facet(key.value, tuple(values))


def _assigned_facet(rows: Sequence[Row[Any]]) -> Facet:
    """Return who has incidents; where nobody has any, that asks for nothing, and there is no facet."""
    values = [
        FacetValue("", _written(Query((_UNASSIGNED,))), row.total)
        if row.value is None
        else FacetValue(row.value, _written(any_of(Key.ASSIGNED, [row.value])), row.total)
        for row in rows
    ]
    return Facet(Key.ASSIGNED.value, tuple(values) if any(value.value for value in values) else ())


def _tag_facets(rows: Sequence[Row[Any]]) -> list[Facet]:
    """Return the keys whose values most incidents have; rows come in that order."""
    values: dict[str, list[FacetValue]] = {}
    for row in rows:
        its_values = values.setdefault(row.key, [])
        if len(its_values) < VALUES_SHOWN:
            its_values.append(FacetValue(row.value, _term(row.key, row.value), row.total))
    return [Facet(key, tuple(its_values)) for key, its_values in list(values.items())[:TAGS_SHOWN]]


def _term(key: str, value: str) -> str:
    name = key.removeprefix(TAG)
    return _written(Query((Term(Key.HOST, (value,)) if key == HOST else Term(Key.TAG, (value,), name=name),)))


def _written(query: Query) -> str:
    """Return the text that asks for a value; empty where the language has no way to write it or its key.

    A name is stored as it came: one with control characters can be asked for by no query, and one of a
    tag with blanks in it would be several terms.
    """
    written = print_query(query)
    try:
        return written if parse_query(written) == query else ""
    except QueryError:
        return ""

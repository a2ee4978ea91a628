"""Incidents as operators read them: lists by filter, one whole incident, and the page's totals."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row, Select, and_, case, func, select

from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import Terms, describe_mute, read_terms
from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.contract.paging import Page
from faultwire_consumer.store.contract.prepared import prepared
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, StoreReader
from faultwire_consumer.store.events.condition import NEVER_COUNTED, incident_conditions
from faultwire_consumer.store.events.figures.order import (
    OrderPosition,
    decode_position,
    encode_position,
    order_page,
)
from faultwire_consumer.store.events.search import estimate_frequency
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import fingerprints, history, hourly, incidents, sightings
from faultwire_consumer.store.schema.figures import value_counts
from faultwire_shared.event import ErrorSeverity

NAMES_MAX: Final = 200
"""Environments that are listed: who may publish may name any number of them."""


class Incident(Struct, frozen=True, kw_only=True):
    """An incident as lists show it."""

    id: int
    service: str
    title: str
    culprit: str
    severity: ErrorSeverity
    category: str
    code: str
    status: Status
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    episode: int
    resolved_at: datetime | None
    last_release: str | None
    assignee: str | None
    version: int
    terms: Terms
    urgency: int
    growth: int
    """In percent of the rate before; 0 where there is nothing to say."""
    is_new: bool
    users: int
    users_exact: bool

    @property
    def muted(self) -> str | None:
        """Return until when it is muted, in words; None if it is not."""
        return None if self.terms.mute is None else describe_mute(self.terms.mute)


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One transition of an incident, as it was recorded."""

    at: datetime
    actor: str
    reason: str
    event_id: str | None
    before: str | None
    after: str
    detail: str | None
    note: str | None
    release: str | None
    """Of the event, as of a regression."""


class Names(Struct, frozen=True):
    """Names as operators see them, and how many more there are."""

    names: tuple[str, ...]
    more: int = 0


class Totals(Struct, frozen=True, kw_only=True):
    """The numbers at the head of the page: incidents by status, and dead letters."""

    open: int
    acknowledged: int
    resolved: int
    dead_letters: int
    given_up: int = 0
    """Notifications that were given up lately, and wait for somebody."""
    quiet: int = 0
    """Services that should report and do not."""


_EVERY_ROW: Final = 2**31 - 1
_COLUMNS: Final = tuple(incidents.c[name] for name in Incident.__struct_fields__)


async def list_incidents(
    store: StoreReader,
    query: Query,
    *,
    limit: int,
    now: datetime,
    cursor: str | None = None,
    order: IncidentOrder = IncidentOrder.LAST,
) -> Page[Incident]:
    """List incidents that match, in an order; the last seen first unless another is asked for.

    No page has an incident that one before it had, unless it moved down meanwhile. What the incidents
    are ordered by mostly grows: then one may move up to the first page, and is passed over.

    Raises:
        BadCursorError: the cursor does not belong to this list, or not to this order of it.
    """
    position = decode_position(order, cursor) if cursor is not None else None
    frequency = await estimate_frequency(store, query)
    common = frequency.is_common_in_incidents
    rows = await store.read(
        select_incidents(store.name, query, position, limit + 1, now, order=order, common=common)
    )
    following = encode_position(order, rows[limit - 1]) if len(rows) > limit else None
    return Page(tuple(_incident(row) for row in rows[:limit]), following)


def select_incidents(
    database: str,
    query: Query,
    position: OrderPosition | None,
    limit: int,
    now: datetime,
    *,
    order: IncidentOrder = IncidentOrder.LAST,
    common: bool = False,
) -> Select[Any]:
    """Select a page of incidents in an order that has an index."""
    by_hour = order is IncidentOrder.LAST
    wanted = incident_conditions(query, database=database, now=now, common=common, by_hour=by_hour)
    return order_page(select(*_COLUMNS).where(*wanted), order, position, limit)


async def get_incident(store: StoreReader, incident_id: int) -> Incident | None:
    """Return one incident, if it exists and was counted at least once."""
    rows = await store.read(_select_incident(incident_id))
    return _incident(rows[0]) if rows else None


@prepared
def _select_incident(incident_id: int) -> Select[Any]:
    return select(*_COLUMNS).where(incidents.c.id == incident_id, incidents.c.count > 0)


async def list_history(
    store: StoreReader, incident_id: int, *, limit: int = _EVERY_ROW
) -> tuple[HistoryEntry, ...]:
    """List the transitions of an incident, the newest first: every one, or at most as many as a limit."""
    rows = await store.read(_select_history(incident_id, limit))
    return tuple(HistoryEntry(**values_of(row)) for row in rows)


@prepared
def _select_history(incident_id: int, limit: int) -> Select[Any]:
    columns = [history.c[name] for name in HistoryEntry.__struct_fields__]
    return (
        select(*columns)
        .where(history.c.incident_id == incident_id)
        .order_by(history.c.id.desc())
        .limit(limit)
    )


async def list_merged(store: StoreReader, incident_id: int) -> tuple[int, ...]:
    """List the incidents that were merged into one, and can be unmerged; at most `NAMES_MAX`."""
    return tuple(row.home for row in await store.read(_select_merged(incident_id)))


@prepared
def _select_merged(incident_id: int) -> Select[Any]:
    home = fingerprints.c.home_id
    return (
        select(home.label("home"))
        .distinct()
        .where(fingerprints.c.incident_id == incident_id, home.is_not(None))
        .order_by(home)
        .limit(NAMES_MAX)
    )


async def list_environments(store: StoreReader, incident_id: int) -> Names:
    """Return the environments in which an incident was seen, in the order of the first sights."""
    names = [row.name for row in await store.read(_select_environments(incident_id))]
    if len(names) <= NAMES_MAX:
        return Names(tuple(reversed(names)))
    rows = await store.read(_count_environments(incident_id))
    return Names(tuple(reversed(names[:NAMES_MAX])), rows[0].total - NAMES_MAX)


@prepared
def _select_environments(incident_id: int) -> Select[Any]:
    seen = _select_seen(incident_id).subquery()
    return select(seen.c.name).order_by(seen.c.at.desc(), seen.c.name.desc()).limit(NAMES_MAX + 1)


@prepared
def _count_environments(incident_id: int) -> Select[int]:
    return select(func.count().label("total")).select_from(_select_seen(incident_id).subquery())


def _select_seen(incident_id: int) -> Select[Any]:
    environment = sightings.c.environment
    counted = value_counts.c
    # Registered before its first event was counted, or counted with an event that had occurred before.
    is_earlier = counted.first_seen_at < sightings.c.created_at
    at = case((is_earlier, counted.first_seen_at), else_=sightings.c.created_at)
    return (
        select(environment.label("name"), func.min(at).label("at"))
        .join(fingerprints, fingerprints.c.fingerprint == sightings.c.fingerprint)
        .outerjoin(
            value_counts,
            and_(
                counted.fingerprint == sightings.c.fingerprint,
                counted.key == environment.name,
                counted.value == environment,
            ),
        )
        .where(fingerprints.c.incident_id == incident_id, environment != "")
        .group_by(environment)
    )


async def count_by_hour(store: StoreReader, incident_id: int, *, since: datetime) -> dict[datetime, int]:
    """Count an incident's events in each hour that had any."""
    rows = await store.read(select_hours(incident_id, since=since))
    return {row.hour: int(row.total) for row in rows}


@prepared
def select_hours(incident_id: int, *, since: datetime) -> Select[Any]:
    """Select an incident's counters by hour, summed over its fingerprints and environments."""
    return (
        select(hourly.c.hour, func.sum(hourly.c.count).label("total"))
        .join(fingerprints, fingerprints.c.fingerprint == hourly.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id, hourly.c.hour >= since)
        .group_by(hourly.c.hour)
    )


async def count_totals(store: Store) -> Totals:
    """Count incidents by status, and the dead letters that wait."""
    by_status = await store.read(select_totals())
    waiting = await store.read(
        select(func.count().label("total"))
        .select_from(dead_letters)
        .where(dead_letters.c.status == DeadLetterStatus.WAITING.value)
    )
    found = {row.status: row.total for row in by_status}
    return Totals(
        **{status.value: found.get(status.value, 0) for status in Status}, dead_letters=waiting[0].total
    )


def select_totals() -> Select[tuple[str, int]]:
    """Select the number of incidents by status, counted in an index without reading the rows."""
    return (
        select(incidents.c.status, func.count().label("total"))
        .where(incidents.c.last_seen_hour > NEVER_COUNTED)
        .group_by(incidents.c.status)
    )


async def read_services(store: Store, services: Collection[str]) -> frozenset[str]:
    """Return those services that have an incident, also one that was not counted yet."""
    table = incidents.c
    rows = await store.read(select(table.service).where(table.service.in_(sorted(services))).distinct())
    return frozenset(row.service for row in rows)


def _incident(row: Row[Any]) -> Incident:
    found = values_of(row)
    values = {name: found[name] for name in Incident.__struct_fields__}
    values["severity"] = ErrorSeverity.from_rank(values["severity"])
    values["status"] = Status(values["status"])
    values["terms"] = read_terms(values["terms"])
    return Incident(**values)

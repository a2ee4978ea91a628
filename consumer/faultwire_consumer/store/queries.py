"""What operators read of incidents: lists by filter, one whole incident, and the page's totals."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, func, select

from faultwire_consumer.domain.dead_letter import LetterStatus
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.store.contract import Store
from faultwire_consumer.store.paging import Page, contains_pattern, cut, decode_cursor, older_than
from faultwire_consumer.store.row import values_of
from faultwire_consumer.store.schema import dead_letters, fingerprints, history, hourly, incidents, sightings
from faultwire_shared.event import Category, ErrorSeverity

_LISTING: Final = "incidents"


class IncidentFilter(Struct, frozen=True, kw_only=True):
    """Which incidents; within a field any of the values will do, and an empty field takes all."""

    service: tuple[str, ...] = ()
    severity: tuple[ErrorSeverity, ...] = ()
    category: tuple[Category, ...] = ()
    code: tuple[str, ...] = ()
    status: tuple[Status, ...] = ()
    environment: tuple[str, ...] = ()
    release: tuple[str, ...] = ()
    since: datetime | None = None
    """Seen at or after it."""
    until: datetime | None = None
    """Seen at or before it."""
    search: str | None = None
    """Contained in title, culprit, code or service, in whatever case."""


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


class HistoryEntry(Struct, frozen=True, kw_only=True):
    """One transition of an incident, as it was written down."""

    at: datetime
    actor: str
    reason: str
    event_id: str | None
    before: str | None
    after: str


class Totals(Struct, frozen=True, kw_only=True):
    """What the head of the page says: incidents by status, and dead letters."""

    open: int
    acknowledged: int
    resolved: int
    dead_letters: int


_COLUMNS: Final = tuple(incidents.c[name] for name in Incident.__struct_fields__)


async def list_incidents(
    store: Store, wanted: IncidentFilter, *, limit: int, cursor: str | None = None
) -> Page[Incident]:
    """Incidents that match, the last seen first.

    Raises:
        BadCursorError: the cursor is none of this list.
    """
    table = incidents.c
    statement = select(*_COLUMNS).where(*_conditions(wanted))
    if cursor is not None:
        statement = statement.where(
            older_than(decode_cursor(_LISTING, cursor, int), table.last_seen_at, table.id)
        )
    rows = await store.read(statement.order_by(table.last_seen_at.desc(), table.id.desc()).limit(limit + 1))
    found = [_incident(row) for row in rows]
    return cut(found, limit=limit, listing=_LISTING, moment="last_seen_at", key="id")


async def get_incident(store: Store, incident_id: int) -> Incident | None:
    """One incident, if it exists and was counted at least once."""
    rows = await store.read(select(*_COLUMNS).where(incidents.c.id == incident_id, incidents.c.count > 0))
    return _incident(rows[0]) if rows else None


async def list_history(store: Store, incident_id: int) -> tuple[HistoryEntry, ...]:
    """Every transition of an incident, the newest first."""
    columns = [history.c[name] for name in HistoryEntry.__struct_fields__]
    rows = await store.read(
        select(*columns).where(history.c.incident_id == incident_id).order_by(history.c.id.desc())
    )
    return tuple(HistoryEntry(**values_of(row)) for row in rows)


async def list_places(store: Store, incident_id: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The environments and the releases in which an incident was ever seen, in order of their names."""
    rows = await store.read(
        select(sightings.c.environment, sightings.c.release)
        .distinct()
        .join(fingerprints, fingerprints.c.fingerprint == sightings.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id)
    )
    environments = sorted({row.environment for row in rows})
    releases = sorted({row.release for row in rows if row.release})
    return tuple(environments), tuple(releases)


async def count_by_hour(store: Store, incident_id: int, *, since: datetime) -> dict[datetime, int]:
    """How often an incident occurred in each hour that had any."""
    rows = await store.read(
        select(hourly.c.hour, func.sum(hourly.c.count).label("total"))
        .join(fingerprints, fingerprints.c.fingerprint == hourly.c.fingerprint)
        .where(fingerprints.c.incident_id == incident_id, hourly.c.hour >= since)
        .group_by(hourly.c.hour)
    )
    return {row.hour: int(row.total) for row in rows}


async def count_totals(store: Store) -> Totals:
    """Incidents by status, and the dead letters that wait."""
    by_status = await store.read(
        select(incidents.c.status, func.count().label("total"))
        .where(incidents.c.count > 0)
        .group_by(incidents.c.status)
    )
    letters = await store.read(
        select(func.count().label("total"))
        .select_from(dead_letters)
        .where(dead_letters.c.status == LetterStatus.WAITING.value)
    )
    found = {row.status: row.total for row in by_status}
    return Totals(
        **{status.value: found.get(status.value, 0) for status in Status}, dead_letters=letters[0].total
    )


async def list_services(store: Store) -> tuple[str, ...]:
    """Every service that has an incident, by name."""
    rows = await store.read(
        select(incidents.c.service).distinct().where(incidents.c.count > 0).order_by(incidents.c.service)
    )
    return tuple(row.service for row in rows)


def _conditions(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    table = incidents.c
    severities = tuple(severity.rank for severity in wanted.severity)
    choices: tuple[tuple[ColumnElement[Any], Sequence[Any]], ...] = (
        (table.service, wanted.service),
        (table.severity, severities),
        (table.category, wanted.category),
        (table.code, wanted.code),
        (table.status, wanted.status),
    )
    conditions = [table.count > 0, *(column.in_(values) for column, values in choices if values)]
    if wanted.environment or wanted.release:
        conditions.append(table.id.in_(_seen_in(wanted)))
    if wanted.since is not None:
        conditions.append(table.last_seen_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(table.first_seen_at <= wanted.until)
    if wanted.search:
        conditions.append(table.search_text.like(contains_pattern(wanted.search), escape="\\"))
    return conditions


def _seen_in(wanted: IncidentFilter) -> Select[tuple[int]]:
    statement = select(fingerprints.c.incident_id).join(
        sightings, sightings.c.fingerprint == fingerprints.c.fingerprint
    )
    if wanted.environment:
        statement = statement.where(sightings.c.environment.in_(wanted.environment))
    if wanted.release:
        statement = statement.where(sightings.c.release.in_(wanted.release))
    return statement


def _incident(row: Row[Any]) -> Incident:
    values = values_of(row)
    values["severity"] = ErrorSeverity.from_rank(values["severity"])
    values["status"] = Status(values["status"])
    return Incident(**values)

"""Lists of events by a query, in one of two ways that both end early.

What most events are is found by walking over them as they came, the newest first. What a query asks
of their incidents (or of where these were seen) may be rare among millions of events: then incidents
are found first, the last seen first, and each gives its newest events by an index of its own. An
incident that was last seen before the oldest event of a full page cannot add to it, so as a rule no
more incidents are asked than the page has rows.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    any_,
    bindparam,
    literal_column,
    select,
    true,
)

from faultwire_consumer.domain.query import Key, Query
from faultwire_consumer.store.contract.paging import ListCursor, Page, cut, decode_cursor, older_than
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.bodies import has_body
from faultwire_consumer.store.events.condition import (
    bounds_of,
    event_conditions,
    fingerprint_conditions,
    incident_exclusions,
    names_event,
)
from faultwire_consumer.store.schema.events import events, fingerprints, incidents
from faultwire_shared.event import ErrorSeverity

_EACH_WITH_ITS_INCIDENT: Final = events.outerjoin(
    fingerprints, fingerprints.c.fingerprint == events.c.fingerprint
).outerjoin(incidents, incidents.c.id == fingerprints.c.incident_id)
"""No event is without one, but an inner join may begin at any end: SQLite began with the fingerprints, and
sorted every event, where a file with few of them had been analyzed."""
_NARROW: Final = (
    *(Key.INCIDENT, Key.STATUS, Key.SERVICE, Key.ENVIRONMENT, Key.RELEASE),
    *(Key.CODE, Key.CATEGORY, Key.TEXT),
)
_CLOCK_AHEAD: Final = timedelta(minutes=5)
"""How much later than received an event may claim to have occurred; see ``ingest/read/candidate.py``."""
_CHUNK: Final = 200
"""Fingerprints that are asked for their newest events in one statement."""
_GROWTH: Final = 8


class EventSummary(Struct, frozen=True, kw_only=True):
    """An event as lists show it: its row without its body."""

    id: str
    incident_id: int
    title: str
    occurred_at: datetime
    received_at: datetime
    severity: ErrorSeverity
    service: str
    environment: str
    release: str | None
    count: int
    body_kept: bool
    """Whether the event can be read, and not only counted."""


class Asked(Struct, frozen=True):
    """A page of a list, as it is asked for."""

    query: Query
    limit: int
    now: datetime
    position: ListCursor | None = None
    """Where the page before ended."""

    def conditions(self, columns: Any, database: str) -> list[ColumnElement[bool]]:
        """What an event's row must be, by the columns of ``events`` or of an alias of it."""
        return event_conditions(self.query, columns, database=database, now=self.now)


_COLUMNS: Final = EventSummary.__struct_fields__[3:-1]


async def list_events(
    store: Store, query: Query, *, limit: int, now: datetime, cursor: str | None = None
) -> Page[EventSummary]:
    """Events that match, the newest first: as they came, or where incidents are asked for, as they occurred.

    Events never change, so pages join whatever is stored between them.

    Raises:
        BadCursorError: the cursor is none of this list.
    """
    name = "occurred_at" if is_narrow(query) else "received_at"
    position = decode_cursor(name, cursor, str) if cursor is not None else None
    asked = Asked(query, limit + 1, now, position)
    if is_narrow(query):
        found = await _list_by_incident(store, asked)
    else:
        found = [_summary(row) for row in await store.read(walk(store.name, asked))]
    return cut(found, limit=limit, listing=name, moment=name, key="id")


def is_narrow(query: Query) -> bool:
    """Whether incidents are looked for first."""
    if names_event(query):
        return False
    if query.of(*_NARROW):
        return True
    return any(ErrorSeverity.LOW not in term.values for term in query.of(Key.SEVERITY))


def walk(database: str, asked: Asked) -> Select[Any]:
    """Events as they came, the newest first."""
    table = events.c
    statement = _select(events, has_body(events)).select_from(_EACH_WITH_ITS_INCIDENT)
    if asked.query.terms:
        if names_event(asked.query):
            of_incident = fingerprint_conditions(asked.query, database=database, now=asked.now)
        else:
            of_incident = incident_exclusions(asked.query, database=database)
        statement = statement.where(*asked.conditions(table, database), *of_incident)
    since, _ = bounds_of(asked.query, now=asked.now)
    if since is not None:
        statement = statement.where(table.received_at >= since - _CLOCK_AHEAD)
    if asked.position is not None:
        statement = statement.where(*_after(asked.position, table.received_at, table.event_id))
    return statement.order_by(table.received_at.desc(), table.event_id.desc()).limit(asked.limit)


def candidates(database: str, asked: Asked, size: int) -> Select[Any]:
    """Fingerprints whose events may match, those of the incident that was last seen first."""
    table = incidents.c
    statement = (
        select(fingerprints.c.fingerprint, table.last_seen_at)
        .join_from(incidents, fingerprints, fingerprints.c.incident_id == table.id)
        .where(*fingerprint_conditions(asked.query, database=database, now=asked.now))
    )
    if asked.position is not None:
        statement = statement.where(table.first_seen_at <= asked.position.moment)
    order = (table.last_seen_hour.desc(), table.last_seen_at.desc(), table.id.desc())
    return statement.order_by(*order).limit(size)


def newest_of(database: str, asked: Asked, groups: Sequence[bytes]) -> Select[Any]:
    """The newest events of some fingerprints, each one's by its index."""
    one = events.alias("one")
    columns = (one.c.event_id, *(one.c[name] for name in _COLUMNS), has_body(one).label("body_kept"))
    of_group = select(*columns).where(*asked.conditions(one.c, database))
    if asked.position is not None:
        of_group = of_group.where(*_after(asked.position, one.c.occurred_at, one.c.event_id))
    chosen = _newest_on_postgresql if database == "postgresql" else _newest_on_sqlite
    found, statement = chosen(groups, one, of_group.order_by(one.c.occurred_at.desc()), asked.limit)
    return statement.order_by(found.c.occurred_at.desc(), found.c.event_id.desc()).limit(asked.limit)


def _newest_on_postgresql(
    groups: Sequence[bytes], one: Any, of_group: Select[Any], limit: int
) -> tuple[Any, Select[Any]]:
    # By the index's own order, and all that occurred at the last one's time: a sort by the id too
    # would read every event of a fingerprint that has more of them than most.
    found = (
        of_group.where(one.c.fingerprint == fingerprints.c.fingerprint)
        .fetch(limit, with_ties=True)
        .lateral("found")
    )
    joined = fingerprints.join(found, true()).join(incidents, incidents.c.id == fingerprints.c.incident_id)
    given = bindparam("groups", list(groups), type_=ARRAY(LargeBinary))
    rows = _select(found, found.c.body_kept).select_from(joined)
    return found, rows.where(fingerprints.c.fingerprint == any_(given))


def _newest_on_sqlite(
    groups: Sequence[bytes], one: Any, of_group: Select[Any], limit: int
) -> tuple[Any, Select[Any]]:
    # There is no LATERAL; rows are picked by their number instead.
    found = events.alias("found")
    picked: Select[Any] = (
        of_group.with_only_columns(literal_column("one.rowid"))
        .where(one.c.fingerprint == fingerprints.c.fingerprint)
        .order_by(one.c.event_id.desc())
        .limit(limit)
        .correlate(fingerprints)
    )
    joined = fingerprints.join(found, literal_column("found.rowid").in_(picked)).join(
        incidents, incidents.c.id == fingerprints.c.incident_id
    )
    rows = _select(found, has_body(found)).select_from(joined)
    return found, rows.where(fingerprints.c.fingerprint.in_(groups))


async def _list_by_incident(store: Store, asked: Asked) -> list[EventSummary]:
    found: list[EventSummary] = []
    seen: set[bytes] = set()
    size = asked.limit
    while True:
        # From the top again, as an incident that was seen meanwhile moved up there.
        groups = await store.read(candidates(store.name, asked, size))
        fresh = [row.fingerprint for row in groups if row.fingerprint not in seen]
        for start in range(0, len(fresh), _CHUNK):
            rows = await store.read(newest_of(store.name, asked, fresh[start : start + _CHUNK]))
            found += [_summary(row) for row in rows]
            found = sorted(found, key=lambda event: (event.occurred_at, event.id), reverse=True)
            del found[asked.limit :]
        seen.update(fresh)
        if len(groups) < size:
            return found
        if len(found) == asked.limit and found[-1].occurred_at > groups[-1].last_seen_at:
            return found
        size *= _GROWTH


def _after(
    position: ListCursor, moment: ColumnElement[datetime], key: ColumnElement[Any]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What follows a position; said twice, as an index is entered by a bound and not by an alternative."""
    return moment <= position.moment, older_than(position, moment, key)


def _select(found: Any, body_kept: ColumnElement[bool]) -> Select[Any]:
    return select(
        found.c.event_id.label("id"),
        fingerprints.c.incident_id,
        incidents.c.title,
        *(found.c[name] for name in _COLUMNS),
        body_kept.label("body_kept"),
    )


def _summary(row: Row[Any]) -> EventSummary:
    values = values_of(row)
    values["severity"] = ErrorSeverity.from_rank(values["severity"])
    return EventSummary(**values | {"body_kept": bool(values["body_kept"])})

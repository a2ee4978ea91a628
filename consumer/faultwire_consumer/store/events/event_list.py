"""Lists of events by a query, in one of three ways that all end early.

What matches most events is found by walking over them as they were received, the newest first. What a
query asks of their incidents (or of where these were seen) may be rare among millions of events: then
incidents are found first, the last seen first, and the newest events of each by an index. An incident
that was last seen before the oldest event of a full page cannot add to it, so as a rule no more
incidents are read than the page has rows. What a query asks of texts and values only kept events have:
these are found by what they say, and may be few or many; see `search.py`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    literal_column,
    select,
    true,
    type_coerce,
)

from faultwire_consumer.domain.query.query import BEGAN_OR_CAME_BACK, INCIDENT_MOMENTS, Key, Query
from faultwire_consumer.store.contract.paging import ListCursor, Page, cut, decode_cursor, older_than
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.bodies import has_body
from faultwire_consumer.store.events.condition import (
    bounds_of,
    event_conditions,
    fingerprint_conditions,
    incident_exclusions,
    names_event,
)
from faultwire_consumer.store.events.search import Frequency, estimate_frequency, kept_terms, says
from faultwire_consumer.store.schema.events import events, fingerprints, incidents
from faultwire_consumer.store.schema.search import event_texts
from faultwire_shared.event import ErrorSeverity

_EACH_WITH_ITS_INCIDENT: Final = events.outerjoin(
    fingerprints, fingerprints.c.fingerprint == events.c.fingerprint
).outerjoin(incidents, incidents.c.id == fingerprints.c.incident_id)
"""Every event has an incident, but an inner join may begin at either end: SQLite began with the
fingerprints and sorted every event if a file with few fingerprints had been analyzed."""
_NARROW: Final = (
    *(Key.INCIDENT, Key.STATUS, Key.SERVICE, Key.ENVIRONMENT, Key.RELEASE),
    *(Key.CODE, Key.CATEGORY, Key.IS, Key.ASSIGNED, *INCIDENT_MOMENTS, *BEGAN_OR_CAME_BACK),
)
_CLOCK_AHEAD: Final = timedelta(minutes=5)
"""The most by which ``occurred_at`` may be later than ``received_at``; see ``ingest/read/candidate.py``."""
_CHUNK: Final = 200
"""The number of fingerprints whose newest events are read in one statement."""
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
    """True if the event can be read, and is not only counted."""


class PageRequest(Struct, frozen=True):
    """A request for one page of a list."""

    query: Query
    limit: int
    now: datetime
    position: ListCursor | None = None
    """The position at which the previous page ended."""

    def conditions(self, columns: Any, database: str) -> list[ColumnElement[bool]]:
        """Return the conditions on an event's row, by the columns of ``events`` or of an alias of it."""
        return event_conditions(self.query, columns, database=database, now=self.now)


_COLUMNS: Final = EventSummary.__struct_fields__[3:-1]


async def list_events(
    store: StoreReader, query: Query, *, limit: int, now: datetime, cursor: str | None = None
) -> Page[EventSummary]:
    """List matching events, the newest first: by receipt, or by occurrence if something is searched first.

    Events never change, so pages fit together no matter what is stored between two requests.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    name = "occurred_at" if is_said(query) or is_narrow(query) else "received_at"
    position = decode_cursor(name, cursor, str) if cursor is not None else None
    request = PageRequest(query, limit + 1, now, position)
    if is_said(query):
        frequency = await estimate_frequency(store, query)
        found = [_summary(row) for row in await store.read(among_texts(store.name, request, frequency))]
    elif is_narrow(query):
        found = await _list_by_incident(store, request)
    else:
        found = [_summary(row) for row in await store.read(walk(store.name, request))]
    return cut(found, limit=limit, listing=name, moment=name, key="id")


def is_said(query: Query) -> bool:
    """True if events are found by what they say."""
    return bool(kept_terms(query)) and not names_event(query)


def is_narrow(query: Query) -> bool:
    """True if incidents are searched first."""
    if names_event(query):
        return False
    if query.of(*_NARROW):
        return True
    return any(ErrorSeverity.LOW not in term.values for term in query.of(Key.SEVERITY))


def walk(database: str, request: PageRequest) -> Select[Any]:
    """Select events as they were received, the newest first."""
    table = events.c
    statement = _select(events, has_body(events)).select_from(_EACH_WITH_ITS_INCIDENT)
    if request.query.terms:
        if names_event(request.query):
            of_incident = fingerprint_conditions(request.query, database=database, now=request.now)
        else:
            of_incident = incident_exclusions(request.query, database=database, now=request.now)
        statement = statement.where(*request.conditions(table, database), *of_incident)
    since, _ = bounds_of(request.query, now=request.now)
    if since is not None:
        statement = statement.where(table.received_at >= since - _CLOCK_AHEAD)
    if request.position is not None:
        statement = statement.where(*_after(request.position, table.received_at, table.event_id))
    return statement.order_by(table.received_at.desc(), table.event_id.desc()).limit(request.limit)


def among_texts(database: str, request: PageRequest, frequency: Frequency) -> Select[Any]:
    """Select kept events by what they say, the newest first, by a look-up or by walking over them."""
    texts, query, common = event_texts.c, request.query, frequency.is_common
    chosen = _with_text_on_postgresql if database == "postgresql" else _with_text_on_sqlite
    statement = chosen(
        [
            *event_conditions(query, events.c, database=database, now=request.now, said=False),
            *fingerprint_conditions(query, database=database, now=request.now),
        ]
    ).where(*says(kept_terms(query), event_texts, database=database, common=common))
    since, until = bounds_of(query, now=request.now)
    if since is not None:
        statement = statement.where(texts.occurred_at >= since)
    if until is not None:
        statement = statement.where(texts.occurred_at <= until)
    if request.position is not None:
        statement = statement.where(*_after(request.position, texts.occurred_at, texts.event_id))
    # Without the sum, SQLite would walk over all texts to have them in order, however few are looked up.
    moment: ColumnElement[Any] = texts.occurred_at
    if database == "sqlite" and not common:
        moment = type_coerce(moment, BigInteger) + 0
    return statement.order_by(moment.desc(), texts.event_id.desc()).limit(request.limit)


def _of_text() -> ColumnElement[bool]:
    same = (events.c.occurred_day == event_texts.c.occurred_day, events.c.event_id == event_texts.c.event_id)
    return and_(*same)


def _with_text_on_postgresql(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    # With a limit, so that it is looked up for each text: joined, every event might be read and sorted.
    found = (
        _select(events, has_body(events))
        .select_from(_EACH_WITH_ITS_INCIDENT)
        .where(_of_text(), *conditions)
        .limit(1)
        .correlate(event_texts)
        .lateral("found")
    )
    return select(*found.c).select_from(event_texts.join(found, true()))


def _with_text_on_sqlite(conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
    joined = (
        event_texts.outerjoin(events, _of_text())
        .outerjoin(fingerprints, fingerprints.c.fingerprint == event_texts.c.fingerprint)
        .outerjoin(incidents, incidents.c.id == fingerprints.c.incident_id)
    )
    of_event = (events.c.event_id.is_not(None), *conditions)
    return _select(events, has_body(events)).select_from(joined).where(*of_event)


def candidates(database: str, request: PageRequest, size: int) -> Select[Any]:
    """Select fingerprints whose events may match, those of the last seen incident first."""
    table = incidents.c
    statement = (
        select(fingerprints.c.fingerprint, table.last_seen_at)
        .join_from(incidents, fingerprints, fingerprints.c.incident_id == table.id)
        .where(*fingerprint_conditions(request.query, database=database, now=request.now))
    )
    if request.position is not None:
        statement = statement.where(table.first_seen_at <= request.position.moment)
    order = (table.last_seen_hour.desc(), table.last_seen_at.desc(), table.id.desc())
    return statement.order_by(*order).limit(size)


def newest_of(database: str, request: PageRequest, groups: Sequence[bytes]) -> Select[Any]:
    """Select the newest events of some fingerprints, by the index on fingerprint and time."""
    event = events.alias("event")
    columns = (event.c.event_id, *(event.c[name] for name in _COLUMNS), has_body(event).label("body_kept"))
    of_group = select(*columns).where(*request.conditions(event.c, database))
    if request.position is not None:
        of_group = of_group.where(*_after(request.position, event.c.occurred_at, event.c.event_id))
    chosen = _newest_on_postgresql if database == "postgresql" else _newest_on_sqlite
    found, statement = chosen(groups, event, of_group.order_by(event.c.occurred_at.desc()), request.limit)
    return statement.order_by(found.c.occurred_at.desc(), found.c.event_id.desc()).limit(request.limit)


def _newest_on_postgresql(
    groups: Sequence[bytes], event: Any, of_group: Select[Any], limit: int
) -> tuple[Any, Select[Any]]:
    # In the index's own order, with all that occurred at the last one's time: a sort by the id too
    # would read every event of a fingerprint that has more of them than most.
    found = (
        of_group.where(event.c.fingerprint == fingerprints.c.fingerprint)
        .fetch(limit, with_ties=True)
        .lateral("found")
    )
    joined = fingerprints.join(found, true()).join(incidents, incidents.c.id == fingerprints.c.incident_id)
    given = bindparam("groups", list(groups), type_=ARRAY(LargeBinary))
    rows = _select(found, found.c.body_kept).select_from(joined)
    return found, rows.where(fingerprints.c.fingerprint == any_(given))


def _newest_on_sqlite(
    groups: Sequence[bytes], event: Any, of_group: Select[Any], limit: int
) -> tuple[Any, Select[Any]]:
    # SQLite has no LATERAL; rows are picked by their number instead.
    found = events.alias("found")
    picked: Select[Any] = (
        of_group.with_only_columns(literal_column("event.rowid"))
        .where(event.c.fingerprint == fingerprints.c.fingerprint)
        .order_by(event.c.event_id.desc())
        .limit(limit)
        .correlate(fingerprints)
    )
    joined = fingerprints.join(found, literal_column("found.rowid").in_(picked)).join(
        incidents, incidents.c.id == fingerprints.c.incident_id
    )
    rows = _select(found, has_body(found)).select_from(joined)
    return found, rows.where(fingerprints.c.fingerprint.in_(groups))


async def _list_by_incident(store: StoreReader, request: PageRequest) -> list[EventSummary]:
    found: list[EventSummary] = []
    seen: set[bytes] = set()
    size = request.limit
    while True:
        # From the top again, since an incident seen in the meantime has moved up there.
        groups = await store.read(candidates(store.name, request, size))
        fresh = [row.fingerprint for row in groups if row.fingerprint not in seen]
        for start in range(0, len(fresh), _CHUNK):
            rows = await store.read(newest_of(store.name, request, fresh[start : start + _CHUNK]))
            found += [_summary(row) for row in rows]
            found = sorted(found, key=lambda event: (event.occurred_at, event.id), reverse=True)
            del found[request.limit :]
        seen.update(fresh)
        if len(groups) < size:
            return found
        if len(found) == request.limit and found[-1].occurred_at > groups[-1].last_seen_at:
            return found
        size *= _GROWTH


def _after(
    position: ListCursor, moment: ColumnElement[datetime], key: ColumnElement[Any]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return what follows a position, as two conditions: an index is entered by a bound, not by an OR."""
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

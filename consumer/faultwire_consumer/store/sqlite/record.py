"""The hot path on SQLite: one query says which events are there, one ``executemany`` inserts the others.

There is one writer, and its transaction has begun: what is not there when it looks is not there when it
writes. To have each insert look for itself cost 37 us an event where both together cost 16: SQLite copies
what an ``INSERT … SELECT`` reads from its own table, bodies included.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Sequence
from datetime import date
from itertools import chain
from typing import Final

from msgspec import Struct, json

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.figures.tally import encode_tally, tally
from faultwire_consumer.domain.incident import Status, Touched
from faultwire_consumer.domain.incident_terms import NO_TERMS, read_terms
from faultwire_consumer.store.contract.packed_body import PLAIN, Pack, codec_of
from faultwire_consumer.store.contract.store import (
    BODIES_MAX,
    Counted,
    EventRow,
    UnknownFingerprintsError,
)
from faultwire_consumer.store.events.bodies import edge_bodies_in, edge_bodies_to_mend
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, from_micros, to_micros
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.event_id import day_of

_HOUR: Final = 3_600_000_000

FIND_STORED: Final = """
SELECT event_id FROM events
WHERE occurred_day IN ('1970-01-01', ?) AND event_id IN (SELECT value FROM json_each(?))
"""
"""Of a day's ids, as a JSON list, those that have a row on that day or in quarantine."""
_INSERT_EVENT: Final = """
INSERT INTO events (occurred_day, event_id, fingerprint, occurred_at, received_at,
    severity, service, environment, release, count, producer_id, sequence, doc_codec, doc)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_COUNT_HOUR: Final = """
INSERT INTO hourly (fingerprint, environment, hour, count) VALUES (?, ?, ?, ?)
ON CONFLICT (fingerprint, environment, hour) DO UPDATE SET count = hourly.count + excluded.count
"""
_PUT_EDGE_BODY: Final = """
INSERT INTO edge_bodies (fingerprint, edge, occurred_day, event_id, occurred_at, doc_codec, doc)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (fingerprint, edge) DO UPDATE SET occurred_day = excluded.occurred_day,
    event_id = excluded.event_id, occurred_at = excluded.occurred_at, doc_codec = excluded.doc_codec,
    doc = excluded.doc
WHERE CASE excluded.edge WHEN 'first' THEN excluded.occurred_at < edge_bodies.occurred_at
    ELSE (excluded.occurred_at, excluded.event_id) > (edge_bodies.occurred_at, edge_bodies.event_id) END
"""
_JOURNAL: Final = "INSERT INTO figure_journal (body) VALUES (?)"
_BEFORE: Final = """
SELECT i.id, i.severity, i.count, i.bodies, i.status, i.episode, i.resolved_at, i.terms
FROM fingerprints f JOIN incidents i ON i.id = f.incident_id WHERE f.fingerprint = ?
"""
_TOUCH: Final = """
UPDATE incidents SET count = count + :n,
    first_seen_at = CASE WHEN count = 0 THEN :first_at ELSE min(first_seen_at, :first_at) END,
    last_seen_at = CASE WHEN count = 0 THEN :last_at ELSE max(last_seen_at, :last_at) END,
    last_release = coalesce(:release, last_release),
    bodies = bodies + :bodies,
    body_kept_at = CASE WHEN :bodies = 0 THEN body_kept_at
        ELSE max(coalesce(body_kept_at, :body_at), :body_at) END
WHERE id = :id
"""
# Apart, since it is in an index, whose entry SQLite writes anew even where nothing changes.
_RAISE_SEVERITY: Final = "UPDATE incidents SET severity = :severity WHERE id = :id"


class _Sum(Struct):
    """The sum of what a batch adds to one incident."""

    n: int
    first_at: int
    last_at: int
    severity: int
    newest_event_id: str
    release: str | None
    bodies: int
    body_at: int

    def add(self, other: "_Sum") -> None:
        self.n += other.n
        self.first_at = min(self.first_at, other.first_at)
        self.severity = max(self.severity, other.severity)
        if other.last_at > self.last_at:
            self.last_at, self.newest_event_id = other.last_at, other.newest_event_id
            self.release = other.release or self.release
        self.bodies += other.bodies
        self.body_at = max(self.body_at, other.body_at)


class _Before(Struct):
    """An incident before the batch, and how many more bodies its events may have."""

    incident_id: int
    severity: int
    count: int
    room: int
    status: str
    episode: int
    resolved_at: int | None
    terms: str | None


_Incidents = dict[bytes, _Before]


def record(
    connection: sqlite3.Connection,
    rows: Sequence[EventRow],
    growth: Sequence[int] = (),
    *,
    bodies_max: int = BODIES_MAX,
    pack: Pack = bytes,
) -> Counted:
    """Insert a batch and count exactly those that were not there before, inside the caller's transaction."""
    cursor = connection.cursor()
    incidents = _incidents_of(cursor, rows, bodies_max)
    duplicates = _stored_of(cursor, rows)
    new = _once([row for row in rows if row.event_id not in duplicates])
    with_body = [_takes_body(row, incidents.get(row.fingerprint)) for row in new]
    cut = {row.event_id for row, has in zip(new, with_body, strict=True) if row.body is Body.KEPT and not has}
    cursor.executemany(
        _INSERT_EVENT,
        [_values_of(row, pack(row.doc) if has else None) for row, has in zip(new, with_body, strict=True)],
    )
    cursor.executemany(_COUNT_HOUR, [(*hour, count) for hour, count in _hours_of(new).items()])
    if new:
        cursor.execute(_JOURNAL, (encode_tally(tally(new)),))
    _put_edge_bodies(
        cursor, [*edge_bodies_in(new), *edge_bodies_to_mend(rows, duplicates=duplicates, cut=cut)], pack
    )
    touched = _touch_incidents(cursor, _sums_of(new, with_body), incidents)
    return Counted(
        duplicates=duplicates,
        touched=tuple(incident for incident in touched if _may_decide(incident, growth)),
        cut=frozenset(cut),
        bodies={row.fingerprint: bodies_max for row in new if row.event_id in cut},
    )


def _incidents_of(cursor: sqlite3.Cursor, rows: Sequence[EventRow], bodies_max: int) -> _Incidents:
    incidents: _Incidents = {}
    by_id: dict[int, _Before] = {}
    for fingerprint in {row.fingerprint for row in rows}:
        found = cursor.execute(_BEFORE, (fingerprint,)).fetchone()
        if found is not None:
            incident_id, severity, count, bodies, *others = found
            before = _Before(incident_id, severity, count, bodies_max - bodies, *others)
            incidents[fingerprint] = by_id.setdefault(incident_id, before)
    return incidents


def _once(rows: Sequence[EventRow]) -> list[EventRow]:
    """Return the rows without those whose event stands before them in the batch."""
    once: dict[str, EventRow] = {}
    for row in rows:
        once.setdefault(row.event_id, row)
    return list(once.values())


def _hours_of(rows: Sequence[EventRow]) -> dict[tuple[bytes, str, int], int]:
    hours: dict[tuple[bytes, str, int], int] = {}
    for row in rows:
        at = to_micros(row.occurred_at)
        hour = (row.fingerprint, row.environment, at - at % _HOUR)
        hours[hour] = hours.get(hour, 0) + row.count
    return hours


def _sums_of(rows: Sequence[EventRow], with_body: Sequence[bool]) -> dict[bytes, _Sum]:
    sums: dict[bytes, _Sum] = {}
    for row, has_body in zip(rows, with_body, strict=True):
        added = _sum_of(row, has_body)
        if (total := sums.setdefault(row.fingerprint, added)) is not added:
            total.add(added)
    return sums


def _sum_of(row: EventRow, has_body: bool) -> _Sum:
    at = to_micros(row.occurred_at)
    return _Sum(
        row.count,
        at,
        at if row.last_at is None else to_micros(row.ended_at),
        row.severity.rank,
        row.event_id,
        row.release,
        has_body,
        at if has_body else 0,
    )


def _stored_of(cursor: sqlite3.Cursor, rows: Sequence[EventRow]) -> frozenset[str]:
    """Return the ids that have a row: on their own day, or in quarantine."""
    days: dict[date, list[str]] = {}
    for row in rows:
        day = day_of(row.event_id) if row.occurred_day == QUARANTINE_DAY else row.occurred_day
        days.setdefault(day, []).append(row.event_id)
    found = (
        cursor.execute(FIND_STORED, (day.isoformat(), json.encode(ids).decode())).fetchall()
        for day, ids in days.items()
    )
    return frozenset(event_id for (event_id,) in chain.from_iterable(found))


def _takes_body(row: EventRow, before: _Before | None) -> bool:
    """Return whether a row has its body beside it, which takes one from what its incident may have."""
    if row.body is not Body.KEPT or before is None or before.room <= 0:
        return False
    before.room -= 1
    return True


def _values_of(row: EventRow, doc: bytes | None) -> tuple[object, ...]:
    return (
        row.occurred_day.isoformat(),
        row.event_id,
        row.fingerprint,
        to_micros(row.occurred_at),
        to_micros(row.received_at),
        row.severity.rank,
        row.service,
        row.environment,
        row.release,
        row.count,
        row.producer_id,
        row.sequence,
        PLAIN if doc is None else codec_of(doc),
        doc,
    )


def _put_edge_bodies(
    cursor: sqlite3.Cursor, edge_bodies: Sequence[tuple[Body, EventRow]], pack: Pack
) -> None:
    cursor.executemany(
        _PUT_EDGE_BODY,
        [
            (
                row.fingerprint,
                edge,
                row.occurred_day.isoformat(),
                row.event_id,
                to_micros(row.occurred_at),
                codec_of(doc := pack(row.doc)),
                doc,
            )
            for edge, row in edge_bodies
        ],
    )


def _touch_incidents(cursor: sqlite3.Cursor, sums: dict[bytes, _Sum], incidents: _Incidents) -> list[Touched]:
    before: dict[int, _Before] = {}
    totals: dict[int, _Sum] = {}
    for fingerprint, added in sums.items():
        if fingerprint not in incidents:
            raise UnknownFingerprintsError(f"{added.n} events without an incident")
        incident = incidents[fingerprint]
        before[incident.incident_id] = incident
        if (total := totals.setdefault(incident.incident_id, added)) is not added:
            total.add(added)
    cursor.executemany(_TOUCH, [_added(incident_id, total) for incident_id, total in sorted(totals.items())])
    touched = [_touched(total, before[incident_id]) for incident_id, total in sorted(totals.items())]
    raised = [one for one in touched if one.severity.rank > one.severity_before.rank]
    cursor.executemany(
        _RAISE_SEVERITY, [{"id": one.incident_id, "severity": one.severity.rank} for one in raised]
    )
    return touched


def _may_decide(touched: Touched, growth: Sequence[int]) -> bool:
    return (
        touched.first_sight
        or touched.status is not Status.OPEN
        or touched.terms is not NO_TERMS
        or touched.episode > 1
        or touched.severity.rank > touched.severity_before.rank
        or bisect_right(growth, touched.count) > bisect_right(growth, touched.count_before)
    )


def _added(incident_id: int, added: _Sum) -> dict[str, object]:
    return {
        "id": incident_id,
        "n": added.n,
        "first_at": added.first_at,
        "last_at": added.last_at,
        "release": added.release,
        "bodies": added.bodies,
        "body_at": added.body_at,
    }


def _touched(added: _Sum, before: _Before) -> Touched:
    return Touched(
        incident_id=before.incident_id,
        status=Status(before.status),
        episode=before.episode,
        first_sight=before.count == 0,
        severity_before=ErrorSeverity.from_rank(before.severity),
        severity=ErrorSeverity.from_rank(max(before.severity, added.severity)),
        count_before=before.count,
        count=before.count + added.n,
        resolved_at=None if before.resolved_at is None else from_micros(before.resolved_at),
        newest_at=from_micros(added.last_at),
        newest_event_id=added.newest_event_id,
        terms=read_terms(before.terms),
    )

"""The hot path on SQLite: events are inserted row by row, and ``rowcount`` says which were new.

``executemany … RETURNING`` returns nothing here, a CTE cannot insert, and ``total_changes`` counts
what triggers write; row by row costs 2 % of executemany's rate and says *which* rows were new.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.figures.tally import encode_tally, tally
from faultwire_consumer.domain.incident import Status, Touched
from faultwire_consumer.domain.incident_terms import NO_TERMS, read_terms
from faultwire_consumer.store.contract.store import (
    BODIES_MAX,
    Counted,
    EventRow,
    NewFingerprint,
    Place,
    UnknownFingerprintsError,
)
from faultwire_consumer.store.events.bodies import edge_bodies_in, edge_bodies_to_mend
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, from_micros, to_micros
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.event_id import day_of

_HOUR: Final = 3_600_000_000

_INSERT_EVENT: Final = """
INSERT INTO events (occurred_day, event_id, fingerprint, occurred_at, received_at,
    severity, service, environment, release, count, producer_id, sequence, doc_codec, doc)
SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?
WHERE NOT EXISTS (SELECT 1 FROM events WHERE occurred_day IN ('1970-01-01', ?) AND event_id = ?)
ON CONFLICT DO NOTHING
"""
_COUNT_HOUR: Final = """
INSERT INTO hourly (fingerprint, environment, hour, count) VALUES (?, ?, ?, ?)
ON CONFLICT (fingerprint, environment, hour) DO UPDATE SET count = hourly.count + excluded.count
"""
_PUT_EDGE_BODY: Final = """
INSERT INTO edge_bodies (fingerprint, edge, occurred_day, event_id, occurred_at, doc_codec, doc)
VALUES (?, ?, ?, ?, ?, 0, ?)
ON CONFLICT (fingerprint, edge) DO UPDATE SET occurred_day = excluded.occurred_day,
    event_id = excluded.event_id, occurred_at = excluded.occurred_at, doc_codec = 0, doc = excluded.doc
WHERE CASE excluded.edge WHEN 'first' THEN excluded.occurred_at < edge_bodies.occurred_at
    ELSE (excluded.occurred_at, excluded.event_id) > (edge_bodies.occurred_at, edge_bodies.event_id) END
"""
_JOURNAL: Final = "INSERT INTO figure_journal (body) VALUES (?)"
_BEFORE: Final = """
SELECT i.id, i.severity, i.count, i.bodies
FROM fingerprints f JOIN incidents i ON i.id = f.incident_id WHERE f.fingerprint = ?
"""
_TOUCH: Final = """
UPDATE incidents SET count = count + :n,
    first_seen_at = CASE WHEN count = 0 THEN :first_at ELSE min(first_seen_at, :first_at) END,
    last_seen_at = CASE WHEN count = 0 THEN :last_at ELSE max(last_seen_at, :last_at) END,
    severity = max(severity, :severity),
    last_release = coalesce(:release, last_release),
    bodies = bodies + :bodies,
    body_kept_at = CASE WHEN :bodies = 0 THEN body_kept_at
        ELSE max(coalesce(body_kept_at, :body_at), :body_at) END
WHERE id = :id RETURNING status, episode, resolved_at, severity, count, terms
"""
_REGISTER: Final = """
INSERT INTO incidents (service, title, culprit, severity, category, code, status, episode, count,
    first_seen_at, last_seen_at, search_text) VALUES (?, ?, ?, ?, ?, ?, 'open', 1, 0, ?, ?, ?)
"""
_REGISTER_FINGERPRINT: Final = """
INSERT INTO fingerprints (fingerprint, version, digest, service, incident_id, parts, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


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


_Incidents = dict[bytes, _Before]


def record(
    connection: sqlite3.Connection,
    rows: Sequence[EventRow],
    growth: Sequence[int] = (),
    *,
    bodies_max: int = BODIES_MAX,
) -> Counted:
    """Insert a batch and count exactly those that were not there before, inside the caller's transaction."""
    cursor = connection.cursor()
    incidents = _incidents_of(cursor, rows, bodies_max)
    new: list[EventRow] = []
    cut: set[str] = set()
    hours: dict[tuple[bytes, str, int], int] = {}
    sums: dict[bytes, _Sum] = {}
    for row in rows:
        before = incidents.get(row.fingerprint)
        has_body = row.body is Body.KEPT and before is not None and before.room > 0
        if not _insert(cursor, row, row.doc if has_body else None):
            continue
        new.append(row)
        if before is not None and has_body:
            before.room -= 1
        elif row.body is Body.KEPT:
            cut.add(row.event_id)
        at = to_micros(row.occurred_at)
        hour = (row.fingerprint, row.environment, at - at % _HOUR)
        hours[hour] = hours.get(hour, 0) + row.count
        added = _Sum(
            row.count,
            at,
            at if row.last_at is None else to_micros(row.ended_at),
            row.severity.rank,
            row.event_id,
            row.release,
            has_body,
            at if has_body else 0,
        )
        if (total := sums.setdefault(row.fingerprint, added)) is not added:
            total.add(added)
    cursor.executemany(_COUNT_HOUR, [(*hour, count) for hour, count in hours.items()])
    if new:
        cursor.execute(_JOURNAL, (encode_tally(tally(new)),))
    stored = {row.event_id for row in new}
    duplicates = frozenset(row.event_id for row in rows if row.event_id not in stored)
    _put_edge_bodies(
        cursor, [*edge_bodies_in(new), *edge_bodies_to_mend(rows, duplicates=duplicates, cut=cut)]
    )
    touched = tuple(_touch_incidents(cursor, sums, incidents))
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
            incident_id, severity, count, bodies = found
            before = _Before(incident_id, severity, count, bodies_max - bodies)
            incidents[fingerprint] = by_id.setdefault(incident_id, before)
    return incidents


def _insert(cursor: sqlite3.Cursor, row: EventRow, doc: bytes | None) -> bool:
    own_day = day_of(row.event_id) if row.occurred_day == QUARANTINE_DAY else QUARANTINE_DAY
    cursor.execute(
        _INSERT_EVENT,
        (
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
            doc,
            own_day.isoformat(),
            row.event_id,
        ),
    )
    return cursor.rowcount == 1


def _put_edge_bodies(cursor: sqlite3.Cursor, edge_bodies: Sequence[tuple[Body, EventRow]]) -> None:
    cursor.executemany(
        _PUT_EDGE_BODY,
        [
            (
                row.fingerprint,
                edge,
                row.occurred_day.isoformat(),
                row.event_id,
                to_micros(row.occurred_at),
                row.doc,
            )
            for edge, row in edge_bodies
        ],
    )


def _touch_incidents(
    cursor: sqlite3.Cursor, sums: dict[bytes, _Sum], incidents: _Incidents
) -> Iterable[Touched]:
    before: dict[int, _Before] = {}
    totals: dict[int, _Sum] = {}
    for fingerprint, added in sums.items():
        if fingerprint not in incidents:
            raise UnknownFingerprintsError(f"{added.n} events without an incident")
        incident = incidents[fingerprint]
        before[incident.incident_id] = incident
        if (total := totals.setdefault(incident.incident_id, added)) is not added:
            total.add(added)
    for incident_id, total in sorted(totals.items()):
        yield _touch(cursor, total, before[incident_id])


def _may_decide(touched: Touched, growth: Sequence[int]) -> bool:
    return (
        touched.first_sight
        or touched.status is not Status.OPEN
        or touched.terms is not NO_TERMS
        or touched.episode > 1
        or touched.severity.rank > touched.severity_before.rank
        or bisect_right(growth, touched.count) > bisect_right(growth, touched.count_before)
    )


def _touch(cursor: sqlite3.Cursor, added: _Sum, before: _Before) -> Touched:
    status, episode, resolved_at, severity, count, terms = cursor.execute(
        _TOUCH,
        {
            "id": before.incident_id,
            "n": added.n,
            "first_at": added.first_at,
            "last_at": added.last_at,
            "severity": added.severity,
            "release": added.release,
            "bodies": added.bodies,
            "body_at": added.body_at,
        },
    ).fetchone()
    return Touched(
        incident_id=before.incident_id,
        status=Status(status),
        episode=episode,
        first_sight=before.count == 0,
        severity_before=ErrorSeverity.from_rank(before.severity),
        severity=ErrorSeverity.from_rank(severity),
        count_before=before.count,
        count=count,
        resolved_at=None if resolved_at is None else from_micros(resolved_at),
        newest_at=from_micros(added.last_at),
        newest_event_id=added.newest_event_id,
        terms=read_terms(terms),
    )


def register(
    connection: sqlite3.Connection,
    fingerprints: Sequence[NewFingerprint],
    places: Sequence[Place],
    now: int,
) -> None:
    """Register fingerprints and places inside the caller's transaction."""
    cursor = connection.cursor()
    for new in fingerprints:
        if cursor.execute(_BEFORE, (new.fingerprint,)).fetchone() is None:
            _register_one(cursor, new)
    cursor.executemany(
        "INSERT INTO sightings (fingerprint, environment, release, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(place.fingerprint, place.environment, place.release, now) for place in places],
    )


def _register_one(cursor: sqlite3.Cursor, new: NewFingerprint) -> None:
    joined = None if new.joins is None else cursor.execute(_BEFORE, (new.joins,)).fetchone()
    incident_id = _open_incident(cursor, new) if joined is None else joined[0]
    at = to_micros(new.occurred_at)
    cursor.execute(
        _REGISTER_FINGERPRINT,
        (new.fingerprint, new.version, new.digest, new.service, incident_id, new.parts_json, at),
    )


def _open_incident(cursor: sqlite3.Cursor, new: NewFingerprint) -> int | None:
    at = to_micros(new.occurred_at)
    cursor.execute(
        _REGISTER,
        (
            new.service,
            new.title,
            new.culprit,
            new.severity.rank,
            new.category,
            new.code,
            at,
            at,
            new.search_text,
        ),
    )
    return cursor.lastrowid

"""The hot path on PostgreSQL: one statement inserts a batch and counts what was really new.

Compared with one statement for each step, it saves the round trips and the grouping in Python; see
the figures next to the shapes in ``tests/benchmarks``. PostgreSQL promises no order among the CTEs
that write, so incidents are locked in order by a CTE of their own, and every insert is ordered.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.incident import Status, Touched
from faultwire_consumer.domain.incident_terms import read_terms
from faultwire_consumer.store.contract.packed_body import MAGIC, PLAIN, ZSTD, Pack
from faultwire_consumer.store.contract.store import (
    Counted,
    EventRow,
    NewFingerprint,
    Place,
    UnknownFingerprintsError,
)
from faultwire_consumer.store.events.bodies import EDGES
from faultwire_shared.event import ErrorSeverity

# A packed body names itself: its codec need not travel beside it.
_CODEC: Final = (
    f"CASE WHEN substr(doc, 1, {len(MAGIC)}) = '\\x{MAGIC.hex()}'::bytea THEN {ZSTD} ELSE {PLAIN} END"
)
_PUT_EDGE_BODY: Final = """
  ON CONFLICT (fingerprint, edge) DO UPDATE SET occurred_day = excluded.occurred_day,
      event_id = excluded.event_id, occurred_at = excluded.occurred_at, doc_codec = excluded.doc_codec,
      doc = excluded.doc
  WHERE CASE excluded.edge WHEN 'first' THEN excluded.occurred_at < b.occurred_at
    ELSE (excluded.occurred_at, excluded.event_id COLLATE "C") > (b.occurred_at, b.event_id COLLATE "C") END
"""

RECORD: Final = f"""
WITH src AS (
  SELECT * FROM unnest($1::date[], $2::text[], $3::bytea[], $4::timestamptz[], $5::timestamptz[],
      $6::smallint[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::bigint[],
      $13::bytea[], $14::text[])
    AS s(occurred_day, event_id, fingerprint, occurred_at, received_at,
      severity, service, environment, release, count, producer_id, sequence, doc, edge)
), ins AS (
  INSERT INTO faultwire.events (occurred_day, event_id, fingerprint, occurred_at, received_at,
      severity, service, environment, release, count, producer_id, sequence, doc_codec, doc)
  SELECT occurred_day, event_id, fingerprint, occurred_at, received_at,
      severity, service, environment, release, count, producer_id, sequence,
      CASE WHEN edge IS NULL THEN {_CODEC} ELSE 0 END, CASE WHEN edge IS NULL THEN doc END
  FROM src
  WHERE NOT EXISTS (SELECT 1 FROM faultwire.events q
                    WHERE q.occurred_day = '1970-01-01' AND q.event_id = src.event_id)
  ORDER BY occurred_day, event_id
  ON CONFLICT DO NOTHING
  RETURNING event_id, fingerprint, environment, occurred_at, count, severity, release,
      doc IS NOT NULL AS has_body,
      greatest(occurred_at, ($18::timestamptz[])[array_position($17::text[], event_id)]) AS ended_at
), grp AS (
  SELECT fingerprint, environment, date_trunc('hour', occurred_at, 'UTC') AS hour, sum(count)::bigint AS n,
      min(occurred_at) AS first_at, max(ended_at) AS last_at, max(severity) AS severity,
      (array_agg(event_id ORDER BY ended_at DESC, event_id))[1] AS newest_event_id,
      (array_agg(release ORDER BY ended_at DESC) FILTER (WHERE release IS NOT NULL))[1] AS release,
      count(*) FILTER (WHERE has_body)::int AS bodies,
      max(occurred_at) FILTER (WHERE has_body) AS body_at
  FROM ins GROUP BY 1, 2, 3
), per AS (
  SELECT f.incident_id AS id, sum(g.n)::bigint AS n, min(g.first_at) AS first_at, max(g.last_at) AS last_at,
      max(g.severity) AS severity,
      (array_agg(g.newest_event_id ORDER BY g.last_at DESC))[1] AS newest_event_id,
      (array_agg(g.release ORDER BY g.last_at DESC) FILTER (WHERE g.release IS NOT NULL))[1] AS release,
      sum(g.bodies)::int AS bodies, max(g.body_at) AS body_at, max(m.moves) AS moves
  FROM grp g JOIN faultwire.fingerprints f USING (fingerprint)
    JOIN faultwire.incidents m ON m.id = f.incident_id GROUP BY 1
), locked AS MATERIALIZED (
  SELECT i.id, i.severity, i.count, i.moves FROM faultwire.incidents i
  WHERE i.id IN (SELECT id FROM per) ORDER BY i.id FOR UPDATE
), touched AS (
  UPDATE faultwire.incidents i
  SET count = i.count + p.n,
      first_seen_at = CASE WHEN l.count = 0 THEN p.first_at ELSE least(i.first_seen_at, p.first_at) END,
      last_seen_at = CASE WHEN l.count = 0 THEN p.last_at ELSE greatest(i.last_seen_at, p.last_at) END,
      severity = greatest(i.severity, p.severity),
      last_release = coalesce(p.release, i.last_release),
      bodies = i.bodies + p.bodies,
      body_kept_at = greatest(i.body_kept_at, p.body_at)
  FROM per p JOIN locked l USING (id, moves) WHERE i.id = p.id AND i.merged_into IS NULL
  RETURNING i.id, i.status, i.episode, i.resolved_at, i.terms, i.severity, l.severity AS severity_before,
      i.count, l.count AS count_before, p.last_at, p.newest_event_id, p.n,
      i.bodies, p.bodies AS bodies_added
), edge_bodies AS (
  INSERT INTO faultwire.edge_bodies AS b
      (fingerprint, edge, occurred_day, event_id, occurred_at, doc_codec, doc)
  SELECT s.fingerprint, s.edge, s.occurred_day, s.event_id, s.occurred_at, {_CODEC}, s.doc
  FROM src s JOIN ins USING (event_id) WHERE s.edge IS NOT NULL ORDER BY 1, 2
{_PUT_EDGE_BODY}
), hours AS (
  INSERT INTO faultwire.hourly AS h (fingerprint, environment, hour, count)
  SELECT fingerprint, environment, hour, n FROM grp ORDER BY 1, 2, 3
  ON CONFLICT (fingerprint, environment, hour) DO UPDATE SET count = h.count + excluded.count
), journal AS (
  INSERT INTO faultwire.figure_journal (body)
  SELECT $19::bytea WHERE (SELECT count(*) FROM ins) = cardinality($2::text[]) AND cardinality($2::text[]) > 0
)
SELECT 'touched' AS kind, id AS incident_id, newest_event_id, status, episode, resolved_at, severity,
    severity_before, count, count_before, last_at AS newest_at,
    NULL::int AS bodies, NULL::int AS bodies_added, NULL::text AS duplicate_event_id,
    NULL::bigint AS inserted, NULL::bigint AS counted, terms
FROM touched WHERE count_before = 0 OR status <> 'open' OR terms IS NOT NULL OR episode > 1
    OR severity > severity_before
    OR width_bucket(count, $15::bigint[]) > width_bucket(count_before, $15::bigint[])
UNION ALL
SELECT 'bodies', id, newest_event_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    bodies, bodies_added, NULL, NULL, NULL, NULL
FROM touched WHERE bodies_added > 0
    AND (bodies > $16::int OR bodies * 16 / $16::int > (bodies - bodies_added) * 16 / $16::int)
UNION ALL
SELECT 'duplicate', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, s.event_id, NULL, NULL, NULL
FROM src s WHERE NOT EXISTS (SELECT 1 FROM ins WHERE ins.event_id = s.event_id)
UNION ALL
SELECT 'totals', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL,
    (SELECT coalesce(sum(n), 0) FROM grp)::bigint, (SELECT coalesce(sum(n), 0) FROM touched)::bigint, NULL
"""  # noqa: S608 - what is put in is a constant of this module
"""Inserts a batch, counts it, and answers with rows of four kinds in one round trip.

A column means one thing in every kind that fills it, and is NULL in the others: `touched` is an
incident to decide on, `bodies` one whose number of bodies is news, `duplicate` an event that was
stored before, and `totals` the numbers of events that were inserted and that were counted.

While it waited for an incident's lock, a merge or unmerge may have moved fingerprints that the statement
saw where they were before: by ``moves`` such an incident counts nothing, and the batch is tried again.

Two arrays name the few events that stand for several errors: in a column of all events, their
times would need a join with what was inserted, whose plan is a guess. The last parameter is what the batch
adds to the figures if every event is new, as nearly always; if not, `JOURNAL` writes what the new ones add.
"""

JOURNAL: Final = "INSERT INTO faultwire.figure_journal (body) VALUES ($1)"
"""Writes what a batch adds to the figures, in its transaction."""

CUT: Final = """
WITH cut AS (
  SELECT e.occurred_day, e.event_id FROM unnest($1::date[], $2::text[]) AS s(occurred_day, event_id)
  JOIN faultwire.events e USING (occurred_day, event_id)
  JOIN faultwire.fingerprints f USING (fingerprint)
  WHERE f.incident_id = $3 ORDER BY e.occurred_at, e.event_id LIMIT $4
), narrowed AS (
  UPDATE faultwire.events e SET doc = NULL, doc_codec = 0 FROM cut
  WHERE e.occurred_day = cut.occurred_day AND e.event_id = cut.event_id RETURNING e.event_id
), returned AS (
  UPDATE faultwire.incidents SET bodies = bodies - (SELECT count(*) FROM narrowed) WHERE id = $3
)
SELECT event_id FROM narrowed
"""
"""Removes the bodies of a batch that are beyond the budget; its incident is locked already."""

PUT_EDGE_BODIES: Final = f"""
INSERT INTO faultwire.edge_bodies AS b
    (fingerprint, edge, occurred_day, event_id, occurred_at, doc_codec, doc)
SELECT f, e, d, i, at, {_CODEC}, doc
FROM unnest($1::bytea[], $2::text[], $3::date[], $4::text[], $5::timestamptz[], $6::bytea[])
    AS s(f, e, d, i, at, doc) ORDER BY 1, 2
{_PUT_EDGE_BODY}
"""  # noqa: S608 - as above

REGISTER: Final = """
WITH src AS (
  SELECT s.*, j.incident_id IS NOT NULL AS is_joining,
      coalesce(j.incident_id, nextval('faultwire.incidents_id_seq')) AS incident_id
  FROM unnest($1::bytea[], $2::smallint[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[],
      $8::smallint[], $9::text[], $10::text[], $11::timestamptz[], $12::text[], $13::bytea[])
    AS s(fingerprint, version, digest, parts, service, title, culprit,
      severity, category, code, at, search_text, joins)
  LEFT JOIN faultwire.fingerprints j ON j.fingerprint = s.joins
  WHERE NOT EXISTS (SELECT 1 FROM faultwire.fingerprints f WHERE f.fingerprint = s.fingerprint)
), known AS (
  INSERT INTO faultwire.fingerprints (fingerprint, version, digest, service, incident_id, parts, created_at)
  SELECT fingerprint, version, digest, service, incident_id, parts, at FROM src ORDER BY fingerprint
  ON CONFLICT DO NOTHING RETURNING incident_id
), seen AS (
  INSERT INTO faultwire.sightings (fingerprint, environment, release, created_at)
  SELECT f, e, r, now() FROM unnest($14::bytea[], $15::text[], $16::text[]) AS s(f, e, r)
  WHERE (SELECT count(*) FROM known) >= 0 ORDER BY 1, 2, 3
  ON CONFLICT DO NOTHING
), moved AS (
  UPDATE faultwire.fingerprints f SET incident_id = i.merged_into FROM faultwire.incidents i
  WHERE f.fingerprint = ANY($14::bytea[]) AND i.id = f.incident_id AND i.merged_into IS NOT NULL
)
INSERT INTO faultwire.incidents (id, service, title, culprit, severity, category, code, status, episode,
    count, first_seen_at, last_seen_at, search_text)
SELECT incident_id, service, title, culprit, severity, category, code, 'open', 1, 0, at, at, search_text
FROM src JOIN known USING (incident_id) WHERE NOT is_joining ORDER BY incident_id
"""
"""Registers fingerprints, their incidents, and the environments and releases in which they were seen.

Counting `known` makes it run first, so that workers that register the same rows take them in one order.
A fingerprint that joined an incident just as that was merged into another follows it here.
"""

LOCK: Final = """
LOCK TABLE faultwire.events, faultwire.fingerprints, faultwire.incidents, faultwire.edge_bodies,
    faultwire.hourly, faultwire.sightings, faultwire.figure_journal, faultwire.incident_history,
    faultwire.event_texts, faultwire.event_values, faultwire.search_queue, faultwire.pending,
    faultwire.outbox, faultwire.producers IN ROW EXCLUSIVE MODE NOWAIT
"""
"""Takes the locks that a batch takes anyway, and fails at once if one is not free."""

EARLIER: Final = """
SELECT event_id FROM faultwire.events
WHERE (occurred_day, event_id) IN (SELECT * FROM unnest($1::date[], $2::text[]))
"""
"""Finds the quarantine's newcomers that were stored under their own day, while that was still accepted."""


def columns_of(rows: Sequence[EventRow], pack: Pack = bytes) -> tuple[list[Any], ...]:
    """Return the batch as the statement's arrays, ordered by the key: the first part of the lock order."""
    ordered = sorted(rows, key=lambda row: (row.occurred_day, row.event_id))
    return (
        [row.occurred_day for row in ordered],
        [row.event_id for row in ordered],
        [row.fingerprint for row in ordered],
        [row.occurred_at for row in ordered],
        [row.received_at for row in ordered],
        [row.severity.rank for row in ordered],
        [row.service for row in ordered],
        [row.environment for row in ordered],
        [row.release for row in ordered],
        [row.count for row in ordered],
        [row.producer_id for row in ordered],
        [row.sequence for row in ordered],
        # A body that is kept nowhere is not sent: in a flood that is nearly all of them.
        [None if row.body is Body.NONE else pack(row.doc) for row in ordered],
        [row.body if row.body in EDGES else None for row in ordered],
    )


def ended_columns(rows: Sequence[EventRow]) -> tuple[list[Any], ...]:
    """Return the events whose last error is later than their first, and when, as the statement's arrays."""
    later = [row for row in rows if row.last_at is not None and row.last_at > row.occurred_at]
    return [row.event_id for row in later], [row.last_at for row in later]


def counted_from(answer: Sequence[Any]) -> Counted:
    """Return the duplicates and the incidents to decide on from the answer of `RECORD`.

    Raises:
        UnknownFingerprintsError: events were inserted that no incident counted.
    """
    (totals,) = _rows_of("totals", answer)
    if totals["inserted"] != totals["counted"]:
        raise UnknownFingerprintsError(f"{totals['inserted'] - totals['counted']} events without an incident")
    return Counted(
        duplicates=frozenset(row["duplicate_event_id"] for row in _rows_of("duplicate", answer)),
        touched=tuple(_touched(row) for row in _rows_of("touched", answer)),
    )


def _rows_of(kind: str, answer: Sequence[Any]) -> list[Any]:
    return [row for row in answer if row["kind"] == kind]


class Surplus(Struct, frozen=True):
    """The bodies that a batch added to an incident beyond its budget."""

    incident_id: int
    bodies: int


def surpluses_in(answer: Sequence[Any], bodies_max: int) -> list[Surplus]:
    """Return what this batch added beyond the budgets, in the order of the incidents."""
    found = [
        Surplus(row["incident_id"], min(row["bodies"] - bodies_max, row["bodies_added"]))
        for row in _rows_of("bodies", answer)
        if row["bodies"] > bodies_max
    ]
    return sorted(found, key=lambda surplus: surplus.incident_id)


def bodies_in(answer: Sequence[Any], rows: Sequence[EventRow], bodies_max: int) -> Mapping[bytes, int]:
    """Return how many bodies an incident's events have, by the fingerprint of its newest event."""
    found = {row["newest_event_id"]: row["bodies"] for row in _rows_of("bodies", answer)}
    if not found:
        return {}
    return {row.fingerprint: min(found[row.event_id], bodies_max) for row in rows if row.event_id in found}


def body_key_columns(rows: Sequence[EventRow], duplicates: Collection[str]) -> tuple[list[date], list[str]]:
    """Return the keys of the rows that were stored with their bodies, as the statement's arrays."""
    stored = [row for row in rows if row.body is Body.KEPT and row.event_id not in duplicates]
    return [row.occurred_day for row in stored], [row.event_id for row in stored]


def edge_body_columns(
    edge_bodies: Sequence[tuple[Body, EventRow]], pack: Pack = bytes
) -> tuple[list[Any], ...]:
    """Return the bodies of first and last events as the statement's arrays."""
    return (
        [row.fingerprint for _, row in edge_bodies],
        [edge for edge, _ in edge_bodies],
        [row.occurred_day for _, row in edge_bodies],
        [row.event_id for _, row in edge_bodies],
        [row.occurred_at for _, row in edge_bodies],
        [pack(row.doc) for _, row in edge_bodies],
    )


def _touched(row: Any) -> Touched:
    return Touched(
        incident_id=row["incident_id"],
        status=Status(row["status"]),
        episode=row["episode"],
        first_sight=row["count_before"] == 0,
        severity_before=ErrorSeverity.from_rank(row["severity_before"]),
        severity=ErrorSeverity.from_rank(row["severity"]),
        count_before=row["count_before"],
        count=row["count"],
        resolved_at=row["resolved_at"],
        newest_at=row["newest_at"],
        newest_event_id=row["newest_event_id"],
        terms=read_terms(row["terms"]),
    )


def register_columns(
    fingerprints: Sequence[NewFingerprint], places: Sequence[Place]
) -> tuple[list[Any], ...]:
    """Return new fingerprints and places as the statement's arrays, in the lock order."""
    fingerprints = sorted(fingerprints, key=lambda new: new.fingerprint)
    return (
        [new.fingerprint for new in fingerprints],
        [new.version for new in fingerprints],
        [new.digest for new in fingerprints],
        [new.parts_json for new in fingerprints],
        [new.service for new in fingerprints],
        [new.title for new in fingerprints],
        [new.culprit for new in fingerprints],
        [new.severity.rank for new in fingerprints],
        [new.category for new in fingerprints],
        [new.code for new in fingerprints],
        [new.occurred_at for new in fingerprints],
        [new.search_text for new in fingerprints],
        [new.joins for new in fingerprints],
        [place.fingerprint for place in places],
        [place.environment for place in places],
        [place.release for place in places],
    )

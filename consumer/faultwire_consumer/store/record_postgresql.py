"""The hot path on PostgreSQL: one statement inserts a batch and counts what was really new.

Measured against a statement a step, it saves the round trips and the grouping in Python; see the
figures beside the shapes in ``tests/benchmarks``. PostgreSQL promises no order among the CTEs that
write, so incidents are locked in order by one of their own, and every insert is ordered.
"""

from collections.abc import Sequence
from typing import Any, Final

from faultwire_consumer.domain.incident import Status, Touched
from faultwire_consumer.store.contract import (
    Counted,
    EventRow,
    NewFingerprint,
    Sighting,
    UnknownFingerprintsError,
)
from faultwire_shared.event import ErrorSeverity

RECORD: Final = """
WITH src AS (
  SELECT * FROM unnest($1::date[], $2::text[], $3::bytea[], $4::timestamptz[], $5::timestamptz[],
      $6::smallint[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::bigint[],
      $13::bytea[])
    AS s(occurred_day, event_id, fingerprint, occurred_at, received_at,
      severity, service, environment, release, count, producer_id, sequence, doc)
), ins AS (
  INSERT INTO faultwire.events (occurred_day, event_id, fingerprint, occurred_at, received_at,
      severity, service, environment, release, count, producer_id, sequence, doc_codec, doc)
  SELECT occurred_day, event_id, fingerprint, occurred_at, received_at,
      severity, service, environment, release, count, producer_id, sequence, 0, doc
  FROM src
  WHERE NOT EXISTS (SELECT 1 FROM faultwire.events q
                    WHERE q.occurred_day = '1970-01-01' AND q.event_id = src.event_id)
  ORDER BY occurred_day, event_id
  ON CONFLICT DO NOTHING
  RETURNING event_id, fingerprint, environment, occurred_at, count, severity, release
), grp AS (
  SELECT fingerprint, environment, date_trunc('hour', occurred_at, 'UTC') AS hour, sum(count)::bigint AS n,
      min(occurred_at) AS first_at, max(occurred_at) AS last_at, max(severity) AS severity,
      (array_agg(event_id ORDER BY occurred_at DESC, event_id))[1] AS newest_event_id,
      (array_agg(release ORDER BY occurred_at DESC) FILTER (WHERE release IS NOT NULL))[1] AS release
  FROM ins GROUP BY 1, 2, 3
), per AS (
  SELECT f.incident_id AS id, sum(g.n)::bigint AS n, min(g.first_at) AS first_at, max(g.last_at) AS last_at,
      max(g.severity) AS severity,
      (array_agg(g.newest_event_id ORDER BY g.last_at DESC))[1] AS newest_event_id,
      (array_agg(g.release ORDER BY g.last_at DESC) FILTER (WHERE g.release IS NOT NULL))[1] AS release
  FROM grp g JOIN faultwire.fingerprints f USING (fingerprint) GROUP BY 1
), locked AS MATERIALIZED (
  SELECT i.id, i.severity, i.count FROM faultwire.incidents i
  WHERE i.id IN (SELECT id FROM per) ORDER BY i.id FOR UPDATE
), touched AS (
  UPDATE faultwire.incidents i
  SET count = i.count + p.n,
      first_seen_at = CASE WHEN l.count = 0 THEN p.first_at ELSE least(i.first_seen_at, p.first_at) END,
      last_seen_at = CASE WHEN l.count = 0 THEN p.last_at ELSE greatest(i.last_seen_at, p.last_at) END,
      severity = greatest(i.severity, p.severity),
      last_release = coalesce(p.release, i.last_release)
  FROM per p JOIN locked l USING (id) WHERE i.id = p.id
  RETURNING i.id, i.status, i.episode, i.resolved_at, i.severity, l.severity AS severity_before,
      i.count, l.count AS count_before, p.last_at, p.newest_event_id, p.n
), hours AS (
  INSERT INTO faultwire.hourly AS h (fingerprint, environment, hour, count)
  SELECT fingerprint, environment, hour, n FROM grp ORDER BY 1, 2, 3
  ON CONFLICT (fingerprint, environment, hour) DO UPDATE SET count = h.count + excluded.count
)
SELECT 'touched' AS kind, id, status, episode, resolved_at, severity, severity_before, count_before,
    count, last_at, newest_event_id, NULL::bigint AS inserted, NULL::bigint AS counted
FROM touched WHERE count_before = 0 OR status <> 'open' OR severity > severity_before
    OR width_bucket(count, $14::bigint[]) > width_bucket(count_before, $14::bigint[])
UNION ALL
SELECT 'duplicate', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, s.event_id, NULL, NULL
FROM src s WHERE NOT EXISTS (SELECT 1 FROM ins WHERE ins.event_id = s.event_id)
UNION ALL
SELECT 'totals', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    (SELECT coalesce(sum(n), 0) FROM grp)::bigint, (SELECT coalesce(sum(n), 0) FROM touched)::bigint
"""

REGISTER: Final = """
WITH src AS (
  SELECT s.*, nextval('faultwire.incidents_id_seq') AS incident_id
  FROM unnest($1::bytea[], $2::smallint[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[],
      $8::smallint[], $9::text[], $10::text[], $11::timestamptz[], $12::text[])
    AS s(fingerprint, version, digest, parts, service, title, culprit,
      severity, category, code, at, search_text)
  WHERE NOT EXISTS (SELECT 1 FROM faultwire.fingerprints f WHERE f.fingerprint = s.fingerprint)
), known AS (
  INSERT INTO faultwire.fingerprints (fingerprint, version, digest, service, incident_id, parts, created_at)
  SELECT fingerprint, version, digest, service, incident_id, parts, at FROM src ORDER BY fingerprint
  ON CONFLICT DO NOTHING RETURNING incident_id
)
INSERT INTO faultwire.incidents (id, service, title, culprit, severity, category, code, status, episode,
    count, first_seen_at, last_seen_at, search_text)
SELECT incident_id, service, title, culprit, severity, category, code, 'open', 1, 0, at, at, search_text
FROM src JOIN known USING (incident_id) ORDER BY incident_id
"""

SIGHT: Final = """
INSERT INTO faultwire.sightings (fingerprint, environment, release, created_at)
SELECT f, e, r, now() FROM unnest($1::bytea[], $2::text[], $3::text[]) AS s(f, e, r) ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""

EARLIER: Final = """
SELECT event_id FROM faultwire.events
WHERE (occurred_day, event_id) IN (SELECT * FROM unnest($1::date[], $2::text[]))
"""
"""Which of the quarantine's newcomers were stored under their own day, while it was still taken."""


def columns_of(rows: Sequence[EventRow]) -> tuple[list[Any], ...]:
    """The batch as the statement's arrays, in the order of the key: the first part of the lock order."""
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
        [row.doc for row in ordered],
    )


def counted_from(answer: Sequence[Any]) -> Counted:
    """Read the statement's answer.

    Raises:
        UnknownFingerprintsError: events were inserted that no incident counted.
    """
    totals = next(row for row in answer if row["kind"] == "totals")
    if totals["inserted"] != totals["counted"]:
        raise UnknownFingerprintsError(f"{totals['inserted'] - totals['counted']} events without an incident")
    return Counted(
        duplicates=frozenset(row["newest_event_id"] for row in answer if row["kind"] == "duplicate"),
        touched=tuple(_touched(row) for row in answer if row["kind"] == "touched"),
    )


def _touched(row: Any) -> Touched:
    return Touched(
        incident_id=row["id"],
        status=Status(row["status"]),
        episode=row["episode"],
        first_sight=row["count_before"] == 0,
        severity_before=ErrorSeverity.from_rank(row["severity_before"]),
        severity=ErrorSeverity.from_rank(row["severity"]),
        count_before=row["count_before"],
        count=row["count"],
        resolved_at=row["resolved_at"],
        newest_at=row["last_at"],
        newest_event_id=row["newest_event_id"],
    )


def register_columns(new: Sequence[NewFingerprint]) -> tuple[list[Any], ...]:
    """New fingerprints as the statement's arrays."""
    return (
        [one.fingerprint for one in new],
        [one.version for one in new],
        [one.digest for one in new],
        [one.parts_json for one in new],
        [one.service for one in new],
        [one.title for one in new],
        [one.culprit for one in new],
        [one.severity.rank for one in new],
        [one.category for one in new],
        [one.code for one in new],
        [one.occurred_at for one in new],
        [one.search_text for one in new],
    )


def sighting_columns(sightings: Sequence[Sighting]) -> tuple[list[Any], ...]:
    """Sightings as the statement's arrays."""
    return (
        [one.fingerprint for one in sightings],
        [one.environment for one in sightings],
        [one.release for one in sightings],
    )

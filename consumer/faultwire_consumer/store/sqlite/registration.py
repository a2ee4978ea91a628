"""Registers fingerprints and places on SQLite, before the first event of theirs is counted."""

import sqlite3
from collections.abc import Sequence
from typing import Final

from faultwire_consumer.store.contract.store import NewFingerprint, Place
from faultwire_consumer.store.schema.events import to_micros

_FIND_INCIDENT: Final = "SELECT incident_id FROM fingerprints WHERE fingerprint = ?"
_REGISTER: Final = """
INSERT INTO incidents (service, title, culprit, severity, category, code, status, episode, count,
    first_seen_at, last_seen_at, search_text) VALUES (?, ?, ?, ?, ?, ?, 'open', 1, 0, ?, ?, ?)
"""
_REGISTER_FINGERPRINT: Final = """
INSERT INTO fingerprints (fingerprint, version, digest, service, incident_id, parts, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def register(
    connection: sqlite3.Connection,
    fingerprints: Sequence[NewFingerprint],
    places: Sequence[Place],
    now: int,
) -> None:
    """Register fingerprints and places inside the caller's transaction."""
    cursor = connection.cursor()
    for new in fingerprints:
        if cursor.execute(_FIND_INCIDENT, (new.fingerprint,)).fetchone() is None:
            _register_one(cursor, new)
    cursor.executemany(
        "INSERT INTO sightings (fingerprint, environment, release, created_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [(place.fingerprint, place.environment, place.release, now) for place in places],
    )


def _register_one(cursor: sqlite3.Cursor, new: NewFingerprint) -> None:
    joined = None if new.joins is None else cursor.execute(_FIND_INCIDENT, (new.joins,)).fetchone()
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

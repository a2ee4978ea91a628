"""A store with many incidents and events, filled by the database itself, so that plans are real ones.

Most incidents are resolved, low to high, of fifty services; a few are what operators look for: the
rare service, code, release and word, and the critical ones. A fifth of the events are one incident's. One
event in three is kept, as far as search knows: its text and its values say what its incident's text says.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ClauseElement, Executable, text
from sqlalchemy.ext.compiler import compiles
from tests.tools.opening import open_current
from tests.tools.prepared_file import folder_until_the_end, put_copy

from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.postgresql.store import PostgresqlStore
from faultwire_consumer.store.schema.events import to_micros

NEWEST: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
"""When the newest event occurred; the oldest thirty days before."""
DAYS: Final = 30
RARE: Final = 42
"""The incident, and its fingerprint, that has what no other has."""
BUSY: Final = 1
"""The incident that has a fifth of the events."""

_RARE_WORD: Final = f"CASE WHEN n = {RARE} THEN ' zanzibar' ELSE '' END"
_CHUNK: Final = 20_000
KEPT: Final = 3
"""One event in so many is kept."""
VALUES: Final = 3
HOURS: Final = 4
"""So many hours in which an incident had events, before it was last seen."""
_BY_EVENT: Final = ("events", "event_texts", "event_values")
_BY_INCIDENT: Final = (
    *("incidents", "fingerprints", "sightings", "hourly", "incident_history"),
    *("value_counts", "user_sketches", "hourly_totals", "release_totals"),
)
ACTIVE: Final = 200
"""Incidents that have events left: those that were last seen."""
_WORDS: Final = {
    "postgresql": {
        "series": "generate_series(CAST({first} AS bigint), {last}) AS s(n)",
        "at": f"(TIMESTAMPTZ '{NEWEST:%Y-%m-%d %H:%M}+00' - ({{}}) * interval '1 second')",
        "day": "(({}) AT TIME ZONE 'UTC')::date",
        "hour": "date_trunc('hour', {}, 'UTC')",
        "id": (
            "'error_' || to_char(({}) AT TIME ZONE 'UTC', 'YYYYMMDD') || '_' || lpad(({})::text, 16, '0')"
        ),
        "key": "convert_to(lpad(({})::text, 16, '0'), 'UTF8')",
        "schema": "faultwire.",
    },
    "sqlite": {
        "series": (
            "(WITH RECURSIVE s(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM s WHERE n < {last})"
            " SELECT n FROM s) s"
        ),
        "at": f"({to_micros(NEWEST)} - ({{}}) * 1000000)",
        "day": "date(({}) / 1000000, 'unixepoch')",
        "hour": "({0} - {0} % 3600000000)",
        "id": ("'error_' || strftime('%Y%m%d', ({}) / 1000000, 'unixepoch') || '_' || printf('%016d', {})"),
        "key": "CAST(printf('%016d', {}) AS BLOB)",
        "schema": "",
    },
}


def key_of(number: int) -> bytes:
    """The fingerprint of an incident that was filled in."""
    return f"{number:016d}".encode()


def put_filled_file(path: Path) -> str:
    """Put a SQLite database there that is large enough for a plan to matter; its address."""
    return put_copy(_filled_once(), path)


@cache
def _filled_once() -> Path:
    path = folder_until_the_end("filled") / "filled.db"
    fill_database(f"sqlite:///{path}")
    return path


def fill_database(url: str) -> None:
    """Make an empty database large enough for a plan to matter, also where a loop runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(_fill(url))).result()


async def _fill(url: str) -> None:
    store = await open_current(url, timeouts=Timeouts(lock=60, statement=60, answer=90))
    try:
        await fill_store(store, incidents=20_000, events=40_000)
    finally:
        await store.close()


async def fill_store(store: Store, *, incidents: int, events: int) -> None:
    """Fill an empty store, and let the database look at what it has."""
    await store.prepare_days(frozenset((NEWEST - timedelta(days=day)).date() for day in range(DAYS + 1)))
    texts = events // KEPT
    size = {"incidents": incidents, "events": events, "event_texts": texts, "event_values": texts * VALUES}
    size["hourly"] = incidents * HOURS
    for name in (*_BY_INCIDENT, *_BY_EVENT):
        total = size.get(name, incidents)
        for first in range(1, total + 1, _CHUNK):
            statement = _insert(store.name, name, range(first, min(first + _CHUNK, total + 1)), size)
            await _execute(store, statement)
    if isinstance(store, PostgresqlStore):  # as autovacuum does; for SQLite nobody does
        async with store._connection() as (_, driver):
            for name in (*_BY_INCIDENT, *_BY_EVENT):
                await driver.execute(f"VACUUM (ANALYZE) faultwire.{name}")


async def _execute(store: Store, statement: str) -> None:
    async with store.write() as tx:
        await tx.execute(text(statement.replace(":", "\\:")))


def _insert(database: str, name: str, numbers: range, size: dict[str, int]) -> str:
    word = _WORDS[database]
    at, hour, key = word["at"], word["hour"], word["key"].format("n")
    seen = at.format(f"(n - 1) * {DAYS * 86400} / {max(size['incidents'], size['events'])}")
    values = {
        "incidents": _incident("n")
        | {
            "title": "'Error ' || n",
            "culprit": "''",
            "category": "'system'",
            "code": _rare("n", "'C' || (n % 200)"),
            "status": "CASE WHEN n % 10 = 0 THEN 'open' ELSE 'resolved' END",
            "episode": "1",
            "count": "1",
            "first_seen_at": f"CASE WHEN n <= {ACTIVE} THEN {at.format(DAYS * 86400)} ELSE {seen} END",
            "last_seen_at": seen,
            "urgency": "CASE WHEN n % 10 = 0 THEN 8 + n % 200 ELSE 0 END",
            "growth": "CASE WHEN n % 100 = 0 THEN n % 1000 ELSE 0 END",
            "began_at": f"CASE WHEN n <= {ACTIVE} THEN {at.format(DAYS * 86400)} ELSE {seen} END",
            "count_class": "1 + n % 50",
            "users": "n % 1000",
            "search_text": f"'order ' || n || ' was refused, gateway ' || (n * 7919 % 1000) || {_RARE_WORD}",
        },
        "fingerprints": {
            "fingerprint": key,
            "version": "1",
            "digest": key,
            "service": "'s'",
            "incident_id": "n",
            "parts": "'[]'",
            "created_at": seen,
        },
        "sightings": {"fingerprint": key, "created_at": seen} | _place("n"),
        "hourly": {
            "fingerprint": word["key"].format(f"((n - 1) % {size['incidents']} + 1)"),
            "environment": _place("n")["environment"],
            "hour": hour.format(seen),
            "count": "1",
        },
        "incident_history": {
            "incident_id": "n",
            "at": seen,
            "actor": "'worker'",
            "reason": "CASE WHEN n % 7 = 0 THEN 'regressed' ELSE 'opened' END",
            "after": "'open'",
            "release": _place("n")["release"],
        },
        "value_counts": {
            "fingerprint": key,
            "key": "CASE WHEN n % 2 = 0 THEN 'release' ELSE 'tag.region' END",
            "value": "CASE WHEN n % 2 = 0 THEN '1.' || (n % 20) ELSE 'eu-' || (n % 7) END",
            "first_seen_at": seen,
            "last_seen_at": seen,
            "count": "1",
        },
        "user_sketches": {"fingerprint": key, "body": word["key"].format("n")},
        "hourly_totals": {
            "hour": hour.format(at.format("n * 3600")),
            "service": "'s' || (n % 50)",
            "severity": "1 + n % 4",
            "count": "n",
        },
        "release_totals": {
            "service": "'s' || (n % 50)",
            "release": "'1.' || n",
            "first_seen_at": seen,
            "last_seen_at": seen,
            "count": "n",
            "new_incidents": "1",
            "regressed": "0",
        },
        "events": _event(word, size),
        "event_texts": _text(word, size),
        "event_values": _value(word),
    }[name]
    series = word["series"].format(first=numbers[0], last=numbers[-1])
    chosen = ", ".join(values.values())
    return f"INSERT INTO {word['schema']}{name} ({', '.join(values)}) SELECT {chosen} FROM {series}"


def _event(word: dict[str, str], size: dict[str, int], number: str = "n") -> dict[str, str]:
    occurred = word["at"].format(f"({number} * {DAYS * 86400}) / {size['events']}")
    group = _group(number)
    return {
        "occurred_day": word["day"].format(occurred),
        "event_id": word["id"].format(occurred, number),
        "fingerprint": word["key"].format(group),
        "occurred_at": occurred,
        "received_at": occurred,
        "count": "1",
        "doc_codec": "0",
        **_incident(group),
        **_place(group),
    }


def _text(word: dict[str, str], size: dict[str, int]) -> dict[str, str]:
    """The text of every third event; n counts the texts."""
    event = _event(word, size, number=f"n * {KEPT}")
    rare = f"CASE WHEN {_group(f'n * {KEPT}')} = {RARE} THEN ' zanzibar' ELSE '' END"
    return {name: event[name] for name in ("occurred_day", "event_id", "fingerprint", "occurred_at")} | {
        "id": "n",
        "text": f"'order ' || n || ' was refused by the bank' || {rare}",
    }


def _value(word: dict[str, str]) -> dict[str, str]:
    """A user, a type and a tag of each text; n counts the values."""
    text_id = f"((n - 1) / {VALUES} + 1)"
    group = _group(f"({text_id} * {KEPT})")
    return {
        "text_id": text_id,
        "number": f"(n - 1) % {VALUES}",
        "name": f"CASE (n - 1) % {VALUES} WHEN 0 THEN 'user' WHEN 1 THEN 'type' ELSE 'tag.region' END",
        "value": (
            f"CASE (n - 1) % {VALUES} WHEN 0 THEN 'user-' || {text_id} % 5000"
            f" WHEN 1 THEN CASE WHEN {group} = {RARE} THEN 'Rare' ELSE 'OSError' END ELSE 'eu' END"
        ),
        "fingerprint": word["key"].format(group),
    }


def _group(number: str) -> str:
    return f"(CASE WHEN {number} % 5 = 0 THEN {BUSY} ELSE {number} % {ACTIVE} + 1 END)"


def _incident(number: str) -> dict[str, str]:
    return {
        "service": _rare(number, f"'s' || ({number} % 50)"),
        "severity": f"CASE WHEN {number} % 100 = 0 THEN 4 ELSE 1 + {number} % 3 END",
    }


def _place(number: str) -> dict[str, str]:
    return {
        "environment": _rare(number, "'production'"),
        "release": _rare(number, f"'1.' || ({number} % 20)"),
    }


def _rare(number: str, other: str) -> str:
    return f"CASE WHEN {number} = {RARE} THEN 'rare' ELSE {other} END"


class Explained(Executable, ClauseElement):
    """A statement's plan instead of its rows."""

    inherit_cache = False

    def __init__(self, statement: ClauseElement) -> None:
        self.statement = statement


@compiles(Explained, "postgresql")
def _explain_postgresql(element: Explained, compiler: Any, **arguments: Any) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **arguments)}"


@compiles(Explained, "sqlite")
def _explain_sqlite(element: Explained, compiler: Any, **arguments: Any) -> str:
    return f"EXPLAIN QUERY PLAN {compiler.process(element.statement, **arguments)}"


async def explain(store: Store, query: ClauseElement | Prepared) -> str:
    """The plan, a step a line."""
    statement: Any = query
    if isinstance(query, Prepared):
        prepared: Any = query.statement
        statement = prepared.params(**query.parameters)
    return "\n".join(str(row[-1]) for row in await store.read(Explained(statement)))

"""What a query means: both databases find what plain Python finds, whichever way they look for it."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.domain.body_budget import Body
from faultwire_consumer.domain.query.query import (
    VALUED,
    Key,
    Pattern,
    Query,
    Term,
    Trait,
    merge_terms,
    print_query,
)
from faultwire_consumer.domain.search_text import fold, is_long_enough
from faultwire_consumer.domain.searched import SearchedEvent, read_searched
from faultwire_consumer.store.contract.store import EventRow, NewFingerprint, Place, Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.events.event_list import PageRequest, among_texts, is_said, list_events
from faultwire_consumer.store.events.incidents import list_incidents, select_incidents
from faultwire_consumer.store.events.search import Frequency
from faultwire_consumer.store.events.search_index import found_by, record_found_by
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.postgresql.partition import partition_day
from faultwire_consumer.store.schema.events import fingerprints, metadata
from faultwire_shared.event import ErrorSeverity

NOW: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)
COMMON: Final = Frequency(1000, 1000)
RARE: Final = Frequency()
FILLED: Final = frozenset(
    {"fingerprints", "incidents", "events", "event_texts", "event_values", "sightings", "hourly"}
    | {"figure_journal"}
)
"""The tables that a model fills; to empty all others each time was an eighth of the statements."""

words = st.sampled_from(
    ["refused", "Reßfused", "time%out", "a_b*c", "\\odd", "[x]", "svc-1", "svc-2", "決済"]
)
names = st.sampled_from(["eu", "eu-west", "us", "e*", "E", "eu%", "eu_west", "[e]u", "éu", "\U0010ffff"])
services = st.sampled_from(["svc-1", "svc-2", "Svc-1", "shop"])
releases = st.none() | st.sampled_from(["1.0", "1.1", "2.0"])
environments = st.sampled_from(["production", "prod-eu", "staging"])


class Stored(msgspec.Struct, frozen=True):
    """An event as it was stored, and all that a query may ask of it."""

    row: EventRow
    said: SearchedEvent | None
    incident: int


class Model(msgspec.Struct, frozen=True):
    """A small store in Python."""

    fingerprints: Sequence[NewFingerprint]
    events: Sequence[Stored]


@st.composite
def models(draw: st.DrawFn) -> Model:
    groups = [_fingerprint(number, draw(services), draw(words)) for number in range(draw(st.integers(1, 4)))]
    events = [
        _event(number, draw, draw(st.sampled_from(groups))) for number in range(draw(st.integers(1, 9)))
    ]
    return Model(groups, events)


def _fingerprint(number: int, service: str, word: str) -> NewFingerprint:
    return NewFingerprint(
        fingerprint=bytes([number + 1]) * 16,
        version=1,
        digest=bytes([number + 1]) * 32,
        parts_json="[]",
        service=service,
        title="title",
        culprit="",
        severity=ErrorSeverity.LOW,
        category="system",
        code=f"CODE-{number}",
        occurred_at=NOW,
        search_text=fold(f"title {word}"),
    )


def _event(number: int, draw: st.DrawFn, group: NewFingerprint) -> Stored:
    at = NOW - timedelta(hours=draw(st.integers(0, 60)), seconds=number)
    document = {
        "service": group.service,
        "message": draw(words),
        "user": {"id": draw(names)},
        "tags": draw(st.dictionaries(st.sampled_from(["region", "plan"]), names, max_size=2)),
        "exceptions": [{"type": draw(names)}],
        "host": draw(st.none() | names),
        "trace_id": draw(st.none() | st.sampled_from(["8fa6", "8FB7"])),
    }
    body = msgspec.json.encode(document)
    event_id = f"error_{at:%Y%m%d}_{number:016d}"
    row = EventRow(
        occurred_day=partition_day(at.date(), today=NOW.date()),
        event_id=event_id,
        fingerprint=group.fingerprint,
        occurred_at=at,
        received_at=at,
        severity=draw(st.sampled_from(ErrorSeverity)),
        service=group.service,
        environment=draw(environments),
        release=draw(releases),
        count=1,
        producer_id=None,
        sequence=None,
        doc=body,
        body=draw(st.sampled_from([Body.KEPT, Body.KEPT, Body.NONE])),
    )
    return Stored(row, read_searched(body) if row.body is Body.KEPT else None, group.fingerprint[0])


def _like(sources: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    pieces = st.tuples(sources, st.integers(0, 4), st.integers(0, 4))
    cut = pieces.map(lambda piece: Pattern(f"{piece[0][: piece[1]]}*{piece[0][len(piece[0]) - piece[2] :]}"))
    return sources | cut.filter(lambda pattern: not re.search(r'[\s",]', pattern.text))


values: Final[dict[Key, st.SearchStrategy[Any]]] = {
    Key.SERVICE: _like(services),
    Key.ENVIRONMENT: _like(environments),
    Key.RELEASE: _like(st.sampled_from(["1.0", "1.1", "2.0"])),
    Key.CODE: _like(st.sampled_from(["CODE-0", "CODE-1"])),
    Key.TRACE: _like(st.sampled_from(["8fa6", "8fb7"])),
    **dict.fromkeys((Key.USER, Key.TAG, Key.TYPE, Key.HOST), _like(names)),
    Key.IS: st.sampled_from(Trait),
    Key.SEVERITY: st.sampled_from(ErrorSeverity),
    Key.FIRST: st.integers(0, 60).map(lambda hours: timedelta(hours=hours, minutes=30)),
}
values[Key.LAST] = values[Key.SINCE] = values[Key.UNTIL] = values[Key.FIRST]


@st.composite
def terms(draw: st.DrawFn) -> Term:
    key = draw(st.sampled_from([*values, Key.TEXT, Key.TEXT]))
    negated = draw(st.booleans()) and key not in (Key.SINCE, Key.UNTIL)
    if key is Key.TEXT:
        word = draw(words)
        start = draw(st.integers(0, 3))
        return Term(key, (word[start:] if is_long_enough(word[start:]) else word,), negated)
    most = 1 if key in (Key.SINCE, Key.UNTIL, Key.FIRST, Key.LAST) else 2
    of_key = draw(st.lists(values[key], min_size=1, max_size=most))
    return Term(
        key, tuple(of_key), negated, draw(st.sampled_from(["region", "plan"])) if key is Key.TAG else ""
    )


def _matches(text: str | None, term: Term) -> bool:
    return text is not None and any(
        re.fullmatch(".*".join(map(re.escape, one.text.split("*"))), text, re.DOTALL)
        if isinstance(one, Pattern)
        else one == text
        for one in term.values
    )


def _says(event: Stored, term: Term) -> bool:
    if event.said is None:
        return False
    if term.key is Key.TEXT:
        return fold(str(term.values[0])) in event.said.text
    return any(name == term.value_name and _matches(value, term) for name, value in event.said.values)


def _moment(term: Term) -> datetime:
    ago = term.values[0]
    assert isinstance(ago, timedelta)
    return NOW - ago


def _of_incident(model: Model, number: int, term: Term) -> bool:
    """What a term says of an incident's own row, and of events by their incident."""
    group = model.fingerprints[number - 1]
    seen = [event.row.occurred_at for event in model.events if event.incident == number]
    match term.key:
        case Key.SERVICE | Key.CODE:
            found = _matches(getattr(group, term.key.value), term)
        case Key.IS:
            is_new = min(seen) >= NOW - timedelta(days=1)
            found = bool(
                {Trait.OPEN, Trait.UNRESOLVED, Trait.UNASSIGNED, *([Trait.NEW] if is_new else [])}
                & set(term.values)
            )
        case Key.FIRST:
            found = min(seen) >= _moment(term)
        case Key.LAST:
            found = max(seen) >= _moment(term)
        case _:
            return True
    return found is not term.negated


def _of_event(model: Model, event: Stored, term: Term) -> bool:
    row = event.row
    match term.key:
        case Key.SERVICE | Key.ENVIRONMENT | Key.RELEASE:
            return _matches(getattr(row, term.key.value), term) is not term.negated
        case Key.SEVERITY:
            return (row.severity in term.values) is not term.negated
        case Key.SINCE:
            return row.occurred_at >= _moment(term)
        case Key.UNTIL:
            return row.occurred_at <= _moment(term)
    if term.key is Key.TEXT or term.key in VALUED:
        return _says(event, term) is not term.negated
    return _of_incident(model, event.incident, term)


def events_in(model: Model, query: Query) -> set[str]:
    return {
        event.row.event_id
        for event in model.events
        if all(_of_event(model, event, term) for term in query.terms)
    }


def incidents_in(model: Model, query: Query) -> set[int]:
    return {
        number for number in {event.incident for event in model.events} if _is_asked(model, number, query)
    }


def _is_asked(model: Model, number: int, query: Query) -> bool:
    its = [event for event in model.events if event.incident == number]
    said = [term for term in query.terms if term.key is Key.TEXT or term.key in VALUED]
    return (
        _is_said(model.fingerprints[number - 1].search_text, its, said)
        and _is_seen(its, query)
        and all(_of_incident(model, number, term) for term in query.terms if term not in said)
    )


def _is_said(own: str, its: Sequence[Stored], said: Sequence[Term]) -> bool:
    """One kept event says all that is required, or the incident itself does; none says what is excluded."""

    def by_itself(term: Term) -> bool:
        return term.key is Key.TEXT and fold(str(term.values[0])) in own

    wanted = [term for term in said if not term.negated]
    excluded = [term for term in said if term.negated]
    return (
        all(map(by_itself, wanted)) or any(all(_says(event, term) for term in wanted) for event in its)
    ) and not any(by_itself(term) or any(_says(event, term) for event in its) for term in excluded)


def _is_seen(its: Sequence[Stored], query: Query) -> bool:
    def in_place(event: Stored, term: Term) -> bool:
        return _matches(getattr(event.row, term.key.value), term)

    places = (Key.ENVIRONMENT, Key.RELEASE)
    highest = max((event.row.severity for event in its), key=lambda severity: severity.rank)
    moments = [event.row.occurred_at for event in its]
    return (
        any(all(in_place(event, term) for term in query.of(*places)) for event in its)
        and not any(in_place(event, term) for event in its for term in query.of(*places, negated=True))
        and all(highest in term.values for term in query.of(Key.SEVERITY))
        and all(highest not in term.values for term in query.of(Key.SEVERITY, negated=True))
        and all(max(moments) >= _moment(term) for term in query.of(Key.SINCE))
        and all(min(moments) <= _moment(term) for term in query.of(Key.UNTIL))
    )


@pytest.mark.may_block("one loop for many examples")
@pytest.mark.timeout(600)
def test_every_query_finds_what_python_finds(tmp_path: Path, current_postgresql: PostgreSQL) -> None:
    urls = (f"sqlite:///{tmp_path / 'faultwire.db'}", current_postgresql.url)
    with asyncio.Runner() as runner:
        stores = runner.run(_open(*urls))

        @settings(deadline=None, suppress_health_check=list(HealthCheck))
        @given(models(), st.lists(st.lists(terms(), min_size=1, max_size=4).map(merge_terms), max_size=12))
        def check(model: Model, queries: list[Query]) -> None:
            for store in stores:
                numbers = runner.run(_store(store, model))
                for query in queries:
                    expected = (incidents_in(model, query), events_in(model, query))
                    found = runner.run(_find(store, query, numbers))
                    assert found == [expected] * 3, (store.name, print_query(query))

        check()
        for store in stores:
            assert runner.run(_filled(store)) <= FILLED
            runner.run(store.close())


async def _open(*urls: str) -> list[Store]:
    for url in urls:
        await migrate.upgrade(url)
    return [await open_store(url) for url in urls]


async def _filled(store: Store) -> set[str]:
    """The names of the tables that have rows."""
    counted = [(table.name, select(func.count()).select_from(table)) for table in metadata.sorted_tables]
    return {name for name, number in counted if (await store.read(number))[0][0]}


async def _store(store: Store, model: Model) -> Mapping[int, int]:
    """Store a model in place of the one before; return its fingerprints' numbers by their incidents."""
    async with store.write() as tx:
        for table in reversed(metadata.sorted_tables):
            if table.name in FILLED:
                await tx.execute(delete(table))
    await store.register(model.fingerprints, [_place(event.row) for event in model.events])
    rows = [event.row for event in model.events]
    await store.prepare_days(frozenset(row.occurred_day for row in rows))
    async with store.write() as tx:
        await tx.record_events(rows)
        await record_found_by(tx, [found_by(one.row, one.said) for one in model.events if one.said])
    numbers = await store.read(select(fingerprints.c.incident_id, fingerprints.c.fingerprint))
    return {row.incident_id: row.fingerprint[0] for row in numbers}


def _place(row: EventRow) -> Place:
    return Place(row.fingerprint, row.environment, row.release or "")


async def _find(store: Store, query: Query, number_of: Mapping[int, int]) -> list[tuple[set[int], set[str]]]:
    """As lists find it, and by each of the two ways to look; an incident by its fingerprint's number."""
    page = await list_incidents(store, query, limit=100, now=NOW)
    events = await list_events(store, query, limit=100, now=NOW)
    found = [({number_of[one.id] for one in page.rows}, {one.id for one in events.rows})]
    for frequency in (COMMON, RARE):
        rows = await store.read(
            select_incidents(store.name, query, None, 100, NOW, common=frequency.is_common_in_incidents)
        )
        of_events = found[0][1]
        if is_said(query):
            listed = await store.read(among_texts(store.name, PageRequest(query, 100, NOW), frequency))
            of_events = {row.id for row in listed}
        found.append(({number_of[row.id] for row in rows}, of_events))
    return found

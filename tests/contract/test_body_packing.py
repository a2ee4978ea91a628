"""Packed bodies are read as they came by whoever asks, and none is packed before every worker can do so."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Connection, func, select, text, update
from tests.contract.test_pipeline import batch, do_not_wait
from tests.servers.postgresql import PostgreSQL
from tests.tools.clock import FixedClock
from tests.tools.migrating import upgrade
from tests.tools.varied import varied_bodies

from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.maintenance import body_packing
from faultwire_consumer.maintenance.body_packing import FIRST_AGE, DictionaryTrainer, PackingWatch
from faultwire_consumer.maintenance.search_filling import SearchFiller
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract import packing as door
from faultwire_consumer.store.contract.packed_body import DICTIONARY_BYTES, PLAIN, ZSTD
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.copy.copy import copy_database
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.events.event import get_event
from faultwire_consumer.store.events.event_list import list_events
from faultwire_consumer.store.events.export import read_pieces
from faultwire_consumer.store.events.messages import read_messages
from faultwire_consumer.store.migrations import migrate
from faultwire_consumer.store.migrations.schema_version import on_connection
from faultwire_consumer.store.rehearsal.events import Span, read_batches, read_example
from faultwire_consumer.store.schema.events import body_dictionaries, edge_bodies, events
from faultwire_consumer.store.upkeep.dictionaries import find_newest
from faultwire_shared import codec
from faultwire_shared.memo import Memo

pytestmark = pytest.mark.may_block("migrations and databases are files")

BODIES: Final = 40
BEFORE: Final = "0022"
EVERYTHING: Final = parse_query("")

# As the release before 0023 has them: it knows no codec but 0.
OLD_EDGE: Final = """
INSERT INTO {schema}edge_bodies (fingerprint, edge, occurred_day, event_id, occurred_at, doc_codec, doc)
SELECT fingerprint, edge, occurred_day, event_id, occurred_at, 0, :doc FROM {schema}edge_bodies WHERE true
ON CONFLICT (fingerprint, edge) DO UPDATE SET doc_codec = 0, doc = excluded.doc
"""


@dataclass
class Site:
    """A store, what it packs with, and the bodies that came to it by their events' ids."""

    store: Store
    packing: Packing
    clock: FixedClock
    came: dict[str, bytes] = field(default_factory=dict)
    is_closed: bool = False

    async def close(self) -> None:
        """Let go of the store, once."""
        if not self.is_closed:
            await self.store.close()
        self.is_closed = True

    def trainer(self) -> DictionaryTrainer:
        return DictionaryTrainer(self.store, self.packing, clock=self.clock)

    async def take_in(self, count: int, *, limit: int = 1_000) -> None:
        """Ingest events that no other is like."""
        bodies = list(varied_bodies(count, now=self.clock.advance(1), start=len(self.came)))
        pipeline = Pipeline(
            self.store, metrics=Metrics(), bodies_per_incident=limit, clock=self.clock, sleep=do_not_wait
        )
        # A message has 256 KiB at most.
        await pipeline.ingest([batch(*bodies[start : start + 10]) for start in range(0, count, 10)])
        self.came |= {codec.decode(body).id: body for body in bodies}

    async def train(self) -> None:
        """As a worker does in its first minutes."""
        trainer = self.trainer()
        for _ in range(2):
            await trainer.train()

    async def codecs(self) -> set[int]:
        rows = await self.store.read(select(events.c.doc_codec).where(events.c.doc.is_not(None)).distinct())
        return {row.doc_codec for row in rows}

    async def bodies(self) -> dict[str, bytes | None]:
        return {event_id: await body_of(self.store, event_id) for event_id in self.came}


async def body_of(store: Store, event_id: str) -> bytes | None:
    found = await get_event(store, event_id)
    assert found is not None
    return found.doc


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_packing, "SAMPLES_MIN", BODIES)


@pytest.fixture
async def site(database_url: str, clock: FixedClock) -> AsyncIterator[Site]:
    packing = Packing()
    store = await open_store(database_url, packing=packing)
    site = Site(store, packing, clock)
    yield site
    await site.close()


@pytest.fixture
async def packed(site: Site) -> Site:
    """With bodies of both codecs."""
    await site.take_in(BODIES)
    await site.train()
    await site.take_in(10)
    assert await site.codecs() == {PLAIN, ZSTD}
    return site


def forget_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another process, which has read none."""
    monkeypatch.setattr(door, "_known", Memo(64))
    monkeypatch.setattr(door, "_lost", Memo())


async def exported(store: Store, clock: FixedClock) -> dict[str, bytes | None]:
    pieces = [piece async for piece in read_pieces(store, EVERYTHING, now=clock())]
    return {event.event_id: event.doc for piece in pieces for event in piece}


async def searched(store: Store, clock: FixedClock, query: str) -> list[str]:
    page = await list_events(store, parse_query(query), limit=200, now=clock())
    return [row.id for row in page.rows]


async def test_every_reader_gives_bodies_as_they_came(packed: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock, came = packed.store, packed.clock, packed.came
    forget_dictionaries(monkeypatch)
    assert await exported(store, clock) == came
    assert await packed.bodies() == came
    span = Span(clock() - timedelta(hours=1), clock() + timedelta(hours=1))
    played = [event async for one in read_batches(store, span) for event in one]
    assert {event.event_id: event.doc for event in played} == came
    page = await list_events(store, EVERYTHING, limit=200, now=clock())
    messages = await read_messages(store, page.rows)
    assert messages == {event_id: codec.decode(body).message for event_id, body in came.items()}
    assert await read_example(store, played[-1].fingerprint) in came.values()


async def test_what_is_packed_is_found_by_what_it_says(packed: Site) -> None:
    await SearchFiller(packed.store, sleep=do_not_wait).fill()
    event_id, body = list(packed.came.items())[-1]
    assert await searched(packed.store, packed.clock, f"trace:{codec.decode(body).trace_id}") == [event_id]
    assert await searched(packed.store, packed.clock, f'"{codec.decode(body).message}"') == [event_id]


async def test_first_and_last_bodies_beyond_a_budget_are_packed_too(site: Site) -> None:
    await site.take_in(BODIES)
    await site.train()
    body = next(iter(site.came.values()))
    pipeline = Pipeline(
        site.store, metrics=Metrics(), bodies_per_incident=10, clock=site.clock, sleep=do_not_wait
    )
    ids = [f"error_20261123_{number:08d}" for number in range(60)]
    own = codec.decode(body).id.encode()
    last = b""
    for start in range(0, 60, 20):
        some = [body.replace(own, event_id.encode()) for event_id in ids[start : start + 20]]
        await pipeline.ingest([batch(*some)])
        last = some[-1]
    rows = await site.store.read(select(edge_bodies.c.doc_codec, edge_bodies.c.event_id))
    assert rows
    assert {row.doc_codec for row in rows} == {ZSTD}
    assert await body_of(site.store, ids[-1]) == last
    narrow = await site.store.read(select(func.max(events.c.doc_codec)).where(events.c.doc.is_(None)))
    assert narrow[0][0] == PLAIN


async def test_a_damaged_body_harms_no_other_one(packed: Site) -> None:
    event_id = list(packed.came)[-1]
    (row,) = await packed.store.read(select(events.c.doc).where(events.c.event_id == event_id))
    stored = bytes(row.doc)
    cut = stored[: len(stored) // 2]
    async with packed.store.write() as tx:
        await tx.execute(update(events).where(events.c.event_id == event_id).values(doc=cut))
    assert await exported(packed.store, packed.clock) == {**packed.came, event_id: cut}
    await SearchFiller(packed.store, sleep=do_not_wait).fill()
    neighbour = list(packed.came)[-2]
    trace = codec.decode(packed.came[neighbour]).trace_id
    assert await searched(packed.store, packed.clock, f"trace:{trace}") == [neighbour]


async def test_bodies_of_a_lost_dictionary_are_damaged_and_the_others_are_read(
    packed: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_dictionaries(monkeypatch)
    async with packed.store.write() as tx:
        await tx.execute(body_dictionaries.delete())
    found = await exported(packed.store, packed.clock)
    plain = list(packed.came)[:BODIES]
    assert {event_id: found[event_id] for event_id in plain} == {
        event_id: packed.came[event_id] for event_id in plain
    }
    assert len(found) == len(packed.came)


async def test_no_dictionary_is_trained_of_too_few_bodies(site: Site) -> None:
    await site.take_in(BODIES - 1)
    await site.train()
    assert site.packing.dictionary_id is None
    await site.take_in(1)
    await site.train()
    assert site.packing.dictionary_id is not None


async def test_another_worker_packs_with_the_dictionary_that_one_has_trained(packed: Site) -> None:
    theirs = Packing()
    await PackingWatch(packed.store, theirs).look()
    assert theirs.dictionary_id == packed.packing.dictionary_id
    newest = await find_newest(packed.store)
    assert newest is not None
    assert (newest.id, newest.number) == (theirs.dictionary_id, 1)
    (row,) = await packed.store.read(select(body_dictionaries))
    assert (row.samples, len(row.content)) == (BODIES, DICTIONARY_BYTES)


async def test_a_dictionary_is_replaced_when_what_is_stored_has_become_other(
    packed: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, trainer = packed.packing.dictionary_id, packed.trainer()
    packed.clock.advance(FIRST_AGE)
    await trainer.train()
    assert packed.packing.dictionary_id == first  # of the same events none is clearly better
    alike = [body_of_another_kind(packed.clock, number) for number in range(BODIES)]
    pipeline = Pipeline(packed.store, metrics=Metrics(), clock=packed.clock, sleep=do_not_wait)
    await pipeline.ingest([batch(*alike)])
    monkeypatch.setattr("faultwire_consumer.store.upkeep.dictionaries.LOOKED_AT", BODIES)
    await trainer.train()
    assert packed.packing.dictionary_id == first  # compared an hour ago at the earliest
    packed.clock.advance(FIRST_AGE)
    await trainer.train()
    assert packed.packing.dictionary_id not in (None, first)
    assert await packed.bodies() == packed.came


def body_of_another_kind(clock: FixedClock, number: int) -> bytes:
    words = " ".join(f"Befund{place * 7919 % 997}" for place in range(number, number + 150))
    return (
        b'{"id":"error_%s_%08d","schema_version":1,"occurred_at":"%s","severity":"low","service":"labor",'
        b'"message":"%s"}'
        % (f"{clock():%Y%m%d}".encode(), number, clock().isoformat().encode(), words.encode())
    )


async def test_packed_bodies_are_copied_with_their_dictionary_into_the_other_kind_of_database(
    packed: Site, database_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'target.db'}"
    if packed.store.name == "sqlite":
        url = request.getfixturevalue("postgresql").url
    await packed.close()
    await copy_database(database_url, url)
    packing = Packing()
    store = await open_store(url, packing=packing)
    try:
        copied = Site(store, packing, packed.clock, packed.came)
        assert await copied.codecs() == {PLAIN, ZSTD}
        assert await exported(store, packed.clock) == packed.came
        await PackingWatch(store, packing).look()
        await copied.take_in(10)
        assert await copied.bodies() == copied.came
    finally:
        await store.close()


async def test_bodies_of_the_release_before_stay_readable_and_its_workers_go_on_beside(
    empty_database_url: str, clock: FixedClock
) -> None:
    def make_earlier(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS faultwire"))
        command.upgrade(migrate.alembic_config(connection), BEFORE)

    await asyncio.to_thread(asyncio.run, on_connection(empty_database_url, make_earlier))
    await upgrade(empty_database_url)
    packing = Packing()
    store = await open_store(empty_database_url, packing=packing)
    try:
        site = Site(store, packing, clock)
        await site.take_in(BODIES)
        assert await site.codecs() == {PLAIN}
        await site.train()
        await site.take_in(10, limit=10)
        schema = "" if store.name == "sqlite" else "faultwire."
        theirs = next(iter(site.came.values()))
        async with store.write() as tx:
            await tx.execute(text(OLD_EDGE.format(schema=schema)), {"doc": theirs})
        assert await site.bodies() == site.came
    finally:
        await store.close()


@pytest.mark.postgresql
async def test_nothing_is_packed_while_a_worker_of_an_older_release_is_connected(
    current_postgresql: PostgreSQL, clock: FixedClock
) -> None:
    packing = Packing()
    store = await open_store(current_postgresql.url, packing=packing)
    older = await asyncpg.connect(current_postgresql.url, server_settings={"application_name": "faultwire"})
    try:
        site = Site(store, packing, clock)
        await site.take_in(BODIES)
        trainer = site.trainer()
        for _ in range(3):
            await trainer.train()
        assert packing.dictionary_id is None
        await older.close()
        await trainer.train()
        assert packing.dictionary_id is None  # one look may fall into a moment without connections
        await trainer.train()
        assert packing.dictionary_id is not None
    finally:
        await older.close()
        await store.close()

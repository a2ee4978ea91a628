"""Queries on a real standby: what it may answer, what only the primary may, and what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import text
from tests.contract.test_pipeline import batch
from tests.servers.postgresql import PostgreSQL, Servers
from tests.servers.replication import ReplicatedPostgreSQL, replicated
from tests.tools.clock import FixedClock
from tests.tools.migrating import upgrade
from tests.tools.varied import varied_bodies

from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract import packing as door
from faultwire_consumer.store.contract.packed_body import Packer, train
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.timeouts import Timeouts
from faultwire_consumer.store.contract.url import DatabaseUrlError, parse_database_url
from faultwire_consumer.store.engine import open_store, with_replica
from faultwire_consumer.store.events.export import read_pieces
from faultwire_consumer.store.postgresql.store import PostgresqlStore
from faultwire_consumer.store.replica.freshness import STALE_SECONDS
from faultwire_consumer.store.replica.store import ReplicatedStore, reading_primary
from faultwire_consumer.store.upkeep.dictionaries import keep_dictionary
from faultwire_shared.memo import Memo

SUM = text("SELECT coalesce(sum(number), 0)::int FROM numbers")
OTHERS = "INSERT INTO numbers VALUES (1)"
"""Written by another worker: nobody here has to see it at once."""


@dataclass
class Seconds:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        self.now += 0.001  # no two moments are one
        return self.now


@dataclass
class Site:
    """A primary, its standby, and the store over both."""

    pair: ReplicatedPostgreSQL
    store: ReplicatedStore
    seconds: Seconds

    async def sum(self) -> int:
        return int((await self.store.read(SUM))[0][0])

    async def write(self, number: int) -> None:
        async with self.store.write() as tx:
            await tx.execute(text(f"INSERT INTO numbers VALUES ({number})"))

    async def poll(self) -> None:
        """A second later."""
        self.seconds.now += 1
        await self.store.poll()


def opened(url: str) -> PostgresqlStore:
    return PostgresqlStore(parse_database_url(url), Timeouts())


@pytest.fixture(scope="module")
def pair(_postgresql_servers: Servers) -> Iterator[ReplicatedPostgreSQL]:
    """One for all tests here, which leave both servers running: a pair takes seconds to start."""
    with replicated(_postgresql_servers) as pair:
        pair.primary.execute("CREATE TABLE numbers (number int)")
        yield pair


@pytest.fixture
async def site(pair: ReplicatedPostgreSQL) -> AsyncIterator[Site]:
    pair.resume_replay()
    pair.primary.execute("TRUNCATE numbers")
    pair.wait_for_replay()
    seconds = Seconds()
    primary = opened(pair.primary.url)
    store = ReplicatedStore(primary, opened(pair.standby.url), clock=seconds)
    try:
        yield Site(pair, store, seconds)
    finally:
        await store.close()
        await primary.close()


async def test_queries_go_to_the_replica_once_it_was_seen_to_have_what_was_committed(site: Site) -> None:
    site.pair.pause_replay()
    site.pair.primary.execute(OTHERS)
    assert await site.sum() == 1  # not polled yet
    site.pair.resume_replay()
    site.pair.wait_for_replay()
    await site.poll()
    site.pair.pause_replay()
    site.pair.primary.execute(OTHERS)
    assert await site.sum() == 1
    assert site.store.why_unused == ""


async def test_who_wrote_reads_it_from_the_primary_until_the_replica_has_it(site: Site) -> None:
    await site.poll()
    site.pair.pause_replay()
    await site.write(10)
    assert await site.sum() == 10
    await site.poll()
    assert await site.sum() == 10
    site.pair.resume_replay()
    site.pair.wait_for_replay()
    await site.poll()
    site.pair.pause_replay()
    site.pair.primary.execute(OTHERS)
    assert await site.sum() == 10  # the replica's again


async def test_what_must_not_be_late_reads_the_primary_by_saying_so(site: Site) -> None:
    await site.poll()
    site.pair.pause_replay()
    site.pair.primary.execute(OTHERS)
    with reading_primary():
        assert await asyncio.gather(site.sum(), site.sum())
    assert await site.sum() == 0


async def test_a_replica_that_is_too_far_behind_is_left_and_taken_again(site: Site) -> None:
    await site.poll()
    site.pair.pause_replay()
    site.pair.primary.execute(OTHERS)
    site.seconds.now += STALE_SECONDS - 5
    await site.poll()
    assert await site.sum() == 0
    site.seconds.now += 10
    await site.poll()
    assert "s behind, more than 30 s" in site.store.why_unused
    assert await site.sum() == 1
    site.pair.resume_replay()
    site.pair.wait_for_replay()
    await site.poll()
    assert (site.store.why_unused, site.store.behind_seconds) == ("", 0)


async def test_a_replica_that_crashed_costs_no_query_and_is_taken_again(site: Site) -> None:
    await site.poll()
    site.pair.stop_standby()
    site.pair.primary.execute(OTHERS)
    assert await site.sum() == 1
    await site.poll()
    assert site.store.why_unused.startswith("it does not answer: ")
    assert "faultwire:faultwire" not in site.store.why_unused
    await site.pair.start_standby()
    site.pair.wait_for_replay()
    await site.poll()
    assert site.store.why_unused == ""
    assert await site.sum() == 1


async def test_a_query_on_a_replica_that_freezes_is_answered_by_the_primary(site: Site) -> None:
    await site.poll()
    assert await site.sum() == 0
    site.pair.primary.execute(OTHERS)
    site.pair.pause_standby()
    try:
        answer = asyncio.create_task(site.sum())
        await site.poll()
        assert site.store.why_unused == "it does not answer: no answer within 2 s"
        assert await answer == 1
    finally:
        site.pair.resume_standby()


async def test_while_the_primary_is_away_the_replica_still_answers(site: Site) -> None:
    site.pair.primary.execute(OTHERS)
    site.pair.wait_for_replay()
    await site.poll()
    site.pair.stop_primary()
    try:
        site.seconds.now += 2 * STALE_SECONDS
        await site.poll()
        assert site.store.why_unused == ""
        assert await site.sum() == 1
    finally:
        await site.pair.start_primary()


async def test_another_database_is_no_replica(site: Site, postgresql: PostgreSQL) -> None:
    stranger = opened(postgresql.url)
    store = ReplicatedStore(opened(site.pair.primary.url), stranger)
    await store.poll()
    assert store.why_unused.startswith("it is not a copy of the primary's database")
    await stranger.close()
    await store._primary.close()


def test_a_replica_is_postgresql() -> None:
    with pytest.raises(DatabaseUrlError, match="not a SQLite file"):
        with_replica(opened("postgresql://127.0.0.1:9/x"), "sqlite:///x.db")


@pytest.mark.e2e
async def test_packed_bodies_are_read_from_the_replica_with_the_dictionary_that_came_by_it(
    site: Site, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await upgrade(site.pair.primary.url)
    packing = Packing()
    primary = await open_store(site.pair.primary.url, packing=packing)
    try:
        bodies = list(varied_bodies(200, now=clock()))
        dictionary = train(bodies[:150])
        await keep_dictionary(primary, dictionary, samples=150, now=clock())
        packing.use(Packer(dictionary))
        pipeline = Pipeline(primary, metrics=Metrics(), clock=clock)
        await pipeline.ingest([batch(body) for body in bodies[150:]])
    finally:
        await primary.close()
    site.pair.wait_for_replay()
    await site.poll()
    assert site.store.why_unused == ""
    monkeypatch.setattr(door, "_known", Memo(64))
    pieces = [piece async for piece in read_pieces(site.store, parse_query(""), now=clock())]
    assert sorted(event.doc or b"" for piece in pieces for event in piece) == sorted(bodies[150:])

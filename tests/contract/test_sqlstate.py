"""What each of PostgreSQL's error codes means for a batch: raised by the server itself, from a trigger."""

import json
from collections.abc import AsyncIterator
from typing import Final

import pytest
from sqlalchemy import select
from tests.servers.postgresql import PostgreSQL
from tests.tools.factories import wire_event

from faultwire_consumer.domain.outcome import DeadLettered, Outcome, Retry, Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import events
from faultwire_shared.codec import BATCH_TYPE

PASSING: Final = ("40001", "40P01", "55P03", "53300", "57P01", "57P02", "08003", "08006", "25P03")
LASTING: Final = ("53100", "53200", "53400", "25006", "58030", "XX000", "XX001", "42501", "57P03", "P0001")
REJECTING: Final = ("22001", "22003", "22021", "22P02", "23502", "23514", "21000", "54000")


@pytest.fixture
async def store(current_postgresql: PostgreSQL) -> AsyncIterator[Store]:
    """A store whose table of events raises what the test asks for, for the messages that it marks."""
    store = await open_store(current_postgresql.url)
    yield store
    await store.close()


def raise_in(database: PostgreSQL, state: str, *, times: int = 1_000_000) -> None:
    """Refuse an event with the release ``marked``; a sequence counts on where a transaction does not."""
    database.execute(
        "CREATE SEQUENCE IF NOT EXISTS raised; ALTER SEQUENCE raised RESTART;"
        "CREATE OR REPLACE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f"  IF NEW.release = 'marked' AND nextval('raised') <= {times} THEN"
        f"    RAISE EXCEPTION 'as asked' USING ERRCODE = '{state}'; END IF;"
        "  RETURN NEW; END $$;"
        "CREATE OR REPLACE TRIGGER fault BEFORE INSERT ON faultwire.events"
        " FOR EACH ROW EXECUTE FUNCTION fault()"
    )


async def ingest(store: Store, marked: int = 1) -> list[Outcome]:
    async def do_not_wait(_: float) -> None:
        return

    sent = [wire_event() for _ in range(10)] + [wire_event(release="marked") for _ in range(marked)]
    body = json.dumps(sent).encode()
    pipeline = Pipeline(store, metrics=Metrics(), sleep=do_not_wait)
    (outcomes,) = await pipeline.ingest([read_delivery(body, BATCH_TYPE, origin="test", handle=None)])
    return outcomes


@pytest.mark.line(25)
async def test_what_passes_by_is_tried_again_at_once(store: Store, current_postgresql: PostgreSQL) -> None:
    for state in PASSING:
        raise_in(current_postgresql, state, times=4)
        assert {type(one) for one in await ingest(store)} == {Stored}, state


async def test_what_lasts_gives_everything_back_and_makes_no_dead_letter(
    store: Store, current_postgresql: PostgreSQL
) -> None:
    for state in (*PASSING, *LASTING):
        raise_in(current_postgresql, state)
        outcomes = await ingest(store)
        assert {type(one) for one in outcomes} == {Retry}, state
        assert all(state in one.reason for one in outcomes if isinstance(one, Retry))
    assert not await store.read(select(dead_letters))


async def test_what_lies_in_the_rows_makes_dead_letters_of_those_rows(
    store: Store, current_postgresql: PostgreSQL
) -> None:
    for state in REJECTING:
        raise_in(current_postgresql, state)
        outcomes = await ingest(store, marked=2)
        assert [type(one) for one in outcomes] == [Stored] * 10 + [DeadLettered] * 2, state
    details = [row.detail for row in await store.read(select(dead_letters).order_by(dead_letters.c.id))]
    assert details == [f"as asked (SQLSTATE {state}) at $" for state in REJECTING for _ in range(2)]


async def test_a_batch_whose_statement_is_cancelled_goes_in_halves(
    store: Store, current_postgresql: PostgreSQL
) -> None:
    raise_in(current_postgresql, "57014", times=3)
    assert {type(one) for one in await ingest(store, marked=20)} == {Stored}


async def test_a_day_whose_partition_is_gone_gets_one_and_its_events_are_stored(
    store: Store, current_postgresql: PostgreSQL
) -> None:
    await ingest(store)
    (row,) = await store.read(select(events.c.occurred_day).distinct())
    table = f"faultwire.events_{row.occurred_day:%Y%m%d}"
    for gone in (f"ALTER TABLE faultwire.events DETACH PARTITION {table}", f"DROP TABLE {table}"):
        current_postgresql.execute(gone)
        assert {type(one) for one in await ingest(store)} == {Stored}, gone
        kept = await store.read(select(events.c.event_id))
        assert len(kept) == (11 if gone.startswith("DROP") else 22), "what was only detached is back"
    assert not await store.read(select(dead_letters))

"""What operators and the broker do to dead letters, on both databases."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec import structs
from sqlalchemy import func, select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_body, wire_event
from tests.tools.fakes import BreakableStore

from faultwire_consumer.actions import dead_letters as actions
from faultwire_consumer.domain.dead_letter import DeadLetterStatus, ReplayOutcome
from faultwire_consumer.domain.outcome import BrokerReason, DeadLettered, Retry, Stored
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.dead_queue import DeadDelivery, DeadQueue, Death, death_in
from faultwire_consumer.ingest.replay import Replayer
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.dead_letters.queries import (
    DeadLetterBody,
    DeadLetterFilter,
    get_dead_letter,
    list_dead_letter_history,
    list_dead_letters,
)
from faultwire_consumer.store.dead_letters.record import NewDeadLetter, record_dead_letters
from faultwire_consumer.store.schema.events import events, incidents
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE

DEATH = {
    "x-death": [
        {
            "reason": "delivery_limit",
            "queue": "faultwire.high",
            "count": 1,
            "routing-keys": ["event.high.a.b"],
        }
    ]
}

LONG_DEAD = Death(reason=BrokerReason.UNKNOWN, queue="q", detail="d", attempts=2**63)


def dead(body: bytes, headers: dict[str, Any] | None = None, kind: str | None = EVENT_TYPE) -> DeadDelivery:
    death = death_in(DEATH if headers is None else headers)
    return DeadDelivery(body, kind, death.queue, None, death.attempts, [], None, death=death)


def replayer(store: Store, clock: FixedClock) -> Replayer:
    return Replayer(Pipeline(store, metrics=Metrics(), clock=clock))


async def drain(store: Store, clock: FixedClock, *deliveries: DeadDelivery) -> Any:
    return await DeadQueue(store, metrics=Metrics(), clock=clock).ingest(deliveries)


async def replay(store: Store, clock: FixedClock, letter_id: int = 1, **fields: Any) -> ReplayOutcome | None:
    ingest = fields.pop("ingest", None) or replayer(store, clock).replay
    return await actions.replay_dead_letter(store, letter_id, ingest, actor="ann", now=clock, **fields)


async def letter_of(store: Store, letter_id: int = 1) -> DeadLetterBody:
    letter = await get_dead_letter(store, letter_id)
    assert letter is not None
    return letter


async def waiting_ids(store: Store) -> list[int]:
    return [letter.id for letter in (await list_dead_letters(store, DeadLetterFilter(), limit=50)).rows]


async def reasons_of(store: Store, letter_id: int = 1) -> Sequence[str]:
    return [entry.reason for entry in await list_dead_letter_history(store, letter_id)]


async def stored(store: Store) -> tuple[int, int]:
    rows = (await store.read(select(func.count()).select_from(events)))[0][0]
    return int(rows), int((await store.read(select(func.coalesce(func.sum(incidents.c.count), 0))))[0][0])


async def keep_broken(store: Store, clock: FixedClock, body: bytes = b"{") -> None:
    await Pipeline(store, metrics=Metrics(), clock=clock).ingest(
        [read_delivery(body, EVENT_TYPE, origin="test", handle=None)]
    )


async def test_a_dead_letter_that_the_database_refuses_is_kept_bare_and_stops_nobody(
    store: Store, clock: FixedClock
) -> None:
    pipeline = Pipeline(store, metrics=Metrics(), clock=clock)
    refused = read_delivery(b"{", EVENT_TYPE, origin="q\ud83d", handle=None, attempts=2**63)
    sound = read_delivery(wire_body(now=clock()), EVENT_TYPE, origin="q", handle=None)
    (dead_one,), (stored,) = await pipeline.ingest([refused, sound])
    assert isinstance(stored, Stored)
    assert isinstance(dead_one, DeadLettered)
    letter = await letter_of(store)
    assert letter.body == b'{"sha256": "%s", "bytes": 1}' % hashlib.sha256(b"{").hexdigest().encode()
    assert (letter.reason, letter.attempts, letter.message_type) == ("malformed_json", 1, None)
    assert letter.detail.startswith("its body is not kept: the database refuses it")
    assert letter.origin == "q\\ud83d"


async def test_so_is_one_of_the_brokers(store: Store, clock: FixedClock) -> None:
    (refused,), (sound,) = await drain(store, clock, structs.replace(dead(b"{"), death=LONG_DEAD), dead(b"["))
    assert isinstance(refused, DeadLettered)
    assert isinstance(sound, DeadLettered)
    letters = [await letter_of(store, one) for one in await waiting_ids(store)]
    assert {letter.body[:10] for letter in letters} == {b'{"sha256":', b"["}


async def test_what_the_broker_gave_up_is_kept_whole_with_its_queue(store: Store, clock: FixedClock) -> None:
    event = wire_event(now=clock())
    ((outcome,),) = await drain(store, clock, dead(json.dumps(event).encode()))
    assert isinstance(outcome, DeadLettered)
    letter = await letter_of(store)
    assert (letter.reason, letter.origin, letter.event_id) == (
        "delivery_limit",
        "faultwire.high",
        event["id"],
    )
    assert letter.detail == "faultwire.high gave it up (delivery_limit), routing key event.high.a.b"
    assert (letter.attempts, letter.status) == (21, DeadLetterStatus.WAITING)


async def test_a_dead_message_that_is_drained_again_changes_nothing(store: Store, clock: FixedClock) -> None:
    one = dead(wire_body(now=clock()))
    await drain(store, clock, one, one)
    await drain(store, clock, one)
    assert await waiting_ids(store) == [1]
    assert (await letter_of(store)).attempts == 21
    assert await replay(store, clock)
    await drain(store, clock, one)
    assert (await letter_of(store)).status is DeadLetterStatus.REPLAYED


async def test_a_dead_message_goes_back_while_the_store_is_away(store: Store, clock: FixedClock) -> None:
    broken = BreakableStore(store)
    broken.is_away = True
    ((outcome,),) = await drain(broken, clock, dead(b"{"))
    assert isinstance(outcome, Retry)
    broken.is_away, broken.busy_times = False, 2
    ((outcome,),) = await drain(broken, clock, dead(b"{"))
    assert isinstance(outcome, DeadLettered)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-death": "nonsense"},
        {"x-death": [5]},
        {"x-death": [{"reason": 5, "count": "x", "queue": b"q\x00\xff", "routing-keys": 5}]},
        {"x-death": []},
        {"x-death": [{"reason": "maxlen", "count": 2**70}]},
    ],
)
async def test_whatever_stands_in_the_headers_the_body_is_kept(
    store: Store, clock: FixedClock, headers: dict[str, Any]
) -> None:
    await drain(store, clock, dead(b"\xff\x00", headers, "odd\x00type"))
    assert (await letter_of(store)).body == b"\xff\x00"


async def test_a_replay_stores_the_event_once_however_often_it_is_asked_for(
    store: Store, clock: FixedClock
) -> None:
    await drain(store, clock, dead(wire_body(now=clock())))
    attempt = await replay(store, clock, why="mended the database")
    assert attempt is not None
    assert (attempt.is_kept, attempt.detail) == (True, "1 stored")
    assert await replay(store, clock) is None
    assert await stored(store) == (1, 1)
    assert await waiting_ids(store) == []
    (entry,) = await list_dead_letter_history(store, 1)
    assert (entry.actor, entry.reason, entry.detail) == ("ann", "replayed", "mended the database; 1 stored")
    assert (entry.before, entry.after, entry.at) == ("waiting", "replayed", clock())


async def test_replays_at_the_same_time_count_the_event_once(store: Store, clock: FixedClock) -> None:
    await drain(store, clock, dead(wire_body(now=clock())))
    await asyncio.gather(*(replay(store, clock) for _ in range(5)))
    assert await stored(store) == (1, 1)
    assert await reasons_of(store) == ["replayed"]


async def test_a_replay_that_dies_between_its_two_commits_is_finished_by_the_next(
    store: Store, clock: FixedClock
) -> None:
    await drain(store, clock, dead(wire_body(now=clock())))

    async def die_after(letter: DeadLetterBody) -> ReplayOutcome:
        await replayer(store, clock).replay(letter)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await replay(store, clock, ingest=die_after)
    assert (await stored(store), await waiting_ids(store)) == ((1, 1), [1])
    attempt = await replay(store, clock)
    assert attempt is not None
    assert attempt.detail == "1 duplicate"
    assert (await stored(store), await waiting_ids(store)) == ((1, 1), [])


async def test_a_replay_that_fails_again_is_the_same_dead_letter_with_one_more_attempt(
    store: Store, clock: FixedClock
) -> None:
    await keep_broken(store, clock)
    attempt = await replay(store, clock)
    assert attempt is not None
    assert not attempt.is_kept
    assert await waiting_ids(store) == [1]
    assert (await letter_of(store)).attempts == 2
    assert await reasons_of(store) == ["replay_failed"]


async def test_a_batch_with_one_bad_event_is_replayed_and_the_bad_one_waits_alone(
    store: Store, clock: FixedClock
) -> None:
    members = [wire_event(now=clock()), {"id": "broken"}, wire_event(now=clock())]
    await drain(store, clock, dead(json.dumps(members).encode(), kind=BATCH_TYPE))
    attempt = await replay(store, clock)
    assert attempt is not None
    assert (attempt.is_kept, attempt.detail) == (True, "1 dead lettered, 2 stored")
    assert await stored(store) == (2, 2)
    assert await waiting_ids(store) == [2]
    # It was kept alone, with the type of its batch: that must not make it unreadable.
    again = await replay(store, clock, 2)
    assert again is not None
    assert "invalid_event" in again.detail
    assert (await letter_of(store, 2)).attempts == 2


async def test_a_replay_while_the_store_is_away_leaves_the_letter_as_it_was(
    store: Store, clock: FixedClock
) -> None:
    await drain(store, clock, dead(wire_body(now=clock())))
    broken = BreakableStore(store)
    broken.is_away = True
    with pytest.raises(StoreUnavailableError):
        await replayer(broken, clock).replay(await letter_of(store))
    assert (await waiting_ids(store), await reasons_of(store)) == ([1], [])


async def test_a_body_that_was_cut_is_not_replayed(store: Store, clock: FixedClock) -> None:
    letter = NewDeadLetter(
        body=b" " * 300_000,
        reason="too_large",
        detail="too large at $",
        event_id=None,
        origin="test",
        message_type=None,
        attempts=1,
        at=clock(),
    )
    async with store.write() as tx:
        await record_dead_letters(tx, [letter])
    with pytest.raises(actions.DeadLetterConflictError, match="262,144 of its 300,000 bytes"):
        await replay(store, clock)


async def test_a_discard_is_written_down_and_takes_the_letter_off_the_list(
    store: Store, clock: FixedClock
) -> None:
    await keep_broken(store, clock)
    for is_new in (True, False):
        done = await actions.discard_dead_letter(store, 1, actor="bob", now=clock(), why="a load test's")
        assert done is is_new
    assert await waiting_ids(store) == []
    assert (await letter_of(store)).body == b"{"
    (entry,) = await list_dead_letter_history(store, 1)
    assert (entry.actor, entry.reason, entry.detail) == ("bob", "discarded", "a load test's")


async def test_a_discarded_body_that_arrives_again_waits_again(store: Store, clock: FixedClock) -> None:
    await keep_broken(store, clock)
    await actions.discard_dead_letter(store, 1, actor="bob", now=clock())
    await keep_broken(store, clock)
    assert await waiting_ids(store) == [1]
    assert await reasons_of(store) == ["came_again", "discarded"]


async def test_a_discarded_letter_can_be_replayed_and_a_replayed_one_not_discarded(
    store: Store, clock: FixedClock
) -> None:
    await drain(store, clock, dead(wire_body(now=clock())))
    await actions.discard_dead_letter(store, 1, actor="bob", now=clock())
    assert await replay(store, clock)
    assert await stored(store) == (1, 1)
    with pytest.raises(actions.DeadLetterConflictError, match="its events are stored"):
        await actions.discard_dead_letter(store, 1, actor="bob", now=clock())


async def test_what_does_not_exist_cannot_be_replayed_or_discarded(store: Store, clock: FixedClock) -> None:
    with pytest.raises(actions.DeadLetterNotFoundError):
        await replay(store, clock, 9)
    with pytest.raises(actions.DeadLetterNotFoundError):
        await actions.discard_dead_letter(store, 9, actor="bob", now=clock())

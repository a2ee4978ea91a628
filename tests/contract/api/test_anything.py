"""The wire's whole space: whatever arrives is stored or a dead letter, and stays readable.

`make fuzz` draws a million messages (FAULTWIRE_FUZZ); FAULTWIRE_FUZZ_SEED repeats a run.
"""

import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

import pamqp.frame
from aiormq.abc import DeliveredMessage
from pamqp.commands import Basic
from sqlalchemy import func, select
from structlog.testing import capture_logs
from tests.contract.api.anything import Anything
from tests.contract.api.conftest import Site
from tests.tools.raw_frames import frame
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.outcome import DeadLettered, Outcome, Stored
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE, DeadQueue, DeadQueueReceiver
from faultwire_consumer.ingest.receive.frames import odd_frames_are_read
from faultwire_consumer.ingest.receive.http import lane_of, message_type_of
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.message import json_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import events, incidents
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.event import Lane

COUNT: Final = int(os.environ.get("FAULTWIRE_FUZZ", "200"))
SEED: Final = int(os.environ.get("FAULTWIRE_FUZZ_SEED", random.randrange(2**32)))
CHUNK: Final = 100
SHOWN: Final = 1 if COUNT > 10_000 else CHUNK
"""Events of a chunk that are looked at one by one."""
LISTS: Final = ("incidents", "events", "dead-letters", "producers", "alerts")


class Wire:
    """Takes in what is drawn, by every door, and counts what came of it."""

    def __init__(self, site: Site, drawn: Anything) -> None:
        self.site, self.drawn = site, drawn
        self.tally: Counter[str] = Counter()
        self.dead_bodies: set[int] = set()
        """Hashes: of two broken batches the same few bytes may be a member, and are one dead letter."""
        self._lane = AmqpReceiver(Lane.HIGH, "amqp://nowhere/", metrics=Metrics())
        self._dead = DeadQueueReceiver("amqp://nowhere/", metrics=Metrics())
        self._dead_queue = DeadQueue(site.store, metrics=Metrics(), clock=site.clock)
        self.sender = RecordingSender("log", on_send=write)
        self._dispatcher = Dispatcher(
            site.store, {"log": self.sender}, metrics=Metrics(), clock=site.clock, rng=random.Random(1)
        )

    async def take(self, count: int) -> list[str]:
        """Take so many messages in, notify of them, and return the ids of what was stored."""
        by_door: dict[str, list[Delivery]] = {"pipeline": [], DEAD_LANE: []}
        for _ in range(count):
            door = self.drawn.rng.choice(["http", "amqp", "amqp", DEAD_LANE])
            delivery = self._from_http() if door == "http" else self._from_broker(door)
            by_door[DEAD_LANE if door == DEAD_LANE else "pipeline"].append(delivery)
        stored = await self._put(self.site.pipeline.ingest, by_door["pipeline"])
        stored += await self._put(self._dead_queue.ingest, by_door[DEAD_LANE])
        self.site.clock.advance(timedelta(seconds=1))
        await self._dispatcher.run_once()
        return stored

    async def _put(
        self, ingest: Callable[[list[Delivery]], Awaitable[list[list[Outcome]]]], deliveries: list[Delivery]
    ) -> list[str]:
        outcomes = await ingest(deliveries)
        for delivery, its in zip(deliveries, outcomes, strict=True):
            is_apart = self._is_taken_apart(delivery)
            assert len(its) == (len(delivery.events) if is_apart else 1)
            bodies = map(bytes, delivery.events) if is_apart else [delivery.body]
            self.dead_bodies |= {
                hash(body) for body, one in zip(bodies, its, strict=True) if isinstance(one, DeadLettered)
            }
        found = [one for its in outcomes for one in its]
        self.tally.update(type(one).__name__ for one in found)
        self.tally.update(f"{one.reason}" for one in found if isinstance(one, DeadLettered))
        return [one.event_id for one in found if isinstance(one, Stored)]

    def _is_taken_apart(self, delivery: Delivery) -> bool:
        return delivery.fault is None and not hasattr(delivery, "death")

    def _from_http(self) -> Delivery:
        body = self.drawn.body()
        delivery = read_delivery(body, message_type_of(body), origin="http", handle=None)
        assert lane_of(delivery) in set(Lane)
        return delivery

    def _from_broker(self, door: str) -> Delivery:
        body = self.drawn.body()
        with odd_frames_are_read():
            _, _, header = pamqp.frame.unmarshal(frame(2, 1, self.drawn.properties()))
        deliver = Basic.Deliver("tag", 1, self.drawn.rng.random() < 0.1)
        message = DeliveredMessage(delivery=deliver, header=header, body=body, channel=None)  # type: ignore[arg-type]  # nobody settles it
        receiver = self._dead if door == DEAD_LANE else self._lane
        return receiver._read(message, None, redelivered=bool(deliver.redelivered))  # type: ignore[arg-type]


async def test_whatever_arrives_is_stored_or_a_dead_letter_and_everything_stays_readable(site: Site) -> None:
    print(f"FAULTWIRE_FUZZ={COUNT} FAULTWIRE_FUZZ_SEED={SEED}")
    wire = Wire(site, Anything(SEED, site.clock))
    for _ in range(0, COUNT, CHUNK):
        with capture_logs():
            stored = await wire.take(CHUNK)
        for event_id in wire.drawn.rng.sample(stored, min(SHOWN, len(stored))):
            await assert_shown(site, f"/api/v1/events/{event_id}")
            await assert_shown(site, f"/e/{event_id}")
    print(dict(wire.tally))
    assert [wire.tally[one] for one in ("Retry", "failed_in_worker", "rejected_by_store")] == [0, 0, 0]
    assert await rows_of(site, events) == wire.tally["Stored"]
    assert await rows_of(site, dead_letters) == len(wire.dead_bodies)
    counted = (await site.store.read(select(func.sum(incidents.c.count))))[0][0]
    assert counted == (await site.store.read(select(func.sum(events.c.count))))[0][0]
    assert len(wire.sender.received) > 0
    given_up = await site.store.read(select(outbox.c.id).where(outbox.c.state == "given_up"))
    assert given_up == []
    for name in LISTS:
        await assert_listed(site, name)
    for path in ("/", "/dead-letters", "/incidents/INC-1", "/metrics", "/api/v1/incidents/INC-1"):
        await assert_shown(site, path)


def write(notification: Notification) -> None:
    """Write it as every sender does."""
    assert json_of(notification)


async def rows_of(site: Site, table: Any) -> int:
    return int((await site.store.read(select(func.count()).select_from(table)))[0][0])


async def assert_listed(site: Site, name: str) -> None:
    """Walk a list to its end; a few rows of each page are looked at one by one."""
    query = "?limit=200&status=all" if name == "dead-letters" else "?limit=200"
    cursor = ""
    while True:
        status, document = await site.get(f"/api/v1/{name}{query}{cursor}")
        assert status == 200, document
        rows = next(iter(document.values()))
        if name != "producers":
            for row in rows[:SHOWN]:
                await assert_shown(site, f"/api/v1/{name}/{row['id']}")
        if document["next_cursor"] is None:
            return
        cursor = f"&cursor={document['next_cursor']}"


async def assert_shown(site: Site, path: str) -> None:
    async with site.client.get(path, headers={"Accept": "text/html, application/json"}) as answer:
        assert answer.status == 200, (path, await answer.text())

"""One suite for both receivers: RabbitMQ's lanes and the HTTP intake, moved by the same loop."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import aio_pika
import pytest
from aiohttp import ClientSession, web
from msgspec import Struct
from sqlalchemy import func, select
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.factories import wire_event
from tests.tools.fakes import BreakableStore
from tests.tools.waiting import until

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.http import IntakeReceiver, storing_intake
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.ingest.receive.receiver import LaneReceiver
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import events, incidents, producers, sequence_gaps
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.application import create_app
from faultwire_shared import amqp
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE
from faultwire_shared.event import MESSAGE_BYTES, MESSAGE_EVENTS, ErrorSeverity, Lane
from faultwire_shared.health import HealthChecker
from faultwire_shared.topology import EVENTS, queue_of

Event = dict[str, Any]
Send = Callable[[bytes], Awaitable[bool]]
"""Hands one body in; says whether it was taken for good (the intake) or accepted by the broker."""


class Bench(Struct):
    """A receiver for each lane, running into a store that can be broken."""

    send: Send
    store: BreakableStore
    receivers: list[LaneReceiver]
    waiting: Callable[[], Awaitable[int]]
    stop: Callable[[], Awaitable[None]]

    async def stored(self) -> int:
        return int((await self.store.read(select(func.count()).select_from(events)))[0][0])

    async def count(self) -> int:
        return int((await self.store.read(select(func.coalesce(func.sum(incidents.c.count), 0))))[0][0])

    async def letters(self) -> list[str]:
        return [row.reason for row in await self.store.read(select(dead_letters.c.reason))]


@pytest.fixture(params=["amqp", "http"])
async def bench(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[Bench]:
    store = BreakableStore(await open_store(sqlite_url))
    metrics = Metrics()
    async with AsyncExitStack() as stack:
        if request.param == "amqp":
            broker: RabbitMQ = request.getfixturevalue("rabbitmq")
            receivers: list[LaneReceiver] = [AmqpReceiver(lane, broker.url, metrics=metrics) for lane in Lane]
            send, waiting = await stack.enter_async_context(broker_door(broker))
        else:
            doors = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
            receivers = list(doors)
            send, waiting = await stack.enter_async_context(http_door(doors, store, metrics))
        pipeline = Pipeline(store, metrics=metrics)
        loops = [LaneLoop(one, pipeline, metrics=metrics) for one in receivers]
        running = [asyncio.create_task(one.run()) for one in receivers]
        lanes = [asyncio.create_task(one.run()) for one in loops]

        async def stop() -> None:
            for one in receivers:
                await one.stop()
            await asyncio.wait_for(asyncio.gather(*lanes), 20)
            for one in receivers:
                await one.close()
            await asyncio.wait_for(asyncio.gather(*running), 20)

        async def all_receiving() -> bool:
            return all(one.receiving for one in receivers)

        await until(all_receiving, "every lane receives")
        yield Bench(send, store, receivers, waiting, stop)
        await stop()
    await store.close()


@asynccontextmanager
async def broker_door(broker: RabbitMQ) -> AsyncIterator[tuple[Send, Callable[[], Awaitable[int]]]]:
    connection = await amqp.connect(broker.url, "test")
    await amqp.declare(connection)
    channel = await connection.channel()
    exchange = await channel.get_exchange(EVENTS, ensure=False)

    async def send(body: bytes) -> bool:
        kind = BATCH_TYPE if body.startswith(b"[") else EVENT_TYPE
        if b'"last_sequence"' in body:  # over HTTP the shape says it
            kind = PRODUCER_TYPE
        message = aio_pika.Message(body, type=kind, content_type="application/json", delivery_mode=2)
        await exchange.publish(message, f"event.{_severity_in(body)}.system.test")
        return True

    async def waiting() -> int:
        other = await connection.channel()
        queues = [await other.declare_queue(queue_of(lane), passive=True) for lane in Lane]
        await other.close()
        return sum(queue.declaration_result.message_count or 0 for queue in queues)

    yield send, waiting
    await amqp.close(connection)


@asynccontextmanager
async def http_door(
    doors: list[IntakeReceiver], store: BreakableStore, metrics: Metrics
) -> AsyncIterator[tuple[Send, Callable[[], Awaitable[int]]]]:
    health = Health(live=HealthChecker(), ready=HealthChecker(), startup=HealthChecker())

    async def keep(body: bytes, message_type: str = EVENT_TYPE) -> bool:
        return bool(body and message_type)

    report = SelfReport(keep)
    app = create_app(
        store=store,
        health=health,
        metrics=metrics,
        intake=storing_intake(doors),
        report=report,
        clock=lambda: datetime.now(UTC),
        pipeline=Pipeline(store, metrics=metrics),
        policy=lambda: Policy(receivers=(), rules=()),
        loopback_only=True,
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ingest/v1/events"

    async with report, ClientSession() as session:

        async def send(body: bytes) -> bool:
            async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
                return answer.status == 202

        async def waiting() -> int:
            return 0

        yield send, waiting
    await runner.cleanup()


def _severity_in(body: bytes) -> str:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return "low"
    first = value[0] if isinstance(value, list) else value
    return str(first.get("severity", "low")) if isinstance(first, dict) else "low"


def _body(*members: Event) -> bytes:
    return json.dumps(members if len(members) > 1 else members[0]).encode()


SEVERITIES: Final = [severity.value for severity in ErrorSeverity]


@pytest.mark.parametrize("severity", SEVERITIES)
async def test_an_event_of_each_severity_is_stored(bench: Bench, severity: str) -> None:
    assert await bench.send(_body(wire_event(severity=severity)))
    await until(lambda: equals(bench.stored, 1), "one row")
    await until(lambda: equals(bench.waiting, 0), "nothing waits")


async def equals(measure: Callable[[], Awaitable[int]], wanted: int) -> bool:
    return await measure() == wanted


async def test_many_messages_and_batches_are_each_counted_once(bench: Bench) -> None:
    singles = [_body(wire_event(severity=SEVERITIES[number % 4])) for number in range(120)]
    batches = [_body(*(wire_event() for _ in range(20))) for _ in range(10)]
    await asyncio.gather(*(bench.send(body) for body in [*singles, *batches]))
    await asyncio.gather(*(bench.send(body) for body in batches))
    await until(lambda: equals(bench.stored, 320), "320 rows")
    await until(lambda: equals(bench.waiting, 0), "nothing waits")
    assert await bench.count() == 320


async def test_a_bad_event_in_a_batch_is_a_dead_letter_and_leaves_its_neighbours_stored(bench: Bench) -> None:
    assert await bench.send(_body(wire_event(), {"id": "broken"}, wire_event()))
    await until(lambda: equals(bench.stored, 2), "two rows")
    assert await bench.letters() == ["invalid_event"]


async def test_half_an_emoji_costs_one_character_and_no_neighbour(bench: Bench) -> None:
    assert await bench.send(_body(wire_event(message="cut \ud83d"), wire_event()))
    assert await bench.send(_body(wire_event(message="\udc00 cut")))
    await until(lambda: equals(bench.stored, 3), "three rows")
    assert await bench.letters() == []
    docs = [json.loads(row.doc) for row in await bench.store.read(select(events.c.doc))]
    replaced = {"cut \N{REPLACEMENT CHARACTER}", "\N{REPLACEMENT CHARACTER} cut"}
    assert replaced < {doc["message"] for doc in docs}


async def test_of_a_message_far_beyond_the_limit_its_beginning_and_its_size_are_kept(bench: Bench) -> None:
    body = b'{"severity": "high", "text": "' + b"x" * 1_000_000 + b'"}'
    if not await bench.send(body):
        assert await bench.letters() == [], "the intake turns it away at the door"
        return

    async def is_there() -> bool:
        return await bench.letters() == ["too_large"]

    await until(is_there, "it is a dead letter")
    (letter,) = await bench.store.read(select(dead_letters))
    assert (letter.size, letter.body) == (len(body), body[:MESSAGE_BYTES])
    assert f"{len(body):,} bytes" in letter.detail


async def test_what_is_nested_too_deeply_is_a_dead_letter_alone(bench: Bench) -> None:
    deep = b"[" * 2_000 + b"]" * 2_000
    assert await bench.send(b"[%s, %s, %s]" % (_body(wire_event()), deep, _body(wire_event())))
    await until(lambda: equals(bench.stored, 2), "two rows")
    assert await bench.letters() == ["too_deep"]


async def test_a_byte_order_mark_is_no_part_of_a_body(bench: Bench) -> None:
    assert await bench.send(b"\xef\xbb\xbf" + _body(wire_event(), wire_event()))
    assert await bench.send(b"\xef\xbb\xbf" + _body(wire_event()))
    await until(lambda: equals(bench.stored, 3), "three rows")


async def test_a_message_of_too_many_events_is_refused_or_one_dead_letter(bench: Bench) -> None:
    taken = await bench.send(json.dumps([1] * (MESSAGE_EVENTS + 1)).encode())
    assert await bench.send(_body(wire_event()))
    await until(lambda: equals(bench.stored, 1), "the next one is stored")
    assert await bench.letters() == (["too_many_events"] if taken else [])


async def test_numbers_and_reports_are_audited_alike(bench: Bench) -> None:
    numbered = [wire_event(producer_id="p1", sequence=number) for number in (1, 2, 5)]
    assert await bench.send(_body(*numbered))
    report = {
        "producer_id": "p1",
        "service": "billing",
        "started_at": "2026-11-23T10:00:00Z",
        "last_sequence": 6,
        "lost": [{"reason": "buffer_full", "count": 1, "from": 3, "to": 3}],
    }
    await until(lambda: equals(bench.stored, 3), "three rows")
    assert await bench.send(json.dumps(report).encode())

    async def reported() -> bool:
        return (await bench.store.read(select(producers.c.last_report_at)))[0][0] is not None

    await until(reported, "the report is noted")
    table = sequence_gaps.c
    rows = await bench.store.read(select(table.first, table.state).order_by(table.first))
    assert [tuple(row) for row in rows] == [(3, "reported"), (4, "open"), (6, "open")]


async def test_what_comes_while_the_store_is_away_is_stored_when_it_is_back(bench: Bench) -> None:
    bodies = [_body(wire_event(severity=severity)) for severity in SEVERITIES]
    bench.store.is_away = True
    taken = [await bench.send(body) for body in bodies]

    async def noticed() -> bool:
        return bench.store.turned_away > 0

    await until(noticed, "a batch was turned away")
    bench.store.is_away = False
    if not all(taken):  # over HTTP the sender was told to come again, and does
        for body in bodies:
            await until(lambda body=body: bench.send(body), "the intake takes it again")  # type: ignore[misc]  # mypy cannot type a lambda's default
    await until(lambda: equals(bench.stored, 4), "four rows")
    await until(lambda: equals(bench.waiting, 0), "nothing waits")
    assert await bench.count() == 4


async def test_stopping_settles_what_was_taken_in(bench: Bench) -> None:
    bodies = [_body(wire_event()) for _ in range(60)]
    taken = await asyncio.gather(*(bench.send(body) for body in bodies))
    await bench.stop()
    stored, waiting = await bench.stored(), await bench.waiting()
    assert stored + waiting == sum(taken) == 60


async def test_a_receiver_that_is_stopped_gives_an_empty_batch(bench: Bench) -> None:
    await bench.stop()
    for receiver in bench.receivers:
        assert await receiver.collect(size=10, linger=0) == []
        assert not receiver.receiving

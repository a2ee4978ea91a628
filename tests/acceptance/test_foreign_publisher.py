"""A publisher that knows only the README's wire contract: pika, a raw JSON body, nothing of ours."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pika
import pytest
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.factories import wire_body, wire_event
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, running

pytestmark = pytest.mark.may_block("pika is a blocking client; it runs in a thread")


@pytest.fixture
async def worker(rabbitmq: RabbitMQ, tmp_path: Path) -> AsyncIterator[WorkerProcess]:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    async with running(WorkerProcess(tmp_path, database_url=url, broker_url=rabbitmq.url)) as worker:
        yield worker


async def publish(broker_url: str, body: bytes, *, key: str = "event.high.system.billing") -> None:
    def blocking() -> None:
        connection = pika.BlockingConnection(pika.URLParameters(broker_url))
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(
            exchange="faultwire.events",
            routing_key=key,
            body=body,
            properties=pika.BasicProperties(content_type="application/json", delivery_mode=2),
        )
        connection.close()

    await asyncio.to_thread(blocking)


async def event_of(worker: WorkerProcess, event_id: str) -> Any:
    answers: list[Any] = []

    async def is_there() -> bool:
        status, body = await worker.get(f"/api/v1/events/{event_id}")
        answers.append(body)
        return status == 200

    await until(is_there, f"the event {event_id} is stored")
    return answers[-1]


async def letter_in(worker: WorkerProcess) -> Any:
    letters: list[Any] = []

    async def is_there() -> bool:
        _, body = await worker.get("/api/v1/dead-letters")
        letters[:] = body["dead_letters"]
        return bool(letters)

    await until(is_there, "the dead letter is there")
    return letters[0]


async def test_its_event_is_stored_and_given_back_as_it_was_sent(
    worker: WorkerProcess, rabbitmq: RabbitMQ
) -> None:
    event = wire_event(context={"order": 17}, severity="error")
    await publish(rabbitmq.url, json.dumps(event).encode())
    stored = await event_of(worker, event["id"])
    assert stored["incident_id"] == "INC-1"
    assert stored["received_at"]
    assert {name: stored[name] for name in event} == event


async def test_its_event_sent_twice_counts_once(worker: WorkerProcess, rabbitmq: RabbitMQ) -> None:
    event = wire_event()
    for _ in range(2):
        await publish(rabbitmq.url, json.dumps(event).encode())
    other = wire_event()
    await publish(rabbitmq.url, json.dumps(other).encode())
    await event_of(worker, other["id"])
    _, body = await worker.get("/api/v1/incidents")
    assert [incident["count"] for incident in body["incidents"]] == [2]


async def test_its_broken_event_is_a_dead_letter_with_reason_and_path(
    worker: WorkerProcess, rabbitmq: RabbitMQ
) -> None:
    await publish(rabbitmq.url, wire_body(count="many"))
    letter = await letter_in(worker)
    assert letter["reason"] == "invalid_event"
    assert "$.count" in letter["detail"]
    assert letter["origin"] == "faultwire.high"


async def test_one_bad_event_in_its_batch_leaves_the_neighbours_stored(
    worker: WorkerProcess, rabbitmq: RabbitMQ
) -> None:
    good = [wire_event(), wire_event()]
    await publish(rabbitmq.url, json.dumps([good[0], {"id": 5}, good[1]]).encode())
    for event in good:
        await event_of(worker, event["id"])
    assert (await letter_in(worker))["reason"] == "invalid_event"


async def test_a_key_that_nothing_is_bound_to_is_stored_all_the_same(
    worker: WorkerProcess, rabbitmq: RabbitMQ
) -> None:
    event = wire_event()
    await publish(rabbitmq.url, json.dumps(event).encode(), key="somewhere.else")
    assert (await event_of(worker, event["id"]))["id"] == event["id"]


async def test_the_http_intake_publishes_where_a_broker_is_configured(worker: WorkerProcess) -> None:
    event = wire_event()
    status, answer = await worker.post("/ingest/v1/events", json.dumps(event).encode())
    assert (status, answer) == (202, {"results": [{"id": event["id"], "status": "accepted"}]})
    assert (await event_of(worker, event["id"]))["service"] == "billing"

"""A real Celery worker with forked processes, on a real RabbitMQ."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from celery import Celery
from tests.contract.producer.queue_reader import take_all
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.publisher import declare
from tests.tools.recording_intake import recording
from tests.tools.waiting import until

from faultwire_shared import codec
from faultwire_shared.event import Event, Lane

pytestmark = [pytest.mark.timeout(400), pytest.mark.may_block("starts a worker and sends it tasks")]

WORKER = (sys.executable, "-m", "celery", "-A", "tests.contract.producer.celery_host", "worker")
OPTIONS = ("--pool=prefork", "--concurrency=2", "--without-gossip", "--without-mingle", "--loglevel=WARNING")


@contextmanager
def jobs(url: str) -> Iterator[Celery]:
    """Whoever sends the tasks."""
    app = Celery("sender", broker=url, set_as_current=False)
    try:
        yield app
    finally:
        app.close()


@asynccontextmanager
async def working(environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker that is told to end as an operator would: by SIGTERM, which lets its tasks finish."""
    process = await asyncio.create_subprocess_exec(
        *WORKER,
        *OPTIONS,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            _, log = await process.communicate()
        assert process.returncode == 0, log.decode()
    finally:
        if process.returncode is None:
            process.kill()


async def events_of(broker: RabbitMQ, events: int) -> list[Event]:
    found: list[Event] = []
    while len(found) < events:
        for message in await take_all(broker.url, Lane.HIGH, messages=1):
            found += [codec.decode(raw) for raw in codec.split(message.body, message.type)]
    return found


@pytest.mark.e2e
async def test_each_task_that_fails_is_one_event_from_whichever_process(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    await declare(rabbitmq.url)
    environment = {
        "CELERY_URL": rabbitmq.url,
        "EVENTS_URL": rabbitmq.url,
        "EVENTS_SPOOL": str(tmp_path / "spool"),
    }
    with jobs(rabbitmq.url) as app:
        sent = {app.send_task("jobs.fail", (str(number),)).id: str(number) for number in range(20)}
    async with working(environment):
        events = await events_of(rabbitmq, 20)
    assert {event.context["task_id"]: event.message for event in events} == sent
    assert {event.transaction for event in events} == {"jobs.fail"}
    assert all(event.tags == {"order": event.message} for event in events), "no task sees another's scope"
    assert {event.producer_id for event in events} != {None}
    assert not any("args" in event.request for event in events)
    assert not list((tmp_path / "spool").glob("*.db")), "every process has published and closed its own"


@pytest.mark.e2e
async def test_a_process_of_the_pool_that_is_killed_loses_nothing_that_was_accepted(
    rabbitmq: RabbitMQ, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    async with recording() as intake:
        intake.accepts = lambda: False
        environment = {
            "CELERY_URL": rabbitmq.url,
            "EVENTS_URL": intake.url,
            "EVENTS_SPOOL": str(tmp_path / "spool"),
            "LEDGER": str(ledger),
        }

        async def are_dead() -> bool:
            return ledger.exists() and len(ledger.read_text().split()) == 5 * 50

        with jobs(rabbitmq.url) as app:
            for _ in range(5):
                app.send_task("jobs.be_killed", (50,))
        async with working(environment):
            await until(are_dead, "five processes of the pool are killed")
        accepted = set(ledger.read_text().split())
        assert not intake.received
        intake.accepts = lambda: True

        async def have_arrived() -> bool:
            # The worker's own process has told of each process that it lost, too.
            return accepted <= set(intake.received) and len(intake.received) == 5 * 50 + 5

        async with working(environment):
            await until(have_arrived, "the next worker publishes what they had on disk")

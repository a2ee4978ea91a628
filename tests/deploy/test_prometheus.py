"""Debian's Prometheus scrapes a real worker: what is asked is answered, what is amiss is told."""

import asyncio
import json
import re
import urllib.request
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import wait_until
from tests.servers.prometheus import PrivatePrometheus, is_wanted, prometheus
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import Worker
from tests.tools import dashboard
from tests.tools.factories import wire_event
from tests.tools.reference import RULES, alerts

from faultwire_shared import amqp

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not is_wanted(), reason="no prometheus: install it, or run make e2e"),
    pytest.mark.timeout(300),
]

_SHORT: Final = re.compile(r"for: [1-5]m")
_VARIABLES: Final = {"$job": "faultwire", "$__rate_interval": "5s"}


def impatient_rules() -> str:
    """The rules as they are, but those that wait for minutes wait for two seconds."""
    return _SHORT.sub("for: 2s", RULES.read_text()).replace("interval: 30s", "interval: 1s")


def asked_by_the_dashboard() -> list[str]:
    found = []
    for expression in dashboard.expressions():
        for name, value in _VARIABLES.items():
            expression = expression.replace(name, value)  # noqa: PLW2901 - one after the other
        found.append(expression)
    return found


def firing(server: PrivatePrometheus) -> set[str]:
    return {name for name, state in server.alerts() if state == "firing"}


def send(worker: Worker, body: bytes) -> None:
    asked = urllib.request.Request(  # noqa: S310 - our own
        f"{worker.url}/ingest/v1/events", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - our own
        answer.read()


def has_series(server: PrivatePrometheus, expression: str) -> bool:
    return bool(server.query(expression))


def has_scraped(server: PrivatePrometheus) -> bool:
    return has_series(server, 'rate(faultwire_events_stored_total{job="faultwire"}[5s])')


def test_every_expression_is_read_and_answered_and_one_dead_letter_is_told_and_nothing_else(
    tmp_path: Path,
) -> None:
    worker = Worker(tmp_path)
    worker.start()
    send(worker, json.dumps(wire_event()).encode())
    with prometheus([worker.url.removeprefix("http://")], impatient_rules()) as server:
        wait_until(lambda: has_scraped(server), "two scrapes")
        for rule in alerts():
            server.query(rule["expr"])
        for expression in asked_by_the_dashboard():
            if "> 0" not in expression:  # which only a bad hour, or a file that grows, shows
                wait_until(partial(has_series, server, expression), expression)
        assert firing(server) == set()
        send(worker, b'{"no": "event"}')
        wait_until(lambda: "FaultwireDeadLettersGrow" in firing(server), "the alert fires")
        assert firing(server) == {"FaultwireDeadLettersGrow"}
    worker.terminate()


async def _delete(broker_url: str, queue: str) -> None:
    connection = await amqp.connect(broker_url, "administrator")
    channel = await connection.channel()
    await channel.queue_delete(queue)
    await amqp.close(connection)


def test_a_queue_that_is_gone_is_told_and_nothing_else(
    rabbitmq: RabbitMQ, current_postgresql: PostgreSQL, tmp_path: Path
) -> None:
    broker_url = rabbitmq.url
    worker = Worker(tmp_path, broker_url=broker_url, database_url=current_postgresql.url)
    worker.prepare()
    # Its user may not declare what an operator deletes, as in production: else it mends the queue at once.
    worker.environment["FAULTWIRE_BROKER_URL"] = rabbitmq.add_user(write=".*", read=".*")
    worker.start()
    with prometheus([worker.url.removeprefix("http://")], impatient_rules()) as server:
        wait_until(lambda: has_scraped(server), "two scrapes")
        for expression in asked_by_the_dashboard():
            server.query(expression)
        assert firing(server) == set()
        asyncio.run(_delete(broker_url, "faultwire.routine"))
        wait_until(lambda: bool(firing(server)), "an alert fires")
        assert firing(server) == {"FaultwireLaneNotReceiving"}
    worker.terminate()

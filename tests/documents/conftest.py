"""A reader's machine: a running worker with an incident, a clean shell, and this machine's addresses."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import run, temporary_home
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import FAULTWIRE, Worker, clean_environment

_PORT: Final = re.compile(r"\b8787\b")
_EVENT_ID: Final = re.compile(r"error_\d{8}_[a-z0-9]{6,32}")
_BROKER: Final = re.compile(r"amqps?://[^\s\"'`;)…]+")
_DATABASE: Final = re.compile(r"postgresql://[^\s\"'`;)…]+")

Localize = Callable[[str], str]
"""Puts this machine's addresses and ids where a document shows an example's."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A worker on SQLite that knows one incident, INC-1."""
    with temporary_home("documents") as home:
        worker = Worker(home)
        worker.start()
        worker.command("send", "--message", "the card gateway refused order 17", "--service", "billing")
        yield worker
        worker.terminate()


@pytest.fixture
def localize(worker: Worker, request: pytest.FixtureRequest) -> Localize:
    def localized(text: str) -> str:
        event: str = worker.get("/api/v1/events")["events"][0]["id"]
        text = _EVENT_ID.sub(event, _PORT.sub(str(worker.port), text))
        if _BROKER.search(text):
            broker_url: str = request.getfixturevalue("broker_url")
            text = _BROKER.sub(lambda _: broker_url, text)
        if _DATABASE.search(text):
            database: PostgreSQL = request.getfixturevalue("postgresql")
            text = _DATABASE.sub(lambda _: database.url, text)
        return text

    return localized


@pytest.fixture
def environment(worker: Worker, tmp_path: Path) -> dict[str, str]:
    """A reader's shell beside the running worker."""
    return clean_environment(tmp_path) | {"FAULTWIRE_URL": worker.url}


@pytest.fixture
def broker_url(rabbitmq: RabbitMQ, worker: Worker) -> str:
    """A broker where an administrator has been."""
    environment = worker.environment | {"FAULTWIRE_BROKER_URL": rabbitmq.url}
    run([FAULTWIRE, "topology", "apply"], environment)
    return rabbitmq.url

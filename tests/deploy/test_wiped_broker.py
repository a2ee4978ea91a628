"""A broker that lost its disks, brought back as the guide says: what is told of what lay in its queues."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.deploy.load import CLIENTS, load_on, missed_by, sqlite_sums, until_accounted_for, until_stored
from tests.servers.rabbitmq import PrivateRabbitMQ
from tests.servers.worker import Worker
from tests.tools.waiting import until

from faultwire_consumer.cli.definitions import Role, definitions, hash_password

WAITING: Final = 20
"""Events of each client that lie in the broker's queues when it loses its disks."""

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.may_block("runs and wipes servers")]


async def test_a_wiped_broker_comes_back_by_the_guide_with_nothing_restarted_and_every_event_accounted_for(
    private_rabbitmq: PrivateRabbitMQ, tmp_path: Path
) -> None:
    document, file = with_passwords(tmp_path / "definitions.json"), tmp_path / "faultwire.db"
    await private_rabbitmq.control("import_definitions", str(document))
    worker = Worker(tmp_path, broker_url=url_of(private_rabbitmq, Role.WORKER))
    worker.start()
    process = worker.process
    async with load_on(url_of(private_rabbitmq, Role.PRODUCER), tmp_path) as load:
        await load.send(5)
        await until_stored(lambda: sqlite_sums(file)[0], load.sent)
        with nobody_writes(file):
            await load.send(WAITING)
            await asyncio.to_thread(private_rabbitmq.wipe)
            await private_rabbitmq.start()
            await load.send(2)
            assert load.on_disk() >= 2 * CLIENTS
            await private_rabbitmq.control("import_definitions", str(document))
        await until(lambda: is_empty(load.on_disk), "the spools are empty", seconds=120)
        await load.send(1)
        await until_accounted_for(worker, lambda: sqlite_sums(file)[0], load.sent)
    assert process.is_running
    missed = missed_by(worker)
    assert 0 < missed <= WAITING * CLIENTS
    assert worker.terminate() == 0
    _, of_events, of_incidents = sqlite_sums(file)
    assert of_events == of_incidents
    print(f"{missed} of {load.sent} events lay in the queues: each is missed by the audit")


async def is_empty(count: Callable[[], int]) -> bool:
    return count() == 0


@contextmanager
def nobody_writes(file: Path) -> Iterator[None]:
    """Hold SQLite's write lock: the lanes wait, and what they took goes back to the broker."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.close()


def with_passwords(path: Path) -> Path:
    """Definitions that hold the users' passwords as hashes, as the guide's other way has them."""
    hashes = {role: hash_password(role, make_salt=lambda size: b"\xff" * size) for role in Role}
    path.write_text(json.dumps(definitions("/", password_hashes=hashes)))
    return path


def url_of(broker: PrivateRabbitMQ, role: Role) -> str:
    return broker.url_of(role.user, role, vhost="/")

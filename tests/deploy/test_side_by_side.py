"""Two releases at once, under load: forwards worker by worker, and back, as the guide says."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.deploy.load import load_on, missed_by, postgresql_sums, sqlite_sums, until_stored
from tests.deploy.next_release import VERSION, make_next_release, next_head
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.worker import Worker

from faultwire_shared import __version__

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600), pytest.mark.may_block("runs workers")]


@pytest.fixture
def ahead(tmp_path: Path) -> str:
    """The next release, as the ``PYTHONPATH`` that runs it."""
    return str(make_next_release(tmp_path / "next"))


def run_release(worker: Worker, path: str) -> None:
    """End a worker, if it runs, and start it of another release; the empty path is this one's."""
    worker.environment["PYTHONPATH"] = path
    if worker.has_run:
        assert worker.terminate() == 0
    worker.start()
    assert worker.command("--version").split()[-1] == (VERSION if path else __version__)


async def test_two_workers_go_a_release_forwards_and_back_on_one_postgresql_and_nothing_is_lost(
    broker: RabbitMQ, postgresql: PostgreSQL, tmp_path: Path, ahead: str
) -> None:
    one, other = (worker_in(tmp_path / name, broker, postgresql) for name in ("one", "other"))
    one.prepare()
    for worker in (one, other):
        run_release(worker, "")

    def there_and_back() -> None:
        one.environment["PYTHONPATH"] = ahead
        one.command("db", "upgrade")  # beside two workers of this release, which write meanwhile
        run_release(one, ahead)
        run_release(other, "")  # on the next one's schema
        run_release(other, ahead)
        run_release(one, "")
        assert f"{next_head()}, newer than this release's" in one.command("db", "status")
        one.command("db", "upgrade")
        run_release(other, "")

    async with load_on(broker.url, tmp_path) as load:
        await load.send_while(there_and_back)
        await until_stored(lambda: postgresql_sums(postgresql)[0], load.sent)
    assert_nothing_is_lost(one, lambda: postgresql_sums(postgresql))
    assert [worker.terminate() for worker in (one, other)] == [0, 0]
    print(f"{load.sent} events while two workers restarted five times")


async def test_a_sqlite_worker_goes_a_release_forwards_and_back_and_nothing_is_lost(
    tmp_path: Path, ahead: str
) -> None:
    worker, file = Worker(tmp_path), tmp_path / "faultwire.db"
    run_release(worker, "")

    def there_and_back() -> None:
        run_release(worker, ahead)  # which upgrades its file
        run_release(worker, "")

    async with load_on(worker.url, tmp_path) as load:
        await load.send_while(there_and_back)
        await until_stored(lambda: sqlite_sums(file)[0], load.sent)
    assert f"{next_head()}, newer than this release's" in worker.command("db", "status")
    assert_nothing_is_lost(worker, lambda: sqlite_sums(file))
    assert worker.terminate() == 0


def worker_in(home: Path, broker: RabbitMQ, postgresql: PostgreSQL) -> Worker:
    home.mkdir()
    return Worker(home, broker_url=broker.url, database_url=postgresql.url)


def assert_nothing_is_lost(worker: Worker, sums: Callable[[], tuple[int, int, int]]) -> None:
    assert missed_by(worker) == 0
    assert worker.get("/api/v1/dead-letters")["dead_letters"] == []
    _, of_events, of_incidents = sums()
    assert of_events == of_incidents

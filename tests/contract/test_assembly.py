"""A worker is put together out of its configuration alone: nothing runs, and no broker is asked."""

from pathlib import Path

import pytest

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.store.contract.url import DatabaseUrlError
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.worker.assembly import assemble
from faultwire_consumer.worker.lifecycle import release


def config_of(home: Path, broker_url: str | None = None) -> WorkerConfig:
    return WorkerConfig(database_url=f"sqlite:///{home / 'faultwire.db'}", broker_url=broker_url, http_port=0)


async def test_without_a_broker_the_intake_serves_every_lane(tmp_path: Path) -> None:
    worker = await assemble(config_of(tmp_path))
    try:
        lanes = ["critical", "high", "routine"]
        assert [one.lane for one in worker.receivers] == [one.lane for one in worker.lanes] == lanes
        assert (worker.broker_ping, worker.broker_door, worker.replica, worker.replica_watch) == (None,) * 4
        assert worker.database == f"sqlite:///{tmp_path / 'faultwire.db'}"
    finally:
        await release(worker)


async def test_with_a_broker_its_dead_letters_are_a_lane_too_and_it_is_not_asked_yet(tmp_path: Path) -> None:
    worker = await assemble(config_of(tmp_path, "amqp://nobody:secret@127.0.0.1:1/"))
    try:
        assert [one.lane for one in worker.receivers] == ["critical", "high", "routine", "dead"]
        assert worker.broker_ping is not None
        assert worker.broker_door is not None
    finally:
        await release(worker)


async def test_a_worker_that_cannot_be_put_together_gives_its_database_back(tmp_path: Path) -> None:
    config = config_of(tmp_path).model_copy(update={"database_read_url": "sqlite:///replica.db"})
    with pytest.raises(DatabaseUrlError):
        await assemble(config)
    store = await open_store(config.database_url)  # a file belongs to one worker at a time
    await store.close()

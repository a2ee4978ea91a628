"""The database's disk is full: that is no fault of the events, so they wait and none is a dead letter."""

from typing import Any, Final

import pytest
from tests.servers.postgresql import SmallDiskPostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import MANY_TRIES, RETURNED_ONCE, running
from tests.tools.oracle import assert_nothing_lost
from tests.tools.publisher import publishing
from tests.tools.waiting import until

EVENTS: Final = 60
LARGE: Final[dict[str, Any]] = {"context": {f"key {number}": "x" * 1000 for number in range(20)}}
"""Twenty kilobytes: more than any page has left."""


@pytest.mark.line(24)
@pytest.mark.usefixtures("quick_trials")
async def test_a_full_disk_makes_events_wait_and_no_dead_letters(
    broker: RabbitMQ, small_disk: SmallDiskPostgreSQL
) -> None:
    async with publishing(broker.url) as publisher, running(small_disk.url, broker.url) as bench:
        await publisher.publish_many(10)
        await bench.wait_for(10)
        small_disk.fill_disk()
        await publisher.publish_many(EVENTS, **LARGE)
        await until(bench.is_paused, "the lane is paused")
        await bench.wait_for_tries(MANY_TRIES)
        await bench.store.ping()
        assert await bench.is_paused(), "a question that the database answers is no sign of room"
        assert bench.met("SQLSTATE 53100")
        assert await bench.dead_letters() == 0
        small_disk.clear_disk()
        await bench.wait_for(10 + EVENTS)
        assert bench.most_attempts <= RETURNED_ONCE
    found = await assert_nothing_lost(publisher.ledger, database_url=small_disk.url, broker_url=broker.url)
    assert (found.stored, found.dead) == (10 + EVENTS, 0)

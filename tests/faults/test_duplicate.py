"""The same event delivered again and again, to one worker and to its neighbour, is counted once."""

import random
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.bench import Bench, running
from tests.tools.factories import wire_event
from tests.tools.migrating import upgrade
from tests.tools.oracle import assert_nothing_lost, ready_in
from tests.tools.publisher import publishing
from tests.tools.waiting import until

from faultwire_shared.event import Lane

COPIES: Final = (2, 3, 5, 10, 20, 50)
MESSAGE: Final = 15


@pytest.mark.line(33)
@pytest.mark.parametrize(("kind", "workers"), [("postgresql", 2), ("sqlite", 1)])
async def test_an_event_that_is_delivered_fifty_times_is_counted_once(
    broker: RabbitMQ, request: pytest.FixtureRequest, tmp_path: Path, *, kind: str, workers: int
) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    if kind == "postgresql":
        database: PostgreSQL = request.getfixturevalue("postgresql")
        await upgrade(database.url)
        url = database.url
    seed = random.randrange(10**6)
    print(f"the order of the copies at seed {seed}")
    events = {wire_event()["id"]: copies for copies in COPIES for _ in range(4)}
    copies = [event_id for event_id, times in events.items() for _ in range(times)]
    random.Random(seed).shuffle(copies)
    async with publishing(broker.url) as publisher, AsyncExitStack() as stack:
        benches = [await stack.enter_async_context(running(url, broker.url)) for _ in range(workers)]
        for start in range(0, len(copies), MESSAGE):
            lane = Lane.HIGH if start % 2 else Lane.ROUTINE
            batch = copies[start : start + MESSAGE]
            await publisher.publish(*(wire_event(id=event_id, count=3) for event_id in batch), lane=lane)

        async def all_settled() -> bool:
            for bench in benches:
                bench.check()
            return stored_by(benches) >= len(events) and await ready_in(broker.url) == 0

        await until(all_settled, "every copy is settled", seconds=60)
    found = await assert_nothing_lost(publisher.ledger, database_url=url, broker_url=broker.url)
    assert (found.stored, found.dead) == (len(events), 0)
    assert found.counts == dict.fromkeys(found.counts, 3 * len(events))
    assert stored_by(benches) == len(events)


def stored_by(benches: list[Bench]) -> float:
    """What the workers say that they stored for the first time."""
    return sum(bench.value("faultwire_events_stored_total") for bench in benches)

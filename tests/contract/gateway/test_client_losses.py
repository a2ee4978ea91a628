"""What SDKs say they lost, in the loss audit of both databases: once, however often it is delivered."""

import json
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select
from tests.tools.clock import FixedClock
from tests.tools.gateway_reports import NODE, loss

from faultwire_consumer.domain.outcome import must_return
from faultwire_consumer.gateway.reading import Reading
from faultwire_consumer.gateway.reports.keeper import GatewayReports
from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.gateway.reports.tally import SAYS_SECONDS, GatewayIdentity
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.producer_list import Producer, list_producers
from faultwire_consumer.store.audit.reports import NAMES_MAX
from faultwire_consumer.store.audit.service_list import ServiceProducers, list_services
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents, sequence_gaps
from faultwire_shared.codec import PRODUCER_TYPE

LOST = {"ratelimit_backoff (error)": 64}


class Way:
    """A gateway's reports on their way to the store, each delivered so many times."""

    def __init__(self, store: Store, clock: FixedClock, *, process: str = "5d0c9a17", times: int = 1) -> None:
        self.bodies: list[bytes] = []
        self._times = times
        self._pipeline = Pipeline(store, metrics=Metrics(), clock=clock)
        self.reports = GatewayReports(
            self._keep,
            metrics=GatewayMetrics(CollectorRegistry()),
            tell=lambda wrong: None,
            who=GatewayIdentity(host="edge-1", process=process),
            clock=clock,
            monotonic=clock.monotonic,
        )

    def saw(self, body: bytes, **held: Any) -> None:
        self.reports.saw(
            service="shop", reading=Reading(**held), sdk=NODE, protocol=GatewayProtocol.SENTRY, body=body
        )

    async def ingest(self, *bodies: bytes) -> bool:
        """Put reports through in one batch."""
        outcomes = await self._pipeline.ingest([delivered(body) for body in bodies])
        return not any(must_return(one) for one in outcomes)

    async def _keep(self, body: bytes, message_type: str, routing_key: str) -> bool:
        assert (message_type, routing_key) == (PRODUCER_TYPE, "producer.shop")
        self.bodies.append(body)
        return all([await self.ingest(body) for _ in range(self._times)])


def delivered(body: bytes) -> Delivery:
    return read_delivery(body, PRODUCER_TYPE, origin="test", handle=None)


async def shop(store: Store, clock: FixedClock) -> ServiceProducers:
    (found,) = (await list_services(store, limit=10, now=clock())).rows
    return found


async def producers(store: Store) -> list[Producer]:
    return list((await list_producers(store, limit=100)).rows)


@pytest.mark.parametrize("times", [1, 2])
async def test_events_that_an_sdk_lost_count_once_and_nothing_is_missing(
    store: Store, clock: FixedClock, times: int
) -> None:
    way = Way(store, clock, times=times)
    way.saw(b"envelope 1", losses=[loss(count=60)], dropped={"session": 2})
    await way.reports.send_due()
    way.saw(b"envelope 2", losses=[loss(count=4), loss("send_error", "session", 9)])
    way.saw(b"envelope 2", losses=[loss(count=4)])
    clock.advance(SAYS_SECONDS)
    await way.reports.send_due()
    found = await shop(store, clock)
    assert (found.lost, found.dropped, found.missing, found.numbered) == (LOST, {"session": 2}, 0, 0)
    assert await store.read(select(sequence_gaps.c.id)) == []
    assert await store.read(select(incidents.c.id)) == [], "it wakes nobody"


async def test_reports_that_come_late_in_any_order_and_together_count_once(
    store: Store, clock: FixedClock
) -> None:
    way = Way(store, clock)
    for number in range(3):
        way.saw(str(number).encode(), losses=[loss(count=(50, 10, 4)[number])], dropped={"log": 1})
        clock.advance(SAYS_SECONDS)
        await way.reports.send_due()
    assert len(way.bodies) == 3
    assert await way.ingest(way.bodies[2], way.bodies[0], way.bodies[1], way.bodies[2])
    assert await way.ingest(way.bodies[0])
    found = await shop(store, clock)
    assert (found.lost, found.dropped) == (LOST, {"log": 3})


async def test_a_backlog_of_reports_in_one_batch_counts_as_the_last_of_them(
    store: Store, clock: FixedClock
) -> None:
    away, back = Way(store, clock, times=0), Way(store, clock)
    for number in range(3):
        away.saw(str(number).encode(), losses=[loss(count=(50, 10, 4)[number])], dropped={"log": 1})
        clock.advance(SAYS_SECONDS)
        await away.reports.send_due()
    assert await back.ingest(*away.bodies, *away.bodies)
    found = await shop(store, clock)
    assert (found.lost, found.dropped) == (LOST, {"log": 3})


async def test_a_gateway_that_starts_again_goes_on_counting(store: Store, clock: FixedClock) -> None:
    first, second = Way(store, clock), Way(store, clock, process="71b2")
    first.saw(b"1", losses=[loss(count=60)], dropped={"session": 1})
    await first.reports.send_last()
    second.saw(b"2", losses=[loss(count=4)], dropped={"session": 2})
    await second.reports.send_last()
    found = await shop(store, clock)
    assert (found.lost, found.dropped) == (LOST, {"session": 3})
    (client,) = found.clients
    assert (client.sdk, client.via, client.processes) == ("sentry.javascript.node 11.0.0", "gateway", 0)
    assert len(await producers(store)) == 2


async def test_names_that_a_client_makes_up_are_kept_in_a_bounded_number(
    store: Store, clock: FixedClock
) -> None:
    way = Way(store, clock)
    for start in range(0, 200, 20):
        names = [f"reason {number}" for number in range(start, start + 20)]
        document = {
            "producer_id": "p1",
            "service": "shop",
            "started_at": "2026-11-23T10:00:00Z",
            "last_sequence": 0,
            "lost": [{"reason": name, "count": 2**63 - 1, "from": 0, "to": 0} for name in names * 2],
            "dropped": [{"kind": name, "count": 2**63 - 1} for name in names * 2],
        }
        assert await way.ingest(json.dumps(document).encode())
    (producer,) = await producers(store)
    for counts in (producer.lost, producer.dropped):
        assert len(counts) == NAMES_MAX + 1
        assert set(counts.values()) == {2**63 - 1}
        assert {"reason 0", "other"} <= set(counts)

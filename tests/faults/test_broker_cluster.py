"""Nodes of a RabbitMQ cluster die or are cut off: the others go on, and nothing is lost or counted twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.faults.standstill import held_worker
from tests.servers.cluster import NODES, Cluster
from tests.servers.postgresql import PostgreSQL
from tests.tools.bench import Bench, receiver_of, running
from tests.tools.oracle import Entry, assert_nothing_lost, wait_until_stored
from tests.tools.publisher import declare, publishing
from tests.tools.waiting import until

from faultwire import ErrorManager
from faultwire.publish.transport import Busy, Outgoing
from faultwire.publish.transport_amqp import AmqpTransport
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import Lane
from faultwire_shared.topology import queue_of

EVENTS: Final = 60
SEVERITIES: Final = ("critical", "high", "low")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.may_block("asks a cluster's nodes and waits for them"),
]


class Service:
    """Hands errors over, a third to each lane, and notes what became of each."""

    def __init__(self, errors: ErrorManager) -> None:
        self.errors = errors
        self.ledger: list[Entry] = []

    async def emit(self, events: int) -> None:
        """So many events; returns when each is accepted."""
        for number in range(events):
            response = await self.errors.handle_error(
                ValueError(f"bad amount {number}"), SEVERITIES[number % 3], durability="spooled"
            )
            state = await response.delivered(120)
            self.ledger.append(Entry(response.error_id, state.state))


@asynccontextmanager
async def at_work(cluster: Cluster, database: PostgreSQL, home: Path) -> AsyncIterator[tuple[Service, Bench]]:
    """A client with a spool and a worker, which both know all nodes; at the end everything is stored once."""
    await declare(cluster.url)
    manager = ErrorManager(
        service="billing", broker_url=cluster.url, spool_path=home / "spool", collapse_storms=False
    )
    async with running(database.url, cluster.url) as bench:
        async with manager as errors:
            service = Service(errors)
            yield service, bench

            async def is_published() -> bool:
                return errors.stats().spooled == 0

            # `flush` does not wait for a broker that it believes away, and the news may be a second old.
            await until(is_published, "the spool is published", seconds=240)
        # Its last report is a message too.
        await wait_until_stored(service.ledger, database_url=database.url, broker_url=cluster.url)
    assert {entry.state for entry in service.ledger} <= {"confirmed", "spooled"}
    found = await assert_nothing_lost(service.ledger, database_url=database.url, broker_url=cluster.url)
    assert (found.stored, found.dead) == (len(service.ledger), 0)


async def leader_of(cluster: Cluster, lane: Lane) -> int:
    async def is_elected() -> bool:
        return cluster.leader(queue_of(lane)) is not None

    await until(is_elected, f"{lane} has a leader")
    leader = cluster.leader(queue_of(lane))
    assert leader is not None
    return leader


async def test_the_leader_of_each_lane_s_queue_dies_and_the_others_go_on(
    rabbitmq_cluster: Cluster, database: PostgreSQL, tmp_path: Path
) -> None:
    cluster = rabbitmq_cluster
    async with at_work(cluster, database, tmp_path) as (service, bench):
        for lane in Lane:
            assert cluster.members(queue_of(lane)) == set(range(NODES))
            leader = await leader_of(cluster, lane)
            await service.emit(EVENTS)
            cluster.kill(leader)
            await service.emit(EVENTS)
            await bench.wait_for(len(service.ledger), seconds=240)
            assert await leader_of(cluster, lane) != leader
            await cluster.start(leader)


async def test_what_a_worker_held_when_its_node_died_comes_again_while_that_node_is_away(
    rabbitmq_cluster: Cluster, database: PostgreSQL
) -> None:
    cluster = rabbitmq_cluster
    await declare(cluster.url)
    async with publishing(cluster.url) as publisher:
        await publisher.publish_many(EVENTS)
    async with held_worker(database.url, cluster.url) as (standstill, bench):
        consumers = receiver_of(bench, Lane.HIGH)._consumers
        assert consumers is not None

        async def are_held() -> bool:
            return consumers.generation._unsettled == EVENTS

        await until(are_held, "the prefetch has grown over all events")
        port = consumers.generation.channel.connection.url.port
        assert port is not None
        cluster.kill(cluster.node_at(port))
        await standstill.release()

        # What was in a batch is stored by itself, and its message is the broker's nevertheless.
        async def have_come_again() -> bool:
            bench.check()
            return bench.came_again >= EVENTS

        await until(have_come_again, "every message has come again", seconds=240)
    await assert_nothing_lost(publisher.ledger, database_url=database.url, broker_url=cluster.url)


async def test_a_client_that_meets_a_queue_first_while_its_leader_is_dead_publishes_to_it(
    rabbitmq_cluster: Cluster,
) -> None:
    cluster = rabbitmq_cluster
    await declare(cluster.url)
    leader = await leader_of(cluster, Lane.HIGH)
    transport = AmqpTransport(cluster.urls[leader - 1], app_id="billing")
    await transport.open()
    message = Outgoing(body=b"{}", message_type=EVENT_TYPE, routing_key="event.high.system.billing")
    cluster.kill(leader)

    async def takes() -> bool:
        try:
            await transport.publish(message)
        except Busy:  # RabbitMQ 3.10 says so, on this channel, until that node is back
            return False
        return True

    try:
        await until(takes, "the event is confirmed")
        assert transport.is_open
    finally:
        await transport.aclose()


async def test_without_a_majority_the_client_spools_and_the_worker_waits(
    rabbitmq_cluster: Cluster, database: PostgreSQL, tmp_path: Path
) -> None:
    cluster = rabbitmq_cluster
    async with at_work(cluster, database, tmp_path) as (service, bench):
        await service.emit(EVENTS)
        await bench.wait_for(EVENTS)
        cluster.kill(0)
        cluster.kill(1)
        await service.emit(EVENTS)
        assert await bench.reader.stored() < 2 * EVENTS
        assert service.errors.stats().spooled > 0

        async def is_idle() -> bool:
            return len(bench.idle()) == len(bench.receivers)

        # At once where a minority pauses; with Khepri, when the next channel is renewed.
        await until(is_idle, "the worker knows that nothing can come", seconds=150)
        await cluster.start(0, 1)


async def test_a_node_that_is_cut_off_loses_its_clients_to_the_majority(
    rabbitmq_cluster: Cluster, database: PostgreSQL, tmp_path: Path
) -> None:
    cluster = rabbitmq_cluster
    async with at_work(cluster, database, tmp_path) as (service, bench):
        for node in range(NODES):
            await service.emit(EVENTS)
            cluster.cut_off(node)
            await service.emit(EVENTS)
            await bench.wait_for(len(service.ledger), seconds=240)
            await cluster.join(node)

"""The cluster's fixture keeps its word."""

import pytest
from tests.servers.cluster import NODES, Cluster
from tests.tools.publisher import declare

from faultwire_shared import amqp
from faultwire_shared.amqp import BrokerUnreachableError
from faultwire_shared.topology import TOPOLOGY

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


async def test_every_queue_of_the_topology_has_a_member_on_each_node(rabbitmq_cluster: Cluster) -> None:
    await declare(rabbitmq_cluster.url)
    for queue in TOPOLOGY.queues:
        assert rabbitmq_cluster.members(queue.name) == set(range(NODES))


async def test_a_node_that_is_killed_or_cut_off_answers_nobody_and_comes_back(
    rabbitmq_cluster: Cluster,
) -> None:
    urls = rabbitmq_cluster.urls
    rabbitmq_cluster.kill(1)
    with pytest.raises(BrokerUnreachableError):
        await amqp.connect(urls[1], "test")
    await amqp.close(await amqp.connect(rabbitmq_cluster.url, "test"))
    await rabbitmq_cluster.start(1)
    rabbitmq_cluster.cut_off(2)
    with pytest.raises(BrokerUnreachableError):
        await amqp.connect(urls[2], "test")
    await rabbitmq_cluster.join(2)
    for url in urls:
        await amqp.close(await amqp.connect(url, "test"))

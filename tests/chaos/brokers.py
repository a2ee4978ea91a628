"""The brokers of chaos: what can be done to a RabbitMQ node, and to three of them."""

import asyncio
from typing import Final

from tests.servers.cluster import NODES, Cluster
from tests.servers.rabbitmq import Node, PrivateRabbitMQ

END_CONNECTIONS: Final = 'rabbit_networking:close_connections(rabbit_networking:connections(), "chaos").'
SET_WATERMARK: Final = "vm_memory_monitor:set_vm_memory_high_watermark({{absolute, {bytes}}})."
PLENTY: Final = 4_000_000_000


async def kill(broker: PrivateRabbitMQ, seconds: float) -> None:
    """SIGKILL, and back after a while."""
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(seconds)
    await broker.start()


async def restart(broker: PrivateRabbitMQ, seconds: float) -> None:
    """Stopped as an administrator does, and back after a while."""
    await broker.shut_down()
    await asyncio.sleep(seconds)
    await broker.start()


async def stop(broker: PrivateRabbitMQ, seconds: float) -> None:
    """SIGSTOP, and SIGCONT after a while."""
    await asyncio.to_thread(broker.pause)
    await asyncio.sleep(seconds)
    broker.resume()


async def alarm(broker: PrivateRabbitMQ, seconds: float) -> None:
    """Its memory is said to be too little: it reads nothing from publishers."""
    await evaluate(broker._node, SET_WATERMARK.format(bytes=1))
    await asyncio.sleep(seconds)
    await evaluate(broker._node, SET_WATERMARK.format(bytes=PLENTY))


async def end_connections(node: Node) -> None:
    """The node says goodbye to everybody."""
    await evaluate(node, END_CONNECTIONS)


async def evaluate(node: Node, erlang: str) -> None:
    await asyncio.to_thread(node.evaluate, erlang)


async def kill_node(cluster: Cluster, dice: float, seconds: float) -> None:
    """One of three dies, and comes back after a while."""
    number = int(dice * NODES)
    await asyncio.to_thread(cluster.kill, number)
    await asyncio.sleep(seconds)
    await cluster.start(number)


async def part_node(cluster: Cluster, dice: float, seconds: float) -> None:
    """One of three is parted from the others; clients still reach it."""
    number = int(dice * NODES)
    await asyncio.to_thread(cluster.cut_off, number)
    await asyncio.sleep(seconds)
    await cluster.join(number)


async def restart_each(cluster: Cluster) -> None:
    """A rolling restart: each node when the one before is back."""
    for number in range(NODES):
        await asyncio.to_thread(cluster._nodes[number].shut_down)
        await cluster.start(number)

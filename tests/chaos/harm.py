"""Does to a stage what a fault says: each from its beginning to its end."""

import asyncio
import resource
import signal
from collections.abc import Awaitable, Callable
from typing import Final

from tests.chaos import brokers, databases, links
from tests.chaos.clients import KeptClient
from tests.chaos.databases import PostgresqlPair, PostgresqlServer, SqliteFile
from tests.chaos.fault import Family, Fault
from tests.chaos.stage import Stage
from tests.servers.cluster import Cluster
from tests.servers.rabbitmq import PrivateRabbitMQ


async def inflict(stage: Stage, fault: Fault) -> None:
    """Do it, and undo it after its time."""
    await _HARMS[fault.family](stage, fault)


async def _harm_client(stage: Stage, fault: Fault) -> None:
    client = stage.clients[fault.target]
    match fault.kind:
        case "kill":
            if fault.dice < 0.5:
                client.kill_all()
            else:
                client.send(signal.SIGKILL)
        case "term":
            client.send(signal.SIGTERM)
        case "stop":
            client.send(signal.SIGSTOP)
            await asyncio.sleep(fault.seconds)
            client.send(signal.SIGCONT)
        case "disk_full":
            await _fill_disk_of(client, fault.seconds)
        case "no_disk":
            await _take_spool_away(stage, client.role.service, fault.seconds)


async def _fill_disk_of(client: KeptClient, seconds: float) -> None:
    """Its files take nothing: what the kernel refuses (EFBIG) comes as SQLite's I/O error."""
    pid = client.limit_disk(0)
    await asyncio.sleep(seconds)
    databases.limit(pid, resource.RLIM_INFINITY)


async def _take_spool_away(stage: Stage, service: str, seconds: float) -> None:
    """A host that starts again without the disk of its spool, which is there again after a while."""
    clients = [one for one in stage.clients.values() if one.role.service == service]
    spool, elsewhere = stage.spool_of(service), stage.home / f"{service}-unmounted"
    for client in clients:
        client.has_no_spool = True
        client.kill_all()
    await asyncio.gather(*(client.has_died() for client in clients))
    spool.mkdir(parents=True, exist_ok=True)
    spool.rename(elsewhere)
    spool.touch()
    await asyncio.sleep(seconds)
    spool.unlink()
    elsewhere.rename(spool)
    for client in clients:
        client.has_no_spool = False


async def _harm_worker(stage: Stage, fault: Fault) -> None:
    worker = stage.workers[fault.target]
    harms = {"kill": worker.kill, "term": worker.term, "stop": worker.stop}
    await harms[fault.kind](fault.seconds)


async def _harm_sqlite(stage: Stage, fault: Fault) -> None:
    file, worker = stage.database, stage.workers["worker-1"].process
    assert isinstance(file, SqliteFile)
    if fault.kind == "lock":
        await file.lock(fault.seconds)
    elif worker.is_running:
        await file.fill_disk(worker.pid, fault.seconds)


async def _harm_postgresql(stage: Stage, fault: Fault) -> None:
    server = stage.database
    assert isinstance(server, PostgresqlServer)
    match fault.kind:
        case "kill":
            await server.kill(fault.seconds)
        case "crash":
            await server.crash(fault.seconds)
        case "stop":
            await server.stop(fault.seconds)
        case "lock":
            await server.lock(fault.seconds)
        case "disk_full":
            await server.have_full_disk(fault.seconds)
        case "end_sessions":
            await databases.end_sessions(server)


async def _harm_standby(stage: Stage, fault: Fault) -> None:
    pair = stage.database
    assert isinstance(pair, PostgresqlPair)
    if fault.kind == "promote":
        await pair.promote()
    else:
        await databases.end_sessions(pair)


async def _harm_broker(stage: Stage, fault: Fault) -> None:
    broker = stage.broker
    assert isinstance(broker, PrivateRabbitMQ)
    match fault.kind:
        case "kill":
            await brokers.kill(broker, fault.seconds)
        case "restart":
            await brokers.restart(broker, fault.seconds)
        case "stop":
            await brokers.stop(broker, fault.seconds)
        case "alarm":
            await brokers.alarm(broker, fault.seconds)
        case "end_connections":
            await brokers.end_connections(broker._node)


async def _harm_cluster(stage: Stage, fault: Fault) -> None:
    cluster = stage.broker
    assert isinstance(cluster, Cluster)
    match fault.kind:
        case "kill_node":
            await brokers.kill_node(cluster, fault.dice, fault.seconds)
        case "part_node":
            await brokers.part_node(cluster, fault.dice, fault.seconds)
        case "restart_each":
            await brokers.restart_each(cluster)
        case "end_connections":
            await brokers.end_connections(cluster._nodes[int(fault.dice * len(cluster._nodes))])


async def _harm_link(stage: Stage, fault: Fault) -> None:
    await links.harm(stage.links[fault.target], fault.kind, fault.dice, fault.seconds)


async def _harm_receiver(stage: Stage, fault: Fault) -> None:
    stage.receiver.mood = fault.kind
    await asyncio.sleep(fault.seconds)
    stage.receiver.mood = "well"


_HARMS: Final[dict[Family, Callable[[Stage, Fault], Awaitable[None]]]] = {
    "client": _harm_client,
    "worker": _harm_worker,
    "sqlite": _harm_sqlite,
    "postgresql": _harm_postgresql,
    "standby": _harm_standby,
    "broker": _harm_broker,
    "cluster": _harm_cluster,
    "link": _harm_link,
    "receiver": _harm_receiver,
}

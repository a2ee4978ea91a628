"""The stage of a run: servers, proxies, workers, clients and the receiver, built once from a world's name."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from tests.chaos.book import Book
from tests.chaos.clients import KeptClient, Role
from tests.chaos.databases import (
    PostgresqlPair,
    PostgresqlServer,
    SqliteFile,
    postgresql_pair,
    postgresql_server,
)
from tests.chaos.order import Order
from tests.chaos.receiver import Receiver, receiving
from tests.chaos.trouble import policy_of
from tests.chaos.workers import KeptWorker
from tests.chaos.world import STRANGER, World
from tests.servers.cluster import Cluster, cluster, vhost_in
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes, PrivateRabbitMQ
from tests.tools.proxy import Proxy, proxy_to
from tests.tools.publisher import declare
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command

SERVICES: Final = {
    "loop": ("loop", "shop"),
    "threads": ("threads", "billing"),
    "forks": ("forks", "mailing"),
    STRANGER: ("stranger", "foreign"),
    "pair-1": ("loop", "stock"),
    "pair-2": ("threads", "stock"),
}
"""The way of each client, and its service; two of one service share its spool."""
START_SECONDS: Final = 240.0

Database = SqliteFile | PostgresqlServer | PostgresqlPair
Broker = PrivateRabbitMQ | Cluster


class Stage(Struct, kw_only=True):
    """Everything that runs."""

    order: Order
    home: Path
    book: Book
    database: Database
    broker: Broker | None
    links: dict[str, Proxy]
    workers: dict[str, KeptWorker]
    clients: dict[str, KeptClient]
    receiver: Receiver
    client_url: str

    @property
    def spools(self) -> Path:
        """The directory with the spools of all services."""
        return self.home / "spools"

    @property
    def broker_url(self) -> str | None:
        """Where queues are counted: past every proxy."""
        return None if self.broker is None else self.broker.url

    def spool_of(self, service: str) -> Path:
        return self.spools / service

    @property
    def services(self) -> set[str]:
        return {SERVICES[name][1] for name in self.order.world.clients}

    def complaints(self) -> Iterable[str]:
        """What those who keep processes running have to say."""
        for worker in self.workers.values():
            yield from worker.complaints
        for client in self.clients.values():
            yield from client.complaints


@asynccontextmanager
async def set_up(order: Order, home: Path, *, nodes: Nodes, servers: Servers) -> AsyncIterator[Stage]:
    """Build it and start the workers; the clients are started by whoever asked for it."""
    world = order.world
    async with AsyncExitStack() as stack:
        database = _database(world, home, servers, stack)
        broker = _broker(world, nodes, stack)
        if broker is not None:
            await declare(broker.url)
        if not isinstance(database, SqliteFile):
            done = await command("db", "upgrade", FAULTWIRE_DATABASE_URL=database.url)
            assert done[0] == 0, done
        receiver = await stack.enter_async_context(receiving())
        links = await _broker_links(broker, stack)
        if isinstance(database, PostgresqlServer):
            links["link-database"] = await stack.enter_async_context(proxy_to(database.port))
        port = links["link-database"].port if "link-database" in links else 0
        workers = _workers(
            world,
            home,
            database_url=database.url_through(port),
            broker_url=_url_through(broker, links, "link-broker"),
            policy=_policy(home, receiver, order.told),
        )
        client_url = await _client_url(broker, links, workers, stack)
        stage = Stage(
            order=order,
            home=home,
            book=Book(),
            database=database,
            broker=broker,
            links=links,
            workers=workers,
            clients={},
            receiver=receiver,
            client_url=client_url,
        )
        for name in (*world.clients, STRANGER):
            way, service = SERVICES[name]
            stage.clients[name] = client_of(stage, name, way, service, per_second=order.per_second)
        async with _kept(workers.values()):
            yield stage


def client_of(stage: Stage, name: str, way: str, service: str, *, per_second: float) -> KeptClient:
    """A client of a service, with the spool that its processes share."""
    role = Role(
        name=name,
        way=way,
        url=stage.client_url,
        service=service,
        spool=stage.spool_of(service),
        seed=stage.order.seed,
        per_second=per_second,
    )
    return KeptClient(role, stage.book, stage.home)


def _database(world: World, home: Path, servers: Servers, stack: AsyncExitStack) -> Database:
    if world.database == "sqlite":
        return SqliteFile(home / "worker-1" / "faultwire.db")
    if world.database == "postgresql":
        return stack.enter_context(postgresql_server(servers))
    return stack.enter_context(postgresql_pair(servers))


def _broker(world: World, nodes: Nodes, stack: AsyncExitStack) -> Broker | None:
    if world.broker is None:
        return None
    if world.broker == "broker":
        return stack.enter_context(nodes.private())
    return stack.enter_context(vhost_in(stack.enter_context(cluster())))


async def _broker_links(broker: Broker | None, stack: AsyncExitStack) -> dict[str, Proxy]:
    if isinstance(broker, PrivateRabbitMQ):
        names = {"link-broker": broker.port, "link-clients": broker.port}
    elif isinstance(broker, Cluster):
        names = {f"link-node-{number}": node.port for number, node in enumerate(broker._nodes)}
    else:
        names = {}
    return {name: await stack.enter_async_context(proxy_to(port)) for name, port in names.items()}


def _workers(
    world: World, home: Path, *, database_url: str, broker_url: str | None, policy: Path
) -> dict[str, KeptWorker]:
    settings: dict[str, Any] = {"FAULTWIRE_RULES": str(policy), "FAULTWIRE_LOG_FORMAT": "json"}
    workers = {}
    for number in range(1, world.workers + 1):
        place = home / f"worker-{number}"
        place.mkdir()
        process = WorkerProcess(place, database_url=database_url, broker_url=broker_url, **settings)
        workers[place.name] = KeptWorker(place.name, process)
    return workers


def _policy(home: Path, receiver: Receiver, told: frozenset[str]) -> Path:
    path = home / "rules.toml"
    path.write_text(policy_of(receiver.url, told))
    return path


def _url_through(broker: Broker | None, links: dict[str, Proxy], link: str) -> str | None:
    if isinstance(broker, PrivateRabbitMQ):
        return broker.url_through(links[link].port)
    if isinstance(broker, Cluster):
        ports = [links[f"link-node-{number}"].port for number in range(len(broker.urls))]
        pairs = zip(broker.urls, broker._nodes, ports, strict=True)
        return ",".join(url.replace(f":{node.port}/", f":{port}/") for url, node, port in pairs)
    return None


async def _client_url(
    broker: Broker | None, links: dict[str, Proxy], workers: dict[str, KeptWorker], stack: AsyncExitStack
) -> str:
    url = _url_through(broker, links, "link-clients")
    if url is not None:
        return url
    intake = workers["worker-1"].process.url
    link = await stack.enter_async_context(proxy_to(int(intake.rpartition(":")[2])))
    links["link-clients"] = link
    return f"http://127.0.0.1:{link.port}"


@asynccontextmanager
async def _kept(workers: Iterable[KeptWorker]) -> AsyncIterator[None]:
    """Keep them running, and wait until each has taken events once."""
    keeping = [asyncio.create_task(worker.keep()) for worker in workers]
    try:
        for worker in workers:
            await until(worker.process.is_ready, f"{worker.name} is ready", seconds=START_SECONDS)
        yield
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.wait(keeping)
        for worker in workers:
            await worker.abandon()

"""What each of the broker's users may do, and that RabbitMQ refuses the rest with 403."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import pytest
from aio_pika.abc import AbstractConnection
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelAccessRefused
from tests.servers.rabbitmq import Nodes, PrivateRabbitMQ

from faultwire import ErrorManager
from faultwire_consumer.cli.definitions import RIGHTS, Role, ServiceUser, definitions, hash_password
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver, ensure_topology
from faultwire_consumer.metrics import Metrics
from faultwire_shared import amqp
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, EVENTS, TOPOLOGY, queue_of

DEFINITIONS: Final = Path(__file__).parents[2] / "deploy/rabbitmq/definitions.json"
OTHER: Final = "somebody.else"
"""A queue and an exchange that are not ours, in the same virtual host."""

SHOP: Final = ServiceUser(
    service="shop.eu", password_hash=hash_password("geheim:shop", make_salt=lambda size: b"\xff" * size)
)
CRITICAL: Final = queue_of(Lane.CRITICAL)
CRITICAL_ARGUMENTS: Final = next(dict(queue.arguments) for queue in TOPOLOGY.queues if queue.name == CRITICAL)

Act = Callable[[AbstractChannel], Awaitable[object]]

ACTS: Final[dict[str, Act]] = {
    "publish through the default exchange": lambda channel: channel.basic_publish(
        b"{}", routing_key=CRITICAL
    ),
    "publish to the dead letters": lambda channel: channel.basic_publish(b"{}", exchange=DEAD),
    "publish to somebody else's exchange": lambda channel: channel.basic_publish(b"{}", exchange=OTHER),
    "publish an event": lambda channel: channel.basic_publish(
        b"{}", exchange=EVENTS, routing_key="event.low.x.y"
    ),
    "consume a lane": lambda channel: channel.basic_consume(CRITICAL, _ignore),
    "get a dead letter": lambda channel: channel.basic_get(DEAD),
    "consume somebody else's queue": lambda channel: channel.basic_consume(OTHER, _ignore),
    "purge a lane": lambda channel: channel.queue_purge(CRITICAL),
    "declare a queue": lambda channel: channel.queue_declare("faultwire.mine", durable=True),
    "declare a queue of somebody else's name": lambda channel: channel.queue_declare("x", durable=True),
    "declare a lane as it is": lambda channel: channel.queue_declare(
        CRITICAL, durable=True, arguments=CRITICAL_ARGUMENTS
    ),
    "declare an exchange": lambda channel: channel.exchange_declare("faultwire.mine"),
    "bind a lane": lambda channel: channel.queue_bind(CRITICAL, EVENTS, "#"),
    "unbind a lane": lambda channel: channel.queue_unbind(CRITICAL, EVENTS, "event.critical.#"),
    "delete a lane": lambda channel: channel.queue_delete(CRITICAL),
    "delete the exchange": lambda channel: channel.exchange_delete(EVENTS),
    "delete somebody else's queue": lambda channel: channel.queue_delete(OTHER),
}

FOREIGN: Final = (
    "publish through the default exchange",
    "publish to somebody else's exchange",
    "consume somebody else's queue",
    "declare a queue of somebody else's name",
    "delete somebody else's queue",
)
DECLARING: Final = (
    "declare a queue",
    "declare a lane as it is",
    "declare an exchange",
    "bind a lane",
    "unbind a lane",
    "delete a lane",
    "delete the exchange",
)
FORBIDDEN: Final = {
    Role.PRODUCER: (
        *FOREIGN,
        *DECLARING,
        "publish to the dead letters",
        "consume a lane",
        "get a dead letter",
        "purge a lane",
    ),
    Role.WORKER: (*FOREIGN, *DECLARING, "publish to the dead letters"),
    Role.ADMINISTRATOR: FOREIGN,
}
ALLOWED: Final = {
    Role.PRODUCER: ("publish an event",),
    Role.WORKER: ("publish an event", "consume a lane", "get a dead letter"),
    Role.ADMINISTRATOR: (
        *DECLARING,
        "publish an event",
        "consume a lane",
        "get a dead letter",
        "purge a lane",
    ),
}


@pytest.fixture(scope="module")
def urls(_rabbitmq_nodes: Nodes) -> Iterator[dict[Role | None, str]]:
    """One virtual host for all of these, with a user for each role; without a role, of one who may all."""
    with _rabbitmq_nodes.shared() as broker:
        made: dict[Role | None, str] = {None: broker.url}
        for role, rights in RIGHTS.items():
            made[role] = broker.add_user(**msgspec.structs.asdict(rights))
        yield made


@pytest.fixture(autouse=True)
async def _standing(request: pytest.FixtureRequest) -> None:
    """The topology as the administrator declares it, beside a queue and an exchange of somebody else's."""
    if "urls" not in request.fixturenames:
        return
    urls = request.getfixturevalue("urls")
    async with _connected(urls[Role.ADMINISTRATOR]) as connection:
        await amqp.declare(connection)
    async with _connected(urls[None]) as connection:
        channel = await connection.channel()
        await channel.declare_queue(OTHER, durable=True)
        await channel.declare_exchange(OTHER)


@pytest.mark.parametrize(("role", "act"), [(role, act) for role, acts in FORBIDDEN.items() for act in acts])
async def test_an_act_beyond_a_user_s_rights_is_refused(
    urls: dict[Role | None, str], role: Role, act: str
) -> None:
    with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
        await _try(urls[role], act)


@pytest.mark.parametrize(("role", "act"), [(role, act) for role, acts in ALLOWED.items() for act in acts])
async def test_an_act_within_a_user_s_rights_is_done(
    urls: dict[Role | None, str], role: Role, act: str
) -> None:
    await _try(urls[role], act)


@pytest.mark.timeout(300)  # a node of its own, and four times rabbitmqctl, which boots an Erlang VM each time
async def test_the_imported_definitions_stand_and_their_users_do_their_work(
    private_rabbitmq: PrivateRabbitMQ, tmp_path: Path
) -> None:
    await private_rabbitmq.control("import_definitions", str(DEFINITIONS))
    kept = await _kept_by(private_rabbitmq)
    for kind, expected in definitions().items():
        for one in expected:
            assert any(_holds(kept_one, one) for kept_one in kept[kind]), f"{kind}: {one}: {kept[kind]}"

    with pytest.raises(amqp.BrokerRefusedError):
        await amqp.connect(private_rabbitmq.url_of(Role.WORKER.user, "", vhost="/"), "test")

    # A second import gives the users their passwords, as hashes that `topology export` makes.
    await private_rabbitmq.control("import_definitions", str(_with_passwords(tmp_path / "definitions.json")))
    urls = {role: private_rabbitmq.url_of(role.user, f"geheim%3A{role}", vhost="/") for role in Role}
    async with ErrorManager(service="billing", broker_url=urls[Role.PRODUCER]) as errors:
        response = await errors.handle_error(ValueError("x"), "critical", durability="confirmed")
        assert response.state.state == "confirmed"
    async with _connected(urls[Role.WORKER]) as connection:
        await ensure_topology(connection)
    assert response["error_id"] in await _received(urls[Role.WORKER])
    async with _connected(urls[Role.ADMINISTRATOR]) as connection:
        await amqp.declare(connection)

    url = private_rabbitmq.url_of(SHOP.user, "geheim%3Ashop", vhost="/")
    for key in ("event.low.system.shop_eu", "producer.shop_eu"):
        await _publish_as(url, key)
    for key in ("event.low.system.billing", "event.low.system.shop", "producer.xshop_eu", "event.shop_eu"):
        with pytest.raises(ChannelAccessRefused, match="ACCESS_REFUSED"):
            await _publish_as(url, key)


def test_every_right_is_of_a_user_that_the_definitions_make() -> None:
    document = definitions()
    assert [one["user"] for one in document["permissions"]] == [one["name"] for one in document["users"]]
    assert {one["user"] for one in document["permissions"]} == {role.user for role in RIGHTS}


async def _publish_as(url: str, key: str) -> None:
    async with _connected(url) as connection:
        channel = await (await connection.channel()).get_underlay_channel()
        await channel.basic_publish(b"{}", exchange=EVENTS, routing_key=key)


async def _try(url: str, act: str) -> None:
    async with _connected(url) as connection:
        channel = await connection.channel()
        await ACTS[act](await channel.get_underlay_channel())


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AbstractConnection]:
    connection = await amqp.connect(url, f"test {urlsplit(url).username}")
    try:
        yield connection
    finally:
        await amqp.close(connection)


async def _received(url: str) -> str:
    """The body of one message of the critical lane, as a worker's receiver takes it."""
    receiver = AmqpReceiver(Lane.CRITICAL, url, metrics=Metrics())
    running = asyncio.create_task(receiver.run())
    (delivery,) = await asyncio.wait_for(receiver.collect(size=1, linger=0), 30)
    await receiver.stop()
    await receiver.close()
    await asyncio.wait_for(running, 20)
    return str(delivery.body, "utf-8")


async def _kept_by(broker: PrivateRabbitMQ) -> dict[str, list[dict[str, object]]]:
    """What the broker says of itself. Its export leaves internal exchanges out, so they are listed."""
    kept: dict[str, list[dict[str, object]]] = json.loads(
        await broker.control("export_definitions", "-", "--format", "json")
    )
    columns = ("name", "type", "durable", "auto_delete", "internal")
    listed = json.loads(await broker.control("list_exchanges", "-p", "/", *columns, "--formatter", "json"))
    arguments = {one["name"]: one["arguments"] for one in kept["exchanges"]}
    kept["exchanges"] = [{**one, "vhost": "/", "arguments": arguments.get(one["name"], {})} for one in listed]
    return kept


def _with_passwords(path: Path) -> Path:
    hashes = {role: hash_password(f"geheim:{role}", make_salt=lambda size: b"\xff" * size) for role in Role}
    path.write_text(json.dumps(definitions("/", password_hashes=hashes, services=[SHOP])))
    return path


def _holds(kept: dict[str, object], expected: dict[str, object]) -> bool:
    """Whether what the broker keeps says all that was imported; it adds some of its own."""
    return all(kept.get(key) == value for key, value in expected.items())


async def _ignore(_: object) -> None:
    """Never called: nothing is published while these consume."""

"""The fixtures keep their word, so that a test of faultwire can blame faultwire."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ


@contextmanager
def _channel(url: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.confirm_delivery()
    yield channel
    with suppress(AMQPError):
        connection.close()


def _declare(channel: BlockingChannel) -> None:
    channel.queue_declare("numbers", durable=True, arguments={"x-queue-type": "quorum"})


@pytest.mark.parametrize("turn", [1, 2])
def test_every_test_finds_an_empty_vhost(rabbitmq: RabbitMQ, turn: int) -> None:
    with _channel(rabbitmq.url) as channel:
        with pytest.raises(ChannelClosedByBroker, match="no queue 'numbers'"):
            channel.queue_declare("numbers", passive=True)
        _declare(channel.connection.channel())


def test_a_user_may_do_what_the_rights_say_and_no_more(rabbitmq: RabbitMQ) -> None:
    with (
        _channel(rabbitmq.add_user(write=r"^faultwire\.events$")) as channel,
        pytest.raises(ChannelClosedByBroker, match="ACCESS_REFUSED"),
    ):
        _declare(channel)


async def test_rabbitmqctl_speaks_to_the_tests_own_node(rabbitmq: RabbitMQ) -> None:
    assert rabbitmq.vhost in await rabbitmq.control("list_vhosts", "--silent")


async def test_a_killed_node_comes_back_with_what_it_confirmed(private_rabbitmq: PrivateRabbitMQ) -> None:
    with _channel(private_rabbitmq.url) as channel:
        _declare(channel)
        channel.basic_publish("", "numbers", b"one", pika.BasicProperties(delivery_mode=2))
        private_rabbitmq.kill()
    await private_rabbitmq.start()
    with _channel(private_rabbitmq.url) as channel:
        _, _, body = channel.basic_get("numbers")
    assert body == b"one"


def test_a_node_that_a_test_harmed_is_replaced(private_rabbitmq: PrivateRabbitMQ) -> None:
    private_rabbitmq.pause()
    private_rabbitmq.resume()
    with _channel(private_rabbitmq.url) as channel:
        _declare(channel)

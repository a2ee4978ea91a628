"""``faultwire topology``: apply, export."""

from cyclopts import App

from faultwire_consumer.cli.failure import CONFIGURATION, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Setting
from faultwire_consumer.cli.output import print_json, say

app = App(name="topology", help="Look after the broker's exchanges and queues.")


@app.command
def apply(*, setting: Setting = SETTING) -> None:
    """Declare every exchange, queue and binding; what stands already stays."""
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    with expected_failures():
        url = setting.load().broker_url
        if url is None:
            raise CommandError("no broker: give --broker-url or set FAULTWIRE_BROKER_URL", CONFIGURATION)
        asyncio.run(apply_topology(url))
    if not setting.quiet:
        say("the topology stands")


@app.command
def export(*, vhost: str = "/") -> None:
    """Print the topology in the format of `rabbitmqctl import_definitions`.

    Args:
        vhost: The virtual host that the definitions are for.
    """
    from faultwire_shared.topology import definitions  # noqa: PLC0415 - only this command needs it

    print_json(definitions(vhost))


async def apply_topology(broker_url: str) -> None:
    """Declare the topology over a connection of its own.

    Raises:
        BrokerError: the subclass says why not.
    """
    from faultwire_shared.amqp import close, connect, declare  # noqa: PLC0415 - loads aio-pika

    connection = await connect(broker_url, "faultwire topology")
    try:
        await declare(connection)
    finally:
        await close(connection)

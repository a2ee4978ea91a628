"""``faultwire topology``: apply, export."""

import asyncio
import secrets
from pathlib import Path

from cyclopts import App

from faultwire_consumer.cli.definitions import Role, definitions, hash_password
from faultwire_consumer.cli.failure import CONFIGURATION, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Setting
from faultwire_consumer.cli.output import print_json, say

app = App(name="topology")


@app.command
def apply(*, setting: Setting = SETTING) -> None:
    """Declare every exchange, queue and binding; what stands already stays.

    Example: `faultwire topology apply --broker-url amqp://localhost/`
    """
    with expected_failures():
        url = setting.load().broker_url
        if url is None:
            raise CommandError("no broker: give --broker-url or set FAULTWIRE_BROKER_URL", CONFIGURATION)
        asyncio.run(apply_topology(url))
    if not setting.quiet:
        say("the topology stands")


@app.command
def export(
    *,
    vhost: str = "/",
    users: bool = True,
    administrator_password_file: Path | None = None,
    producer_password_file: Path | None = None,
    worker_password_file: Path | None = None,
) -> None:
    """Print the topology and its users in the format of `rabbitmqctl import_definitions`.

    A user without a password cannot log in. Passwords come from files and leave as salted hashes.

    Example: `faultwire topology export --vhost team`

    Args:
        vhost: The virtual host that the definitions are for.
        users: Leave the users and their rights out by --no-users.
        administrator_password_file: Holds the password of faultwire-administrator.
        producer_password_file: Holds the password of faultwire-producer.
        worker_password_file: Holds the password of faultwire-worker.
    """
    files = {
        Role.ADMINISTRATOR: administrator_password_file,
        Role.PRODUCER: producer_password_file,
        Role.WORKER: worker_password_file,
    }
    hashes = {role: _hash_in(path) for role, path in files.items() if path is not None}
    print_json(definitions(vhost, with_users=users, password_hashes=hashes))


def _hash_in(path: Path) -> str:
    try:
        password = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"cannot read {path}: {type(error).__name__}", CONFIGURATION) from None
    if not password:
        raise CommandError(f"{path} is empty", CONFIGURATION)
    return hash_password(password, make_salt=secrets.token_bytes)


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

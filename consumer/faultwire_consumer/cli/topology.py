"""``faultwire topology``: apply, export."""

import asyncio
import re
import secrets
from pathlib import Path
from typing import Final

from cyclopts import App

from faultwire_consumer.cli.definitions import Role, ServiceUser, definitions, hash_password
from faultwire_consumer.cli.failure import CONFIGURATION, USAGE, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Setting, Texts
from faultwire_consumer.cli.output import print_json, say

_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

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
    service: Texts = (),
    service_passwords: Path | None = None,
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
        service: Gets a user faultwire-producer-NAME that may publish its own events alone; may be repeated.
        service_passwords: A directory with a file for each such service, called as it is, with its password.
    """
    files = {
        Role.ADMINISTRATOR: administrator_password_file,
        Role.PRODUCER: producer_password_file,
        Role.WORKER: worker_password_file,
    }
    hashes = {role: _hash_in(path) for role, path in files.items() if path is not None}
    own = [_service_user(name, service_passwords) for name in service]
    print_json(definitions(vhost, with_users=users, password_hashes=hashes, services=own))


def _service_user(name: str, passwords: Path | None) -> ServiceUser:
    if not _SERVICE.fullmatch(name):
        raise CommandError(
            f"--service: {name} cannot be in a user's name: letters, digits, dots, dashes, underscores", USAGE
        )
    return ServiceUser(service=name, password_hash="" if passwords is None else _hash_in(passwords / name))


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

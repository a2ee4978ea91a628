"""Definitions that an administrator imports: the topology, and users with the least rights they need."""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from faultwire_shared.topology import EVENTS, TOPOLOGY, report_key

_SALT_BYTES: Final = 4  # RabbitMQ's own format: the salt's four bytes, then the digest's 32
_NOTHING: Final = "^$"


class Role(StrEnum):
    """A party that talks to the broker."""

    ADMINISTRATOR = "administrator"
    PRODUCER = "producer"
    WORKER = "worker"

    @property
    def user(self) -> str:
        """Return the user's name at the broker."""
        return f"faultwire-{self}"


class Rights(Struct, frozen=True, kw_only=True):
    """RabbitMQ's three regular expressions over names of exchanges and queues, for one virtual host."""

    configure: str = _NOTHING
    write: str = _NOTHING
    read: str = _NOTHING


def _one_of(*names: str) -> str:
    escaped = [name.replace(".", "\\.") for name in names]
    return f"^({'|'.join(escaped)})$" if len(escaped) > 1 else f"^{escaped[0]}$"


RIGHTS: Final[Mapping[Role, Rights]] = {
    # Declaring a dead-letter exchange or an alternate exchange requires write and read on both ends.
    Role.ADMINISTRATOR: Rights(configure="^faultwire\\.", write="^faultwire\\.", read="^faultwire\\."),
    Role.PRODUCER: Rights(write=_one_of(EVENTS)),
    # A worker writes the exchange for its HTTP intake, which publishes what it is handed.
    Role.WORKER: Rights(write=_one_of(EVENTS), read=_one_of(*(queue.name for queue in TOPOLOGY.queues))),
}
"""The least rights that work, tried on RabbitMQ 3.10. A user who may read a queue there may also purge it."""


def hash_password(password: str, *, make_salt: Callable[[int], bytes]) -> str:
    """Hash a password as RabbitMQ keeps it: base64 of salt and SHA-256 over salt and password."""
    salt = make_salt(_SALT_BYTES)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


class ServiceUser(Struct, frozen=True, kw_only=True):
    """A user at the broker that may publish one service's events and reports, and nothing else."""

    service: str
    password_hash: str = ""

    @property
    def user(self) -> str:
        """Return the user's name at the broker."""
        return f"{Role.PRODUCER.user}-{self.service}"

    @property
    def keys(self) -> str:
        """Return the pattern of the routing keys that are the service's own."""
        word = re.escape(report_key(self.service).partition(".")[2])
        return rf"^(event\.[^.]+\.[^.]+\.{word}|producer\.{word})$"


def definitions(
    vhost: str = "/",
    *,
    with_users: bool = True,
    password_hashes: Mapping[Role, str] | None = None,
    services: Sequence[ServiceUser] = (),
) -> dict[str, Any]:
    """Build topology, users and rights in the format of ``rabbitmqctl import_definitions``.

    Args:
        vhost: the virtual host that they apply to.
        with_users: False for brokers whose users are made elsewhere.
        password_hashes: by role, from `hash_password`. A user without one cannot log in until it is
            given a password, so the file in the repository holds no secret.
        services: get users of their own, whose routing keys say truly whose events they have.
    """
    users = _users(vhost, password_hashes or {}, services) if with_users else {}
    return {**users, **_topology(vhost)}


def _users(
    vhost: str, password_hashes: Mapping[Role, str], services: Sequence[ServiceUser]
) -> dict[str, Any]:
    hashes = {role.user: password_hashes.get(role, "") for role in Role}
    hashes |= {one.user: one.password_hash for one in services}
    rights = {role.user: given for role, given in RIGHTS.items()}
    rights |= {one.user: RIGHTS[Role.PRODUCER] for one in services}
    of_topics = [
        {"user": one.user, "vhost": vhost, "exchange": EVENTS, "write": one.keys, "read": _NOTHING}
        for one in services
    ]
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": user,
                "password_hash": password_hash,
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
            for user, password_hash in hashes.items()
        ],
        "permissions": [
            {
                "user": user,
                "vhost": vhost,
                "configure": given.configure,
                "write": given.write,
                "read": given.read,
            }
            for user, given in rights.items()
        ],
        **({"topic_permissions": of_topics} if of_topics else {}),
    }


def _topology(vhost: str) -> dict[str, Any]:
    return {
        "exchanges": [
            {
                "name": exchange.name,
                "vhost": vhost,
                "type": exchange.type,
                "durable": True,
                "auto_delete": False,
                "internal": exchange.internal,
                "arguments": dict(exchange.arguments),
            }
            for exchange in TOPOLOGY.exchanges
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": vhost,
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in TOPOLOGY.queues
        ],
        "bindings": [
            {
                "source": binding.exchange,
                "vhost": vhost,
                "destination": binding.queue,
                "destination_type": "queue",
                "routing_key": binding.key,
                "arguments": {},
            }
            for binding in TOPOLOGY.bindings
        ],
    }

"""A receiver that is a topic of a server that speaks ntfy's protocol."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.login import Login, read_login
from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.receiver.webhook import read_url
from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.policy.table import Table

TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WHAT: Final = "the address of a topic, as in https://ntfy.sh/my-topic"


class Ntfy(Struct, frozen=True, kw_only=True):
    """Publishes each notification to a topic."""

    url: Secret
    """The server's address with the topic behind its last ``/``: whoever knows the topic can read it."""
    login: Login
    allow_private_addresses: tuple[Network, ...] = ()


def read_ntfy(table: Table) -> Ntfy:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    url = table.read("url", _read_topic, None)
    if url is None:
        raise table.missing("url", _WHAT)
    return Ntfy(
        url=Secret(url),
        login=read_login(table),
        allow_private_addresses=read_allowed(table),
    )


def _read_topic(value: Any) -> str:
    try:
        parts = urlsplit(read_url(value))
    except ValueError:
        raise ValueError(_WHAT) from None
    topic = parts.path.rpartition("/")[2]
    if parts.query or parts.fragment or not TOPIC.fullmatch(topic):
        raise ValueError(f"{_WHAT}: a topic has letters, digits, _ and -, 64 at most")
    return str(value)

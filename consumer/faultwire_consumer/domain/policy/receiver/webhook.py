"""A receiver that is an address, to which each notification is posted."""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.policy.table import Table


class Webhook(Struct, frozen=True, kw_only=True):
    """Posts each notification as JSON."""

    url: Secret
    """Kept as a secret, because the path often is the password."""
    secret: tuple[Secret, ...] = ()
    """The keys that sign the messages; two while one replaces the other."""
    secret_file: str | None = None
    allow_private_addresses: tuple[Network, ...] = ()
    """The inside networks that it may be in."""

    @property
    def signed(self) -> bool:
        """The receiver can tell that a message is this worker's."""
        return bool(self.secret or self.secret_file)


def read_webhook(table: Table) -> Webhook:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    url = table.read("url", read_url, None)
    if url is None:
        raise table.missing("url", "the http:// or https:// address to post to")
    secret, secret_file = table.texts("secret"), table.text("secret_file")
    if secret and secret_file:
        raise table.error("secret_file", "secret or secret_file, not both")
    return Webhook(
        url=Secret(url),
        secret=tuple(Secret(one) for one in secret),
        secret_file=secret_file,
        allow_private_addresses=read_allowed(table),
    )


def read_url(value: Any) -> str:
    """Convert a value to an address of HTTP.

    Raises:
        ValueError: it is none; the text says what would be right.
    """
    try:
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is not None and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return str(value)
    except ValueError:
        pass
    raise ValueError("an http:// or https:// address")

"""A receiver that is some people's mail, by one mail server."""

import re
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.policy.receiver.network import Network, read_allowed
from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.policy.table import Table

RECIPIENTS_MAX: Final = 50
"""Addresses in one receiver; more of them are a mailing list's affair."""

_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
)
_NAMED: Final = re.compile(r"\s*(?P<name>[^<>\x00-\x1f\x7f]{0,100}?)\s*<(?P<address>[^<>]+)>\s*")
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_LINK: Final = re.compile(r"https://[!-;=?-~]{1,500}")


class Security(StrEnum):
    """The way a connection to a mail server is made safe."""

    STARTTLS = "starttls"
    """By a command; a server that does not offer it gets nothing."""
    TLS = "tls"
    """From its first byte."""
    NONE = "none"
    """Not at all."""


PORTS: Final = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
"""The usual port of each (RFC 6409, RFC 8314)."""


class MailFrom(Struct, frozen=True):
    """The sender of mails."""

    address: Secret
    name: str = "faultwire"


class Email(Struct, frozen=True, kw_only=True):
    """Sends each notification as a mail."""

    host: str
    port: int
    security: Security
    sender: MailFrom
    to: tuple[Secret, ...]
    username: Secret | None = None
    password: Secret | None = None
    password_file: str | None = None
    reply_to: Secret | None = None
    unsubscribe_mailto: Secret | None = None
    """The address to which somebody writes who wants no more digests."""
    unsubscribe_url: Secret | None = None
    """The address at which one click ends digests (RFC 8058): the operator's own, as of a list's manager."""
    allow_unencrypted: bool = False
    """Mail may leave this network without TLS."""
    allow_private_addresses: tuple[Network, ...] = ()


def read_email(table: Table) -> Email:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    security = table.enum("security", Security) or Security.STARTTLS
    host = table.read("host", _host, None)
    if host is None:
        raise table.missing("host", "the mail server's name")
    sender = table.read("from", _sender, None)
    if sender is None:
        raise table.missing("from", "the address that mails are from")
    to = table.read("to", _addresses, tuple[Secret, ...]())
    if not to:
        raise table.missing("to", "the address, or the addresses, that mails go to")
    username, password, password_file = _sign_in(table)
    return Email(
        host=host,
        port=table.number("port", 1, 65535, "a port from 1 to 65535", PORTS[security]),
        security=security,
        sender=sender,
        to=to,
        username=username,
        password=password,
        password_file=password_file,
        reply_to=table.read("reply_to", _address, None),
        unsubscribe_mailto=table.read("unsubscribe_mailto", _address, None),
        unsubscribe_url=table.read("unsubscribe_url", _link, None),
        allow_unencrypted=table.switch("allow_unencrypted"),
        allow_private_addresses=read_allowed(table),
    )


def _sign_in(table: Table) -> tuple[Secret | None, Secret | None, str | None]:
    username, password, file = table.text("username"), table.text("password"), table.text("password_file")
    if password and file:
        raise table.error("password_file", "password or password_file, not both")
    if username and not (password or file):
        raise table.missing("password", "password or password_file, next to username")
    if (password or file) and not username:
        raise table.missing("username", "whose password it is")
    return _secret(username), _secret(password), file


def _secret(text: str | None) -> Secret | None:
    return None if text is None else Secret(text)


def _host(value: Any) -> str:
    if isinstance(value, str) and _HOST.fullmatch(value):
        return value
    raise ValueError("a mail server's name or number, without a port")


def _address(value: Any) -> Secret:
    """Convert a value to a plain address, in ASCII as every server takes it (RFC 5321)."""
    if isinstance(value, str) and len(value) <= 254 and _ADDRESS.fullmatch(value) and ".." not in value:
        return Secret(value)
    raise ValueError("a mail address, as in oncall@example.com")


def _sender(value: Any) -> MailFrom:
    named = _NAMED.fullmatch(value) if isinstance(value, str) else None
    if named is None:
        return MailFrom(_address(value))
    return MailFrom(_address(named["address"]), named["name"].strip(' "') or "faultwire")


def _addresses(value: Any) -> tuple[Secret, ...]:
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= RECIPIENTS_MAX:
        raise ValueError(f"a list of 1 to {RECIPIENTS_MAX} mail addresses")
    return tuple(dict.fromkeys(_address(one) for one in values))


def _link(value: Any) -> Secret:
    if isinstance(value, str) and _LINK.fullmatch(value):
        return Secret(value)
    raise ValueError("an https:// address")

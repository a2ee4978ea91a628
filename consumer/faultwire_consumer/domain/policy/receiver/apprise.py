"""A receiver that the library Apprise sends to: an extra, for services that have no sender of their own."""

import re
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.policy.table import Table

SCHEMES: Final[tuple[str, ...]] = (
    "bark",
    "barks",
    "discord",
    "feishu",
    "gchat",
    "gotify",
    "gotifys",
    "ilert",
    "incidentio",
    "lark",
    "line",
    "mailgun",
    "mastodons",
    "matrixs",
    "mmost",
    "mmosts",
    "nctalks",
    "ntfy",
    "ntfys",
    "pagertree",
    "pbul",
    "postmark",
    "pover",
    "prowl",
    "pushdeer",
    "revolt",
    "rocket",
    "rockets",
    "sendgrid",
    "ses",
    "signal",
    "signals",
    "signl4",
    "simplepush",
    "slack",
    "sns",
    "spike",
    "splunk",
    "spush",
    "squadcast",
    "synologys",
    "tgram",
    "threema",
    "twilio",
    "victorops",
    "webex",
    "wechat",
    "workflow",
    "workflows",
    "wxteams",
    "zulip",
)
"""Schemes that are allowed unless said: services that people read, by HTTP.

Left out are those that run programs or write on this machine (``syslog``, ``dbus``, ``gnome``, ``kde``,
``macosx``, ``windows``), that keep keys in files (``vapid``, ``deltachat``), that pass on to whatever is
configured elsewhere (``apprise``), and whose address can be any host and form (``json``, ``xml``, ``form``,
``amqp``, ``rsyslog``, ``mailto``).
"""

NEVER: Final = frozenset(
    {"dbus", "deltachat", "deltachats", "file", "glib", "gnome", "kde", "macosx", "qt", "syslog", "vapid"}
    | {"windows"}
)
"""Schemes that no setting allows: they act on the worker's own machine."""

_SCHEME: Final = re.compile(r"([A-Za-z0-9]{1,32})://")


class Apprise(Struct, frozen=True, kw_only=True):
    """Sends each notification through Apprise."""

    url: Secret
    """Apprise's own kind of address: nearly all of it is the password."""
    schemes: tuple[str, ...]
    """Schemes that the address may have."""


def read_apprise(table: Table) -> Apprise:
    """Read what a receiver of this type has of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    schemes = table.read("schemes", _read_schemes, SCHEMES)
    url = table.read("url", _read_url, None)
    if url is None:
        raise table.missing("url", "an address of Apprise's, as in tgram://token/chat")
    scheme = scheme_of(url)
    if scheme in NEVER:
        raise table.error("url", f"{scheme}:// acts on the worker's own machine, and is never used")
    if scheme not in schemes:
        raise table.error("url", f'{scheme}:// is not among the schemes; allow it by schemes = ["{scheme}"]')
    return Apprise(url=Secret(url), schemes=schemes)


def scheme_of(url: str) -> str | None:
    """Return an address's scheme in small letters; None if it has none."""
    match = _SCHEME.match(url)
    return match.group(1).lower() if match else None


def _read_url(value: Any) -> str:
    # More than one address in a text is possible in Apprise, each with a scheme of its own.
    if isinstance(value, str) and scheme_of(value) and value.count("://") == 1 and value.isprintable():
        return value
    raise ValueError("one address of Apprise's, as in tgram://token/chat")


def _read_schemes(value: Any) -> tuple[str, ...]:
    valid = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
    if valid and all(one.isascii() and one.isalnum() for one in value):
        return tuple(one.lower() for one in value)
    raise ValueError('a list of schemes without ://, as in ["tgram"]')

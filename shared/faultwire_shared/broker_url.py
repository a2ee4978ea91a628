"""The addresses that one broker URL names: a cluster has several, and any of its nodes will do."""

import re
from typing import Final

_NEXT: Final = re.compile(r"\s*,\s*(?=[a-zA-Z][a-zA-Z0-9+.-]*://)")
_PLACES: Final = re.compile(r"[^/?]*")


def split_addresses(url: str) -> tuple[str, ...]:
    """Split a broker URL into one for each node.

    Two spellings are known: whole URLs separated by commas, as most AMQP clients take them
    (``amqp://user:password@one/,amqp://user:password@two/``), and a list of hosts, as libpq's
    (``amqp://user:password@one:5672,two:5673/vhost``). Nothing is checked here.
    """
    return tuple(address for part in _NEXT.split(url.strip()) for address in _each_host(part))


def _each_host(url: str) -> list[str]:
    scheme, separator, rest = url.partition("://")
    # A password may hold a slash that nobody escaped: everything up to the last @ is credentials.
    credentials, at, place = rest.rpartition("@")
    found = _PLACES.match(place)
    hosts = found.group() if found is not None else ""
    tail = place[len(hosts) :]
    return [f"{scheme}{separator}{credentials}{at}{host.strip()}{tail}" for host in hosts.split(",")]

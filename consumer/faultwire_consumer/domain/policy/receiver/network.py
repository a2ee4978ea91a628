"""Networks of the operator's own to which a receiver that connects may connect, as its file names them."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from faultwire_consumer.domain.policy.table import Table

Network = IPv4Network | IPv6Network
EVERYWHERE: Final[tuple[Network, ...]] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
"""All of them, which is what ``true`` means."""
NETWORKS_MAX: Final = 50
KEY: Final = "allow_private_addresses"
_FORM: Final = 'true, false, or a list of networks, as in ["10.0.0.0/8", "fd00::/8"]'


def read_allowed(table: Table) -> tuple[Network, ...]:
    """Read the inside networks that a receiver may be in; none unless it says so.

    Raises:
        PolicyError: it is not a network.
    """
    return table.read(KEY, _allowed, ())


def _allowed(value: Any) -> tuple[Network, ...]:
    if isinstance(value, bool):
        return EVERYWHERE if value else ()
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not 1 <= len(values) <= NETWORKS_MAX:
        raise ValueError(_FORM)
    return tuple(_network(one) for one in values)


def _network(value: Any) -> Network:
    if not isinstance(value, str):
        raise ValueError(_FORM)  # noqa: TRY004 - `read` makes the one kind of error of it
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        raise ValueError(f"{_FORM}; {value[:60]!r} is no network") from None
    raise ValueError(f"{_FORM}; {value[:60]!r} has bits of a host, the network is {str(meant)!r}")

"""Networks of the operator's own to which a receiver that connects may connect, as its file names them."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from faultwire_consumer.domain.policy.table import Table, WrongPartError

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
        raise WrongPartError(value, 'a network as a text, as "10.0.0.0/8"')
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        raise WrongPartError(value, 'a network, as "10.0.0.0/8" or "fd00::/8"') from None
    raise WrongPartError(value, f'a network, since it has bits of a host; did you mean "{meant}"?')

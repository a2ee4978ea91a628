"""Check of a notification's destination: outside, and inside only if the operator allows it.

A webhook's address is what somebody wrote into a rule, and its name resolves to anything its owner
likes. Without this check a rule, or a name that starts to resolve elsewhere, could make the worker post
to a neighbour that trusts everybody on this network, or to the cloud's metadata.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# A gateway turns these into IPv4 connections (RFC 6052), on networks that speak only IPv6.
_NAT64: Final = IPv6Network("64:ff9b::/96")

_REFUSED: Final = (
    IPv4Network("168.63.129.16/32"),  # public by its number, the host's own agent on Azure
    IPv4Network("192.0.0.0/24"),  # Oracle's metadata is in it; Python before 3.11.10 takes it for public
    IPv6Network("2002::/16"),  # 6to4 holds any IPv4 address, and RFC 7526 gave it up
    IPv6Network("fec0::/10"),  # site-local: given up by RFC 3879, private where it is still routed
)


def may_connect(address: str, allowed: Sequence[Network]) -> bool:
    """Return True if a connection to this numeric address is allowed.

    It is if one of the ``allowed`` networks contains it, or if it is a public unicast address:
    nothing private, loopback, link-local (cloud metadata is there), shared, multicast or reserved.
    """
    number = _meant_by(ip_address(address))
    return any(number in network for network in allowed) or _is_public(number)


def _is_public(number: Address) -> bool:
    if number.is_multicast or number.is_reserved or any(number in network for network in _REFUSED):
        return False
    # False for what is private, loopback, link-local, shared (100.64.0.0/10) or unspecified.
    return number.is_global


def _meant_by(number: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(number, IPv6Address):
        if number.ipv4_mapped is not None:
            return number.ipv4_mapped
        if number in _NAT64:
            return IPv4Address(int(number) & 0xFFFF_FFFF)
    return number

"""The other end of a connection, as waits and the audit know it."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final

from aiohttp import hdrs, web
from msgspec import Struct

from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.setting.proxy import IpNetwork
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.web.state import REQUEST_ID

TRUSTED_NETWORKS: Final[web.AppKey[Sequence[IpNetwork]]] = web.AppKey("trusted_networks")
"""Where proxies stand whose word on addresses is believed; empty without any."""
FORWARDED_FOR: Final = "X-Forwarded-For"
ON_BEHALF: Final = "X-Faultwire-On-Behalf"
"""Names the request in whose name the worker asks itself, by a word that nobody else can know."""
BEHALVES: Final[web.AppKey[dict[str, str]]] = web.AppKey("behalves")
"""The addresses of those in whose names the worker asks itself just now, by that word."""
_HOPS_MAX: Final = 20


class Visitor(Struct, frozen=True, kw_only=True):
    """A browser, by what is known of it without its word."""

    address: str
    agent: str
    """By its own word, only ever shown."""
    request_id: str | None

    def source(self, actor: str, via: Via) -> AuditSource:
        """Return it as who acts, under a name."""
        return AuditSource(actor=actor, via=via, request_id=self.request_id, address=self.address)


def visitor_of(request: web.Request) -> Visitor:
    """Return who asks, whether or not anybody knows a name."""
    return Visitor(
        address=address_of(request),
        agent=request.headers.get(hdrs.USER_AGENT, ""),
        request_id=request.get(REQUEST_ID),
    )


def source_of(request: web.Request) -> AuditSource:
    """Return who acts, in a request that has passed the guard."""
    principal = request[PRINCIPAL]
    return visitor_of(request).source(principal.actor, principal.via)


def peer_of(request: web.Request) -> str:
    """Return the address at the other end of the connection itself; empty where there is none."""
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return str(peer[0]) if isinstance(peer, tuple) and peer else ""


def address_of(request: web.Request) -> str:
    """Return the address of whoever asks: the peer's, or what trusted proxies say of the one before them."""
    behalf = request.app.get(BEHALVES, {}).get(request.headers.get(ON_BEHALF, ""))
    if behalf is not None:
        return behalf
    networks, address = request.app.get(TRUSTED_NETWORKS, ()), peer_of(request)
    hops = ",".join(request.headers.getall(FORWARDED_FOR, ())).split(",")[-_HOPS_MAX:]
    for hop in reversed([hop.strip() for hop in hops if hop.strip()]):
        if not is_within(address, networks):
            break
        if not _is_address(hop):
            break
        address = hop
    return address


def is_within(address: str, networks: Sequence[IpNetwork]) -> bool:
    """Return whether an address is in one of these networks."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True

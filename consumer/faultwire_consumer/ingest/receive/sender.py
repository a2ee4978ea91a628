"""The sender of a request or message, and of which services it may bring events.

A worker's intake in front of a broker knows the token and stores nothing; the worker that stores sees the
message alone. So the intake writes the bounds into the message's headers. Whoever publishes to the broker
could write them too, and could bind nobody but itself.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from faultwire_consumer.domain.access.allowance import Allowance
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.serving.principal import PRINCIPAL

SENDER_HEADER: Final = "faultwire-sender"
SERVICES_HEADER: Final = "faultwire-services"
_NOBODY: Final = ("",)
"""Patterns that no service's name fits, for bounds that cannot be read."""
_services: Final = msgspec.json.Decoder(tuple[str, ...])


def allowance_of(request: web.Request) -> Allowance | None:
    """Return the bounds of a request's sender; None where anybody may send."""
    principal = request.get(PRINCIPAL)
    if principal is None or principal.via is not Via.TOKEN:
        return None
    return Allowance(sender=principal.actor, services=principal.services)


def headers_of(allowance: Allowance | None) -> dict[str, str]:
    """Write a sender's bounds as a message's headers."""
    if allowance is None:
        return {}
    services = msgspec.json.encode(allowance.services).decode()
    return {SENDER_HEADER: allowance.sender, SERVICES_HEADER: services}


def allowance_in(
    headers: Mapping[str, Any], routing_key: str | None, *, checks_key: bool
) -> Allowance | None:
    """Read a sender's bounds from a message; None where there are none.

    Args:
        headers: the message's.
        routing_key: the message's.
        checks_key: the broker lets each service use its own keys alone, so the key says whose events it has.
    """
    key = (routing_key or "") if checks_key else None
    if SENDER_HEADER not in headers and SERVICES_HEADER not in headers:
        return None if key is None else Allowance(routing_key=key)
    sender, services = headers.get(SENDER_HEADER), headers.get(SERVICES_HEADER)
    try:
        patterns = _services.decode(services) if isinstance(services, str) else _NOBODY
    except msgspec.MsgspecError:
        patterns = _NOBODY
    name = sender[:200] if isinstance(sender, str) else ""
    return Allowance(sender=name, services=patterns, routing_key=key)

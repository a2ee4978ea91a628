"""Tells the variables that Kubernetes makes of Services from settings, where their names begin alike."""

import re
from collections.abc import Mapping
from typing import Final

_HOST: Final = "SERVICE_HOST"
_PORT: Final = "SERVICE_PORT"
# What follows a Service's name.
_LINK: Final = re.compile(r"SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")


def service_links(environ: Mapping[str, str], *, prefix: str) -> frozenset[str]:
    """Return the variables of Services whose names begin with the prefix, as every pod beside them has.

    A Service has a host and a port, and its ``…_PORT`` is an address in place of a number: by them
    ``faultwire-http`` is told from a setting called ``FAULTWIRE_HTTP_PORT``.
    """
    named = {name.removesuffix(_HOST) for name in environ if name.startswith(prefix) and name.endswith(_HOST)}
    services = {name for name in named if name.endswith("_") and f"{name}{_PORT}" in environ}
    return frozenset(
        name
        for service in (prefix, *services)
        for name, value in environ.items()
        if name.startswith(service)
        and _LINK.fullmatch(name.removeprefix(service))
        and (name != f"{service}PORT" or "://" in value)
    )

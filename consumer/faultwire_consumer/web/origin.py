"""Names by which the worker may be asked, and pages that are its own: pure decisions.

A page elsewhere may have its own name point here, and then a browser takes the worker's answers for
that page's. So a name is answered only if nobody else decides where it points.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Origins(Struct, frozen=True, kw_only=True):
    """The worker's names. Its loopback names always hold."""

    names: frozenset[str] = frozenset()
    any_address: bool = False
    """Answer to every address: a page cannot choose to be at one."""
    pages: frozenset[str] = frozenset()
    """Origins under which browsers know the page, where a proxy passes another Host on."""

    def answer_to(self, host: str | None) -> bool:
        """Return whether a request with this Host header may be answered; one without may not."""
        name, is_loopback = _read_host(host or "")
        return is_loopback or name in self.names or (is_loopback is not None and self.any_address)

    def own(self, origin: str, *, host: str | None) -> bool:
        """Return whether the page that a browser names as its origin is the worker's."""
        origin = origin.lower()
        return origin in self.pages or (host is not None and origin.partition("://")[2] == host.lower())


def origins_of(*, public_url: str | None, allowed_hosts: Iterable[str], any_address: bool) -> Origins:
    """Put the names together that the configuration allows."""
    names, pages = {host.lower() for host in allowed_hosts}, set()
    public = urlsplit(public_url) if public_url is not None else None
    if public is not None and public.hostname:
        names.add(public.hostname)
        pages.add(_origin_of(public))
    return Origins(names=frozenset(names), any_address=any_address, pages=frozenset(pages))


def _origin_of(url: SplitResult) -> str:
    """Write an address's origin as browsers do: in small letters, without the usual port."""
    name = url.hostname or ""
    name = f"[{name}]" if ":" in name else name
    port = f":{url.port}" if url.port not in (None, _DEFAULT_PORTS.get(url.scheme)) else ""
    return f"{url.scheme}://{name}{port}"


def is_loopback_host(host: str | None) -> bool:
    """Return whether a Host header names the machine that the browser itself runs on."""
    return _read_host(host or "")[1] is True


@lru_cache(maxsize=64)  # the same few with every request
def _read_host(host: str) -> tuple[str, bool | None]:
    """Return the name in a Host header, in small letters, and whether it is this machine.

    The name is empty where there is none; None stands for a name that may be anybody's.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return "", None
    try:
        return name, ip_address(name).is_loopback
    except ValueError:
        return name, True if name == "localhost" or name.endswith(".localhost") else None

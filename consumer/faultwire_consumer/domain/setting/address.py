"""Addresses in settings, judged before anything is opened."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from faultwire_shared.redact import redact_url


def check_scheme(url: str, schemes: tuple[str, ...], example: str) -> None:
    """Check an address by its kind, and its hosts by their ports.

    Raises:
        ValueError: it is not one of these kinds, or a port is none; its text holds no secret.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in schemes:
        raise ValueError(f"{redact_url(url)} is not an address of a known kind; write {example}")
    places = re.split("[/?]", rest, maxsplit=1)[0].rpartition("@")[2]
    if not all(_is_host(place) for place in places.split(",")):
        raise ValueError(
            f"{redact_url(url)} has no port between 1 and 65535; a password's / is written %2F, its ? %3F"
        )


def _is_host(place: str) -> bool:
    """Return True if a host of the list, as libpq takes it, has a possible port or none."""
    try:
        return urlsplit(f"//{place}").port != 0
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Tell a name or address of this machine alone from others."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def words_behind(url: str) -> str:
    """Return what stands behind an address's ``?``; a password may hold one that nobody escaped."""
    return url.rpartition("@")[2].partition("?")[2]


def check_tls(url: str) -> None:
    """Check an address that keys or secrets come from: by TLS, or on this machine.

    Raises:
        ValueError: somebody on the way could change what it says.
    """
    check_scheme(url, ("http", "https"), "https://id.example.com")
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError(f"{redact_url(url)}: whoever is on the way could answer; write https://")

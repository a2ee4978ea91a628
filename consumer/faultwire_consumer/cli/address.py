"""The addresses of a worker and of the place to publish to; loads only the standard library."""

import os
from base64 import b64encode
from typing import Final
from urllib.parse import unquote, urlsplit

from faultwire_consumer.cli.failure import CONFIGURATION, USAGE, CommandError
from faultwire_shared.redact import redact_url

DEFAULT_URL: Final = "http://127.0.0.1:8787"


def worker_url(given: str | None = None) -> str:
    """The worker's address without a slash at its end: the given, ``FAULTWIRE_URL``, or this machine's.

    Raises:
        CommandError: it cannot be one.
    """
    url = (given or os.environ.get("FAULTWIRE_URL", "")).rstrip("/") or DEFAULT_URL
    if not _is_http(url):
        origin, code = ("--url", USAGE) if given else ("FAULTWIRE_URL", CONFIGURATION)
        raise CommandError(f"{origin}: {redact_url(url)} is not an http:// or https:// address", code)
    return url


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def log_in(url: str) -> tuple[str, dict[str, str]]:
    """Split an address into itself without a user, and the header by which a proxy lets that user in."""
    parts = urlsplit(url)
    userinfo, separator, place = parts.netloc.rpartition("@")
    if not separator:
        return url, {}
    user, _, password = userinfo.partition(":")
    token = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return parts._replace(netloc=place).geturl(), {"Authorization": f"Basic {token}"}


def publish_url(given: str | None) -> str:
    """The address to publish to: the given one, else the one in the environment, else this machine."""
    names = ("FAULTWIRE_BROKER_URL", "FAULTWIRE_URL")
    return given or next((os.environ[name] for name in names if os.environ.get(name)), DEFAULT_URL)

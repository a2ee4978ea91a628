"""The addresses of a worker and of the place to publish to; loads only the standard library."""

import os
import ssl
from base64 import b64encode
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from faultwire_consumer.cli.failure import CONFIGURATION, USAGE, CommandError
from faultwire_shared.redact import redact_url
from faultwire_shared.tls.context import TlsFileError, make_context
from faultwire_shared.tls.files import TlsFiles

DEFAULT_URL: Final = "http://127.0.0.1:8787"
CA_FILE: Final = "FAULTWIRE_CA_FILE"
_TOKEN_FILE: Final = "FAULTWIRE_TOKEN_FILE"  # noqa: S105 - a name


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
    """Split an address into itself without a user, and the header that lets the command in.

    It shows the worker a token, or a proxy in front of it the address's user.

    Raises:
        CommandError: there are both, or the token cannot be one.
    """
    parts, token = urlsplit(url), _read_token()
    userinfo, separator, place = parts.netloc.rpartition("@")
    if not separator:
        return url, {"Authorization": f"Bearer {token}"} if token else {}
    if token:
        raise CommandError(
            "the worker's address names a user and there is a FAULTWIRE_TOKEN, but a request can show one of "
            "them alone: leave the other out",
            CONFIGURATION,
        )
    user, _, password = userinfo.partition(":")
    pair = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
    return parts._replace(netloc=place).geturl(), {"Authorization": f"Basic {pair}"}


def trust(given: str | os.PathLike[str] | None = None) -> ssl.SSLContext | None:
    """Return the trust of ``--ca-file``, else of ``FAULTWIRE_CA_FILE``; None for that of this machine.

    Raises:
        CommandError: the file holds no certificates, or cannot be read.
    """
    path = os.fspath(given) if given else os.environ.get(CA_FILE)
    if not path:
        return None
    try:
        return make_context(TlsFiles(ca_file=path))
    except TlsFileError as error:
        origin, code = ("--ca-file", USAGE) if given else (CA_FILE, CONFIGURATION)
        raise CommandError(f"{origin}: {error}", code) from None


def connection_to(parts: SplitResult, trusted: ssl.SSLContext | None, *, timeout: float) -> HTTPConnection:
    """A connection to a worker's address, which is opened by the first request."""
    host = parts.hostname or ""
    if parts.scheme == "https":
        return HTTPSConnection(host, parts.port, timeout=timeout, context=trusted)
    return HTTPConnection(host, parts.port, timeout=timeout)


def has_token() -> bool:
    """Return whether the environment gives the command a token to show.

    Raises:
        CommandError: it cannot be one.
    """
    return _read_token() is not None


def _read_token() -> str | None:
    """The token of ``FAULTWIRE_TOKEN``, else of the file that ``FAULTWIRE_TOKEN_FILE`` names."""
    variable, token, path = "FAULTWIRE_TOKEN", os.environ.get("FAULTWIRE_TOKEN"), os.environ.get(_TOKEN_FILE)
    if not token and path:
        variable = _TOKEN_FILE
        try:
            token = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise CommandError(f"{variable}: cannot read {path}: {reason}", CONFIGURATION) from None
    token = (token or "").strip()
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise CommandError(f"{variable} holds no token: one word, as it was printed", CONFIGURATION)
    return token or None


def publish_url(given: str | None) -> str:
    """The address to publish to: the given one, else the one in the environment, else this machine."""
    names = ("FAULTWIRE_BROKER_URL", "FAULTWIRE_URL")
    return given or next((os.environ[name] for name in names if os.environ.get(name)), DEFAULT_URL)

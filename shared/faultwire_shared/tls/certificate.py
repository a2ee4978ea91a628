"""The end of a peer's certificate."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

SECONDS: Final = 5.0
_PORT: Final = 5671
_FALSE: Final = ("", "0", "false", "no")


def end_of_certificate(connection: Any) -> float | None:
    """Return when the certificate ends that the other side showed, in seconds of Unix time.

    Args:
        connection: an ``ssl.SSLObject``, or None where there is no TLS.

    Returns:
        None without TLS, and where the certificate is not verified: Python does not read it then.
    """
    shown = connection.getpeercert() if connection is not None else None
    return ssl.cert_time_to_seconds(shown["notAfter"]) if shown else None


async def ask_certificate(broker_url: str) -> float | None:
    """Return when a broker's certificate ends, in seconds of Unix time, by a handshake of its own.

    Returns:
        None without TLS, where it is not verified, and where the broker does not answer or is not trusted.
    """
    url = urlsplit(broker_url)
    words = {name: values[-1] for name, values in parse_qs(url.query).items()}
    if url.scheme != "amqps" or words.get("no_verify_ssl", "") not in _FALSE:
        return None
    try:
        context = await asyncio.to_thread(_context_of, words)
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(url.hostname, url.port or _PORT, ssl=context)
    except (OSError, ValueError):  # TimeoutError and ssl.SSLError are OSErrors
        return None
    try:
        return end_of_certificate(writer.get_extra_info("ssl_object"))
    finally:
        writer.transport.abort()


def _context_of(words: Mapping[str, str]) -> ssl.SSLContext:
    """Read the files that a URL names."""
    context = ssl.create_default_context(cafile=words.get("cafile"))
    context.check_hostname = False  # the lanes' own connections look at the name
    if "certfile" in words:
        context.load_cert_chain(words["certfile"], words.get("keyfile"))
    return context

"""Exchanges one request with a receiver over HTTP: address check, limits, and the outcome of its answer."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

import faultwire_shared
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.address import Network, may_connect
from faultwire_consumer.notify.senders.answer import judge, origin_of
from faultwire_shared.clock import Clock

SEND_SECONDS: Final = 10.0
"""Limit of one attempt, from the name's look-up to the end of the answer."""
CLOSE_SECONDS: Final = 3.0
ANSWER_BYTES: Final = 16 * 1024
"""Bytes read of an answer whose content is not used, to see that it comes."""
HEADER_BYTES: Final = 8 * 1024
CONNECTIONS: Final = 4

# The order matters: in aiohttp a failed certificate is also a failed connection and a ValueError.
_TRANSIENT: Final = (
    (TimeoutError, SendReason.TIMEOUT, "no complete answer from {} in time"),
    (aiohttp.ClientSSLError, SendReason.TLS_FAILED, "{} showed no certificate to trust, or speaks no TLS"),
    (aiohttp.ClientConnectorDNSError, SendReason.UNREACHABLE, "the name of {} does not resolve"),
)


class AddressRefusedError(OSError):
    """The name resolved to an address to which no notification may go."""


class HttpExchange:
    """Sends requests, each over a connection of its own. Safe to be used by several tasks at once.

    Args:
        clock: the time in UTC, for dates in ``Retry-After``.
        allowed_networks: inside networks to which connections are allowed nevertheless.
        send_seconds: limit of one request.
        resolver: looks names up; the system's unless given.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._clock = clock
        self._allowed = tuple(allowed_networks)
        self._send_seconds = send_seconds
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, payload: bytes, headers: Mapping[str, str]) -> Outcome:
        """Post once. A redirect is not followed, and only the status of the answer counts."""
        outcome, _ = await self._request("POST", url, payload, headers, kept=0)
        return outcome

    async def get(
        self, url: str, headers: Mapping[str, str], *, maximum: int
    ) -> bytes | Transient | Permanent:
        """Read what an address answers, up to ``maximum`` bytes; the outcome if it is no success."""
        outcome, body = await self._request("GET", url, None, headers, kept=maximum)
        return body if isinstance(outcome, Sent) else outcome

    async def aclose(self) -> None:
        """Close the session; the next request would open another one."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await session.close()
        except TimeoutError:
            return

    async def _request(
        self, method: str, url: str, payload: bytes | None, headers: Mapping[str, str], *, kept: int
    ) -> tuple[Outcome, bytes]:
        try:
            asking = self._open().request(method, url, data=payload, headers=headers, allow_redirects=False)
            async with asking as answer:
                body = await _read_some(answer, max(kept, ANSWER_BYTES))
                outcome = judge(
                    answer.status,
                    retry_after=answer.headers.get("Retry-After"),
                    location=answer.headers.get("Location"),
                    now=self._clock(),
                )
                return outcome, body[:kept]
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _outcome_of(error, origin_of(url)), b""

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=self._resolver,
                use_dns_cache=False,
                # Notifications are minutes apart: the receiver would have closed a kept connection by
                # then, and a POST on it fails although the receiver is well.
                force_close=True,
                # The one place that every connection passes with the address it will really use,
                # whether it came from a name, an odd spelling of a number, or a plain number.
                socket_factory=self._make_socket,
                limit=CONNECTIONS,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=self._send_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=HEADER_BYTES,
                max_field_size=HEADER_BYTES,
                auto_decompress=False,
            )
        return self._session

    def _make_socket(self, target: aiohttp.connector.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = target
        if not may_connect(str(address[0]), self._allowed):
            # Without the address in it: aiohappyeyeballs keeps the type if all texts are the same.
            raise AddressRefusedError("the address is inside this network")
        return socket.socket(family=family, type=kind, proto=protocol)


def json_headers(idempotency_key: str) -> dict[str, str]:
    """Return the headers of a notification in JSON; the key is the same in every attempt."""
    return {
        "Content-Type": "application/json",
        "User-Agent": f"faultwire/{faultwire_shared.__version__}",
        "Idempotency-Key": idempotency_key,
    }


def parse_url(url: str, what: str = "a receiver's address") -> str:
    """Return the address if requests can go to it.

    Raises:
        ValueError: it is not valid; the text does not hold it.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{what} is http:// or https:// with a host")
    return text


async def _read_some(answer: aiohttp.ClientResponse, maximum: int) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) >= maximum:
            answer.close()
            break
    return bytes(body)


def _outcome_of(error: Exception, origin: str) -> Outcome:
    """Judge an attempt without an answer. The error's own text is left out: it may hold the whole address."""
    for kind, reason, said in _TRANSIENT:
        if isinstance(error, kind):
            return Transient(reason, said.format(origin))
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, AddressRefusedError):
            return Permanent(SendReason.ADDRESS_REFUSED, f"{origin} is an address inside this network")
        return Transient(SendReason.UNREACHABLE, f"no connection to {origin}")
    if isinstance(error, ValueError):
        return Permanent(SendReason.NOT_SENDABLE, f"it cannot be made into a request to {origin}")
    return Transient(SendReason.CONNECTION_LOST, f"{origin} ended the connection without a complete answer")

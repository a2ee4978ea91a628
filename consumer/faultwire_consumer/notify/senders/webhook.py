"""Sends by a signed HTTP POST, as in Standard Webhooks 1.0 (standardwebhooks.com)."""

import asyncio
import socket
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

import faultwire_shared
from faultwire_consumer.notify.message import json_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Transient
from faultwire_consumer.notify.senders.address import Network, may_connect
from faultwire_consumer.notify.senders.answer import judge, origin_of
from faultwire_consumer.notify.senders.signature import parse_secret, sign
from faultwire_shared.clock import Clock

SEND_SECONDS: Final = 10.0
"""Limit of one attempt, from the name's look-up to the end of the answer."""
CLOSE_SECONDS: Final = 3.0
ANSWER_BYTES: Final = 16 * 1024
"""Bytes read of an answer, to see that it comes; its content is not used."""
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


class WebhookSender:
    """Posts notifications to one address, each over a connection of its own.

    Args:
        name: its name in rules and history.
        url: ``http`` or ``https``. Anything in it that may be secret (a path, a query, a user's part)
            is never shown.
        clock: the time in UTC, for the signature and for dates in ``Retry-After``.
        secrets: one of ``whsec_`` and base64; two while one replaces the other: the receiver may
            know either. None leaves the signature out, for receivers whose address is the secret.
        allowed_networks: inside networks to which connections are allowed nevertheless.
        send_seconds: limit of one attempt.
        resolver: looks names up; the system's unless given.

    Raises:
        ValueError: the address or a secret is not valid; the text holds neither.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        clock: Clock,
        secrets: Sequence[str] = (),
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        self._url = _parse_url(url)
        self._clock = clock
        self._keys = [parse_secret(secret) for secret in secrets]
        self._allowed = tuple(allowed_networks)
        self._send_seconds = send_seconds
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def send(self, notification: Notification) -> Outcome:
        """Post once. A redirect is not followed, and only the status of the answer counts."""
        payload = json_of(notification)
        headers = self._headers(notification.idempotency_key, payload)
        try:
            posting = self._open().post(self._url, data=payload, headers=headers, allow_redirects=False)
            async with posting as answer:
                await _read_some(answer)
                return judge(
                    answer.status,
                    retry_after=answer.headers.get("Retry-After"),
                    location=answer.headers.get("Location"),
                    now=self._clock(),
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _outcome_of(error, origin_of(self._url))

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await session.close()
        except TimeoutError:
            return

    def _headers(self, message_id: str, payload: bytes) -> dict[str, str]:
        timestamp = int(self._clock().timestamp())
        signatures = [
            sign(key, message_id=message_id, timestamp=timestamp, payload=payload) for key in self._keys
        ]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"faultwire/{faultwire_shared.__version__}",
            "Idempotency-Key": message_id,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})

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


async def _read_some(answer: aiohttp.ClientResponse) -> None:
    left = ANSWER_BYTES
    async for chunk in answer.content.iter_any():
        left -= len(chunk)
        if left <= 0:
            answer.close()
            return


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


def _parse_url(url: str) -> str:
    text = url.strip()
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ValueError("a webhook's address is http:// or https:// with a host")
    return text

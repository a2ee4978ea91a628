"""Sends by a signed HTTP POST, as in Standard Webhooks 1.0 (standardwebhooks.com)."""

from collections.abc import Sequence
from typing import Final

from aiohttp.abc import AbstractResolver

from faultwire_consumer.notify.message import json_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.http_exchange import (
    SEND_SECONDS,
    HttpExchange,
    json_headers,
    parse_url,
)
from faultwire_consumer.notify.senders.signature import parse_secret, sign
from faultwire_shared.clock import Clock

_WHAT: Final = "a webhook's address"


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
        self._url = parse_url(url, _WHAT)
        self._clock = clock
        self._keys = [parse_secret(secret) for secret in secrets]
        self._exchange = HttpExchange(
            clock=clock, allowed_networks=allowed_networks, send_seconds=send_seconds, resolver=resolver
        )

    async def send(self, notification: Notification) -> Outcome:
        """Post once. A redirect is not followed, and only the status of the answer counts."""
        payload = json_of(notification)
        return await self._exchange.post(
            self._url, payload, self._headers(notification.idempotency_key, payload)
        )

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        await self._exchange.aclose()

    def _headers(self, message_id: str, payload: bytes) -> dict[str, str]:
        timestamp = int(self._clock().timestamp())
        signatures = [
            sign(key, message_id=message_id, timestamp=timestamp, payload=payload) for key in self._keys
        ]
        headers = json_headers(message_id) | {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
        }
        return headers | ({"webhook-signature": " ".join(signatures)} if signatures else {})

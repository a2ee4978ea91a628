"""Sends to a topic of an ntfy server, as a JSON document: headers could not hold every letter."""

import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp.abc import AbstractResolver

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.http_exchange import (
    SEND_SECONDS,
    HttpExchange,
    json_headers,
    parse_url,
)
from faultwire_consumer.notify.senders.surface import fit, fit_bytes, headline_of, rows_of
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity

MESSAGE_BYTES: Final = 4000
"""A longer message (4,096 bytes) becomes an attachment, or is refused."""
TITLE_BYTES: Final = 250
TEXT_CHARACTERS: Final = 300

PRIORITIES: Final = {
    ErrorSeverity.CRITICAL: 5,
    ErrorSeverity.HIGH: 4,
    ErrorSeverity.MEDIUM: 3,
    ErrorSeverity.LOW: 2,
}
EMOJIS: Final = {
    ErrorSeverity.CRITICAL: "rotating_light",
    ErrorSeverity.HIGH: "warning",
    ErrorSeverity.MEDIUM: "large_yellow_circle",
    ErrorSeverity.LOW: "small_blue_diamond",
}


class NtfySender:
    """Publishes to one topic.

    Args:
        name: its name in rules and history.
        url: the server's address with the topic behind its last ``/``; never shown.
        authorization: the header of that name; None if the topic asks for none.
        clock: the time in UTC.
        allowed_networks: inside networks to which connections are allowed nevertheless.
        send_seconds: limit of one attempt.
        resolver: looks names up; the system's unless given.

    Raises:
        ValueError: the address is not valid; the text does not hold it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        clock: Clock,
        authorization: str | None = None,
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        server, _, self._topic = parse_url(url).rpartition("/")
        self._url = f"{server}/"
        self._authorization = authorization
        self._exchange = HttpExchange(
            clock=clock, allowed_networks=allowed_networks, send_seconds=send_seconds, resolver=resolver
        )

    async def send(self, notification: Notification) -> Outcome:
        """Publish once."""
        document = {"topic": self._topic} | publication_of(notification)
        payload = json.dumps(document, separators=(",", ":")).encode("ascii")
        headers = json_headers(notification.idempotency_key)
        if self._authorization is not None:
            headers["Authorization"] = self._authorization
        return await self._exchange.post(self._url, payload, headers)

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        await self._exchange.aclose()


def publication_of(notification: Notification) -> dict[str, Any]:
    """Return what is published, without the topic."""
    document: dict[str, Any] = {
        "title": fit_bytes(headline_of(notification), TITLE_BYTES),
        "message": fit_bytes(_text_of(notification), MESSAGE_BYTES),
        "priority": PRIORITIES[notification.severity],
        "tags": [EMOJIS[notification.severity], notification.severity.value],
    }
    only = notification.incidents[0] if len(notification.incidents) == 1 else None
    click = notification.link_of(only) if only is not None else notification.public_url
    return document | ({"click": click} if click else {})


def _text_of(notification: Notification) -> str:
    if notification.kind is not NotificationKind.INCIDENT or len(notification.incidents) != 1:
        return message_of(notification).text.rstrip("\n")
    (incident,) = notification.incidents
    rows = (f"{label} {fit(text, TEXT_CHARACTERS)}" for label, text in rows_of(incident))
    first = (fit(text, TEXT_CHARACTERS) for text in (incident.title, notification.detail) if text)
    return "\n".join((*first, *rows))

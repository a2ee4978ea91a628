"""Sends to an incoming webhook of Slack's, or of a chat that takes its format (Mattermost, Discord)."""

import json
from collections.abc import Sequence
from typing import Final

from aiohttp.abc import AbstractResolver

from faultwire_consumer.domain.policy.receiver.slack import Chat
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.http_exchange import (
    SEND_SECONDS,
    HttpExchange,
    json_headers,
    parse_url,
)
from faultwire_consumer.notify.senders.slack_attachment import attachment_message
from faultwire_consumer.notify.senders.slack_block import block_message
from faultwire_consumer.notify.senders.surface import Escape, as_markdown, as_markdown_entity
from faultwire_shared.clock import Clock

_ESCAPES: Final[dict[Chat, Escape]] = {
    Chat.MATTERMOST: as_markdown_entity,
    Chat.DISCORD: as_markdown,
}


class SlackSender:
    """Posts a message to one incoming webhook.

    Args:
        name: its name in rules and history.
        url: of the webhook; never shown.
        chat: what reads it.
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
        chat: Chat = Chat.SLACK,
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        self._url = parse_url(url)
        self._chat = chat
        self._exchange = HttpExchange(
            clock=clock, allowed_networks=allowed_networks, send_seconds=send_seconds, resolver=resolver
        )

    async def send(self, notification: Notification) -> Outcome:
        """Post once."""
        escape = _ESCAPES.get(self._chat)
        message = attachment_message(notification, escape) if escape else block_message(notification)
        payload = json.dumps(message, separators=(",", ":")).encode("ascii")
        return await self._exchange.post(self._url, payload, json_headers(notification.idempotency_key))

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        await self._exchange.aclose()

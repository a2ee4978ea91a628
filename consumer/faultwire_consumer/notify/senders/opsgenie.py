"""Sends to Opsgenie's Alert API, or to what speaks it: an alert for each incident, closed with it."""

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from aiohttp.abc import AbstractResolver

from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.alarm import Alarm, AlarmAction, AlarmPost
from faultwire_consumer.notify.senders.credential import header_word
from faultwire_consumer.notify.senders.http_exchange import (
    SEND_SECONDS,
    HttpExchange,
    json_headers,
    parse_url,
)
from faultwire_consumer.notify.senders.surface import fit, rows_of
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity

MESSAGE_CHARACTERS: Final = 130
DESCRIPTION_CHARACTERS: Final = 15_000
DETAIL_CHARACTERS: Final = 500
"""Fourteen of them stay below the 8,000 characters that all details may have."""
ENTITY_CHARACTERS: Final = 512
TAG_CHARACTERS: Final = 50
SOURCE: Final = "faultwire"

PRIORITIES: Final = {
    ErrorSeverity.CRITICAL: "P1",
    ErrorSeverity.HIGH: "P2",
    ErrorSeverity.MEDIUM: "P3",
    ErrorSeverity.LOW: "P5",
}
_PATHS: Final = {AlarmAction.ACKNOWLEDGE: "acknowledge", AlarmAction.RESOLVE: "close"}


class OpsgenieSender:
    """Sends alerts to one integration.

    Args:
        name: its name in rules and history.
        url: what stands before ``/v2/alerts``.
        api_key: of the integration; never shown.
        origin: first part of the alerts' aliases.
        clock: the time in UTC.
        allowed_networks: inside networks to which connections are allowed nevertheless.
        send_seconds: limit of one attempt, of all its requests together.
        resolver: looks names up; the system's unless given.

    Raises:
        ValueError: address or key is not valid; the text holds neither.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        api_key: str,
        origin: str,
        clock: Clock,
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        self._alerts = f"{parse_url(url).rstrip('/')}/v2/alerts"
        self._authorization = f"GenieKey {header_word(api_key)}"
        self._origin = origin
        self._exchange = HttpExchange(
            clock=clock, allowed_networks=allowed_networks, send_seconds=send_seconds, resolver=resolver
        )
        self._alarms = AlarmPost(self._post, send_seconds)

    async def send(self, notification: Notification) -> Outcome:
        """Create, acknowledge or close an alert for each incident; the outcome is the worst of theirs."""
        return await self._alarms.send(notification, self._origin)

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        await self._exchange.aclose()

    async def _post(self, notification: Notification, alarm: Alarm) -> Outcome:
        headers = json_headers(notification.idempotency_key) | {"Authorization": self._authorization}
        if alarm.action is AlarmAction.TRIGGER:
            url, document = self._alerts, alert_of(notification, alarm)
        else:
            alias = quote(alarm.key, safe="")
            url = f"{self._alerts}/{alias}/{_PATHS[alarm.action]}?identifierType=alias"
            document = {"source": SOURCE, "note": fit(alarm.headline, DETAIL_CHARACTERS)}
        payload = json.dumps(document, separators=(",", ":")).encode("ascii")
        return await self._exchange.post(url, payload, headers)


def alert_of(notification: Notification, alarm: Alarm) -> dict[str, Any]:
    """Return the alert of an alarm, as it is created."""
    incident = alarm.incident
    severity = incident.severity if incident is not None else notification.severity
    alert: dict[str, Any] = {
        "message": fit(alarm.headline, MESSAGE_CHARACTERS),
        "alias": alarm.key,
        "description": _description_of(notification, alarm),
        "priority": PRIORITIES[severity],
        "source": SOURCE,
        "tags": [SOURCE],
        "details": {},
    }
    if incident is None:
        return alert
    tags = (incident.severity.value, incident.service, incident.environment)
    rows = (*rows_of(incident), ("rule", notification.rule), ("event", incident.event_id or ""))
    return alert | {
        "entity": fit(incident.service, ENTITY_CHARACTERS) or SOURCE,
        "tags": [SOURCE, *(fit(tag.replace(",", " "), TAG_CHARACTERS) for tag in tags if tag)],
        "details": {label: fit(text, DETAIL_CHARACTERS) for label, text in rows if text},
    }


def _description_of(notification: Notification, alarm: Alarm) -> str:
    lines = [alarm.headline, notification.detail]
    if alarm.incident is not None:
        lines.append(alarm.incident.title)
        lines.append(notification.link_of(alarm.incident) or "")
        lines.append(notification.event_link_of(alarm.incident) or "")
    if alarm.more:
        lines.append(", ".join(one.id for one in alarm.more))
    # Each has a bound of its own, so that their sum keeps to Opsgenie's.
    return "\n".join(fit(line, DESCRIPTION_CHARACTERS // 6) for line in lines if line)

"""Sends to PagerDuty by its Events API v2: an alert for each incident, acknowledged and resolved with it."""

import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp.abc import AbstractResolver

from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.sender import Outcome
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.alarm import Alarm, AlarmAction, AlarmPost
from faultwire_consumer.notify.senders.http_exchange import (
    SEND_SECONDS,
    HttpExchange,
    json_headers,
    parse_url,
)
from faultwire_consumer.notify.senders.surface import fit, rows_of
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity

SUMMARY_CHARACTERS: Final = 1024
TEXT_CHARACTERS: Final = 500
IDS_SHOWN: Final = 200

SEVERITIES: Final = {
    ErrorSeverity.CRITICAL: "critical",
    ErrorSeverity.HIGH: "error",
    ErrorSeverity.MEDIUM: "warning",
    ErrorSeverity.LOW: "info",
}


class PagerDutySender:
    """Sends events to one integration.

    Args:
        name: its name in rules and history.
        url: of the events' endpoint.
        routing_key: of the integration; never shown.
        origin: first part of the alerts' keys.
        clock: the time in UTC.
        allowed_networks: inside networks to which connections are allowed nevertheless.
        send_seconds: limit of one attempt, of all its requests together.
        resolver: looks names up; the system's unless given.

    Raises:
        ValueError: the address is not valid; the text does not hold it.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        routing_key: str,
        origin: str,
        clock: Clock,
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        self._url = parse_url(url)
        self._routing_key = routing_key
        self._origin = origin
        self._exchange = HttpExchange(
            clock=clock, allowed_networks=allowed_networks, send_seconds=send_seconds, resolver=resolver
        )
        self._alarms = AlarmPost(self._post, send_seconds)

    async def send(self, notification: Notification) -> Outcome:
        """Send an event for each incident; the outcome is the worst of theirs."""
        return await self._alarms.send(notification, self._origin)

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        await self._exchange.aclose()

    async def _post(self, notification: Notification, alarm: Alarm) -> Outcome:
        document = {"routing_key": self._routing_key} | event_of(notification, alarm)
        payload = json.dumps(document, separators=(",", ":")).encode("ascii")
        return await self._exchange.post(self._url, payload, json_headers(notification.idempotency_key))


def event_of(notification: Notification, alarm: Alarm) -> dict[str, Any]:
    """Return the event of an alarm, without the routing key."""
    event: dict[str, Any] = {"event_action": alarm.action.value, "dedup_key": alarm.key}
    if alarm.action is not AlarmAction.TRIGGER:
        return event
    event |= {"client": "faultwire", "payload": _payload_of(notification, alarm), "links": []}
    if alarm.incident is not None:
        link, event_link = notification.link_of(alarm.incident), notification.event_link_of(alarm.incident)
        event |= {"client_url": link} if link else {}
        links = ((link, f"{alarm.incident.id} in faultwire"), (event_link, "Its newest event"))
        event["links"] = [{"href": href, "text": text} for href, text in links if href]
    elif notification.public_url:
        event["client_url"] = notification.public_url
    return event


def _payload_of(notification: Notification, alarm: Alarm) -> dict[str, Any]:
    incident = alarm.incident
    severity = incident.severity if incident is not None else notification.severity
    payload: dict[str, Any] = {
        "summary": fit(alarm.headline, SUMMARY_CHARACTERS),
        "source": fit(incident.service if incident is not None else "", TEXT_CHARACTERS) or "faultwire",
        "severity": SEVERITIES[severity],
        "timestamp": notification.created_at.isoformat(),
        "custom_details": _details_of(notification, alarm),
    }
    if incident is not None:
        known = (("component", incident.code), ("group", incident.environment), ("class", incident.category))
        payload |= {name: fit(text, TEXT_CHARACTERS) for name, text in known if text}
    return payload


def _details_of(notification: Notification, alarm: Alarm) -> dict[str, str]:
    details = {"rule": notification.rule, "detail": notification.detail}
    if alarm.incident is not None:
        details |= _incident_details(alarm.incident)
    if alarm.more:
        ids = ", ".join(one.id for one in alarm.more[:IDS_SHOWN])
        rest = len(alarm.more) - IDS_SHOWN
        details["incidents"] = f"{ids} and {rest:,} more" if rest > 0 else ids
    return {name: fit(text, SUMMARY_CHARACTERS * 4) for name, text in details.items() if text}


def _incident_details(incident: NotifiedIncident) -> dict[str, str]:
    rows = {label: fit(text, TEXT_CHARACTERS) for label, text in rows_of(incident)}
    return rows | {"title": incident.title, "reason": incident.reason.value, "event": incident.event_id or ""}

"""Sends to a Prometheus Alertmanager by its API v2: an alert for each incident, firing until it is resolved.

An Alertmanager knows an alert by its labels, and ends those that nobody repeats. So each alert is told until
when it fires, and what an incident's labels were before, such as a lower severity, is looked up and ended.
"""

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from aiohttp.abc import AbstractResolver
from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.address import Network
from faultwire_consumer.notify.senders.alarm import Alarm, AlarmAction, alarms_of, trial_alarms
from faultwire_consumer.notify.senders.http_exchange import (
    SEND_SECONDS,
    HttpExchange,
    json_headers,
    parse_url,
)
from faultwire_consumer.notify.senders.surface import fit, rows_of
from faultwire_shared.clock import Clock

ANSWER_BYTES: Final = 1024 * 1024
"""Bytes read of the list of alerts that fire for a notification's incidents."""
ASKED_AT_ONCE: Final = 50
"""Incidents in one question: some proxies take addresses of 8 KiB at most."""
LABEL_CHARACTERS: Final = 200
TEXT_CHARACTERS: Final = 1000
IDS_SHOWN: Final = 200
TRIAL_FIRES: Final = timedelta(minutes=1)
"""A test's alert ends by itself, if the request that ends it is lost."""
_INSTANT: Final = timedelta(seconds=1)

Labels = Mapping[str, str]


class FiringAlert(Struct, frozen=True, rename="camel"):
    """An alert that the Alertmanager lists, of which this much is read."""

    labels: dict[str, str]
    starts_at: datetime


class AlertmanagerSender:
    """Posts alerts to one Alertmanager.

    Args:
        name: its name in rules and history.
        url: what stands before ``/api/v2/alerts``.
        origin: the label that tells this worker's alerts from others.
        keep_firing: time after a notification for which its alerts fire.
        authorization: the header of that name; None if it asks for none.
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
        origin: str,
        keep_firing: timedelta,
        clock: Clock,
        authorization: str | None = None,
        allowed_networks: Sequence[Network] = (),
        send_seconds: float = SEND_SECONDS,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.name = name
        self._alerts = f"{parse_url(url).rstrip('/')}/api/v2/alerts"
        self._origin = origin
        self._keep_firing = keep_firing
        self._clock = clock
        self._send_seconds = send_seconds
        self._authorization = authorization
        self._exchange = HttpExchange(
            clock=clock, allowed_networks=allowed_networks, send_seconds=send_seconds, resolver=resolver
        )

    async def send(self, notification: Notification) -> Outcome:
        """Post an alert for each incident. A test's alert is raised and ended."""
        try:
            async with asyncio.timeout(self._send_seconds):
                return await self._send(notification)
        except TimeoutError:
            return Transient(SendReason.TIMEOUT, "no complete answer in time")

    async def aclose(self) -> None:
        """Close the session; the next attempt would open another one."""
        await self._exchange.aclose()

    async def _send(self, notification: Notification) -> Outcome:
        if notification.kind is NotificationKind.TEST:
            return await self._try_out(notification)
        alarms = alarms_of(notification, self._origin)
        if not alarms:
            return Sent()
        firing = await self._firing(notification, alarms)
        if isinstance(firing, Transient | Permanent):
            return firing
        posted = list(posted_alerts(notification, alarms, firing, self._origin, self._times()))
        return await self._post(notification, posted) if posted else Sent()

    async def _firing(
        self, notification: Notification, alarms: Sequence[Alarm]
    ) -> list[FiringAlert] | Transient | Permanent:
        """Ask which alerts fire for the incidents, silenced and inhibited ones among them."""
        names = sorted({alarm.incident.id for alarm in alarms if alarm.incident is not None})
        firing: list[FiringAlert] = []
        for first in range(0, len(names), ASKED_AT_ONCE):
            answered = await self._ask(notification, names[first : first + ASKED_AT_ONCE])
            if isinstance(answered, Transient | Permanent):
                return answered
            firing.extend(answered)
        return firing

    async def _ask(
        self, notification: Notification, names: Sequence[str]
    ) -> list[FiringAlert] | Transient | Permanent:
        query = urlencode(
            [("filter", f'origin="{self._origin}"'), ("filter", f'incident=~"{"|".join(names)}"')]
        )
        answered = await self._exchange.get(
            f"{self._alerts}?{query}", self._headers(notification), maximum=ANSWER_BYTES
        )
        if isinstance(answered, Transient | Permanent):
            return answered
        try:
            return msgspec.json.decode(answered, type=list[FiringAlert])
        except msgspec.MsgspecError:
            return Permanent(SendReason.REFUSED, "it does not answer as an Alertmanager does")

    async def _post(self, notification: Notification, alerts: Sequence[Mapping[str, Any]]) -> Outcome:
        payload = json.dumps(alerts, separators=(",", ":")).encode("ascii")
        return await self._exchange.post(self._alerts, payload, self._headers(notification))

    async def _try_out(self, notification: Notification) -> Outcome:
        raised, _ = trial_alarms(notification, self._origin)
        now = self._clock()
        alert = _alert_of(notification, raised, self._origin, now, now + TRIAL_FIRES)
        outcome = await self._post(notification, [alert])
        if not isinstance(outcome, Sent):
            return outcome
        return await self._post(notification, [alert | _times_of(now - _INSTANT, now)])

    def _headers(self, notification: Notification) -> dict[str, str]:
        headers = json_headers(notification.idempotency_key)
        return headers | ({"Authorization": self._authorization} if self._authorization else {})

    def _times(self) -> tuple[datetime, datetime]:
        now = self._clock()
        return now, now + self._keep_firing


def posted_alerts(
    notification: Notification,
    alarms: Sequence[Alarm],
    firing: Sequence[FiringAlert],
    origin: str,
    times: tuple[datetime, datetime],
) -> Iterator[dict[str, Any]]:
    """Return the alerts to post: those that fire, and the ends of those that do so no longer.

    Args:
        notification: for links and the rule.
        alarms: what it means.
        firing: what the Alertmanager has of these incidents.
        origin: the label that tells this worker's alerts from others.
        times: now, and the time until which alerts fire.
    """
    now, until = times
    for alarm in alarms:
        alert = _alert_of(notification, alarm, origin, notification.created_at, until)
        before = [one for one in firing if _is_of(one.labels, alarm)]
        goes_on = None
        if alarm.action is not AlarmAction.RESOLVE:
            goes_on = next((one for one in before if _is_same(one.labels, alert["labels"])), None)
            # With the labels that it has: an event from another environment makes no other alert of it.
            yield alert if goes_on is None else alert | {"labels": goes_on.labels}
        for one in before:
            if one is not goes_on:
                yield {"labels": one.labels} | _times_of(min(one.starts_at, now - _INSTANT), now)


def _is_of(labels: Labels, alarm: Alarm) -> bool:
    """Return True if an alert is of the alarm's incident, in its episode or an earlier one."""
    incident = alarm.incident
    if incident is None or labels.get("incident") != incident.id:
        return False
    episode = labels.get("episode", "")
    return not episode.isdigit() or int(episode) <= incident.episode


def _is_same(before: Labels, labels: Labels) -> bool:
    return all(before.get(name) == labels.get(name) for name in ("episode", "severity"))


def _alert_of(
    notification: Notification, alarm: Alarm, origin: str, starts_at: datetime, ends_at: datetime
) -> dict[str, Any]:
    incident = alarm.incident
    link = notification.link_of(incident) if incident is not None else notification.public_url
    alert: dict[str, Any] = {
        "labels": _labels_of(notification, alarm, origin),
        "annotations": _annotations_of(notification, alarm),
    }
    return alert | _times_of(starts_at, ends_at) | ({"generatorURL": link} if link else {})


def _labels_of(notification: Notification, alarm: Alarm, origin: str) -> dict[str, str]:
    incident = alarm.incident
    if incident is None:
        name = "FaultwireSummary" if alarm.more else "FaultwireTest"
        severity = max((one.severity for one in alarm.more), key=lambda one: one.rank, default=None)
        said = (severity or notification.severity).value
        return {"alertname": name, "origin": origin, "severity": said, "notification": alarm.key}
    labels = {
        "alertname": "FaultwireIncident",
        "origin": origin,
        "incident": incident.id,
        "episode": str(incident.episode),
        "severity": incident.severity.value,
        "service": incident.service,
        "environment": incident.environment,
        "category": incident.category,
        "code": incident.code,
    }
    return {name: fit(text, LABEL_CHARACTERS) for name, text in labels.items() if text}


def _annotations_of(notification: Notification, alarm: Alarm) -> dict[str, str]:
    incident = alarm.incident
    annotations = {
        "summary": alarm.headline,
        "description": notification.detail,
        "rule": notification.rule,
    }
    if alarm.more:
        annotations["incidents"] = ", ".join(one.id for one in alarm.more[:IDS_SHOWN])
    if incident is not None:
        rows = dict(rows_of(incident))
        annotations |= {
            "description": f"{incident.title} {notification.detail}".strip(),
            "where": incident.culprit,
            "release": incident.release or "",
            "status": incident.status.value,
            "events": rows["events"],
            "link": notification.link_of(incident) or "",
            "event": notification.event_link_of(incident) or incident.event_id or "",
            "issue": incident.issue or "",
        }
    return {name: fit(text, TEXT_CHARACTERS) for name, text in annotations.items() if text}


def _times_of(starts_at: datetime, ends_at: datetime) -> dict[str, str]:
    return {"startsAt": starts_at.isoformat(), "endsAt": ends_at.isoformat()}

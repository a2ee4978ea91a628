"""Alarms: what a notification means to receivers that keep an alert open until it is resolved.

An alert is known by a key of the worker's name, the incident and its episode. So whatever is sent twice is
one alert, and what belongs to an episode that is over cannot close the alert of the next one.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct, structs

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient
from faultwire_consumer.notify.senders.surface import headline_of, headline_of_incident

ALARMS_MAX: Final = 20
"""Alerts that one notification raises; one more stands for all the others."""
REMEMBERED: Final = 100
"""Notifications of which a sender knows what was taken, when one is sent again."""


class AlarmAction(StrEnum):
    """The change of an alert."""

    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class Alarm(Struct, frozen=True, kw_only=True):
    """A change of one alert."""

    action: AlarmAction
    key: str
    """The alert's key, at most 150 letters, digits, ``_``, ``-``, ``.`` and ``:``."""
    headline: str
    """One line; a stranger's text, without control codes."""
    incident: NotifiedIncident | None = None
    """None for a test, and for an alert that stands for several incidents."""
    more: tuple[NotifiedIncident, ...] = ()
    """The incidents that it stands for."""


def alarms_of(notification: Notification, origin: str) -> tuple[Alarm, ...]:
    """Return the changes that a notification makes, the most severe first; none if it is a test.

    Nothing is raised for incidents that a digest tells of as muted or silenced.
    """
    if notification.kind is NotificationKind.TEST:
        return ()
    loud = [one for one in notification.incidents if one.muted is None and not one.silenced]
    alarms = list({alarm.key: alarm for alarm in (_alarm_of(one, origin) for one in loud)}.values())
    raised = [alarm for alarm in alarms if alarm.action is AlarmAction.TRIGGER]
    # What is over is always told: an alert that nobody closes is worse than a long list.
    ended = [alarm for alarm in alarms if alarm.action is not AlarmAction.TRIGGER]
    rest = tuple(alarm.incident for alarm in raised[ALARMS_MAX:] if alarm.incident is not None)
    several = (_summary_alarm(notification, origin, rest),) if rest else ()
    return (*raised[:ALARMS_MAX], *several, *ended)


def trial_alarms(notification: Notification, origin: str) -> tuple[Alarm, Alarm]:
    """Return the two changes of a test: an alert, and its end."""
    raised = Alarm(
        action=AlarmAction.TRIGGER,
        key=f"{origin}:{_digest_of(notification.idempotency_key)}",
        headline=headline_of(notification),
    )
    return raised, structs.replace(raised, action=AlarmAction.RESOLVE)


class AlarmPost:
    """Sends each alarm of a notification by itself, some of them at once, within one limit of time.

    What a receiver has taken is not repeated while this process knows of it: otherwise a receiver that
    limits requests would never come to the end of a long notification.
    """

    def __init__(self, post: Callable[[Notification, Alarm], Awaitable[Outcome]], seconds: float) -> None:
        self._post = post
        self._seconds = seconds
        self._taken: OrderedDict[str, set[str]] = OrderedDict()

    async def send(self, notification: Notification, origin: str) -> Outcome:
        """Send all alarms; the outcome is the worst of theirs. A test's alert is raised and ended."""
        if notification.kind is NotificationKind.TEST:
            return await self._try_out(notification, *trial_alarms(notification, origin))
        taken = self._taken.setdefault(notification.idempotency_key, set())
        alarms = [alarm for alarm in alarms_of(notification, origin) if _mark_of(alarm) not in taken]
        outcome = await self._send_all(notification, alarms, taken)
        if not isinstance(outcome, Transient):
            self._taken.pop(notification.idempotency_key, None)
        while len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)
        return outcome

    async def _send_all(
        self, notification: Notification, alarms: Sequence[Alarm], taken: set[str]
    ) -> Outcome:
        async def send_one(alarm: Alarm) -> Outcome:
            outcome = await self._post(notification, alarm)
            if isinstance(outcome, Sent):
                taken.add(_mark_of(alarm))
            return outcome

        try:
            async with asyncio.timeout(self._seconds):
                return worst_of(await asyncio.gather(*map(send_one, alarms)))
        except TimeoutError:
            left = sum(_mark_of(alarm) not in taken for alarm in alarms)
            return Transient(SendReason.TIMEOUT, f"{left} of {len(alarms)} alerts were not taken in time")

    async def _try_out(self, notification: Notification, raised: Alarm, ended: Alarm) -> Outcome:
        outcome = await self._post_in_half(notification, raised)
        if isinstance(outcome, Permanent):
            return outcome
        # Also when no answer came: the alert may stand nevertheless.
        closed = await self._post_in_half(notification, ended)
        if isinstance(outcome, Sent) and not isinstance(closed, Sent):
            return structs.replace(closed, detail=f"the test's alert may still be open: {closed.detail}")
        return outcome

    async def _post_in_half(self, notification: Notification, alarm: Alarm) -> Outcome:
        try:
            async with asyncio.timeout(self._seconds / 2):
                return await self._post(notification, alarm)
        except TimeoutError:
            return Transient(SendReason.TIMEOUT, "no complete answer in time")


def worst_of(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome that counts for all: one worth another attempt before one that is not."""
    known = list(outcomes)
    transient = [one for one in known if isinstance(one, Transient)]
    if transient:
        return max(transient, key=lambda one: one.after_seconds or 0.0)
    refused = [one for one in known if isinstance(one, Permanent)]
    if not refused:
        return Sent()
    first = refused[0]
    if len(known) == 1:
        return first
    return structs.replace(first, detail=f"{len(refused)} of {len(known)} alerts: {first.detail}")


def _alarm_of(incident: NotifiedIncident, origin: str) -> Alarm:
    return Alarm(
        action=_action_of(incident),
        key=f"{origin}:{incident.id}:{incident.episode}",
        headline=headline_of_incident(incident),
        incident=incident,
    )


def _action_of(incident: NotifiedIncident) -> AlarmAction:
    # An old notification that is sent late, or again, raises no alert for what is over by then.
    if incident.reason is NotificationReason.RESOLVED or incident.status is Status.RESOLVED:
        return AlarmAction.RESOLVE
    if incident.reason is NotificationReason.ACKNOWLEDGED:
        return AlarmAction.ACKNOWLEDGE
    return AlarmAction.TRIGGER


def _summary_alarm(notification: Notification, origin: str, rest: tuple[NotifiedIncident, ...]) -> Alarm:
    severity = max((one.severity for one in rest), key=lambda one: one.rank)
    services = sorted({one.service for one in rest})
    where = services[0] if len(services) == 1 else f"{len(services)} services"
    return Alarm(
        action=AlarmAction.TRIGGER,
        key=f"{origin}:{_digest_of(notification.idempotency_key)}",
        headline=f"[{severity}] {len(rest)} more incidents: {where}",
        more=rest,
    )


def _digest_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _mark_of(alarm: Alarm) -> str:
    return f"{alarm.action}:{alarm.key}"

"""Watches the sending of notifications itself: what is late, given up or stalled becomes an own incident.

There is no loop: trouble with a notification that reports such trouble is only logged, and trouble that
lasts is reported once an hour for each kind and receiver, always into the same incident.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.notify.own_trouble import AGAIN, OwnTrouble, is_own, late_by
from faultwire_consumer.notify.plain_text import one_line
from faultwire_consumer.store.outbox.claim import Due
from faultwire_shared.event import Category
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.taxonomy import register_exception

STALLED_SECONDS: Final = 120.0
"""A dispatcher that died holds its leases for a minute; beyond two nobody sends."""
RECEIVERS_MAX: Final = 1000
"""Receivers whose trouble is remembered: policies are changed, and workers live long."""
_DETAIL_CHARACTERS: Final = 300

log = get_logger(__name__)


class DeadlineMissedError(Exception):
    """Notifications for a receiver were sent later than promised."""


class ReceiverGaveUpError(Exception):
    """A notification for a receiver was given up."""


class DispatcherStalledError(Exception):
    """Notifications are due and are not sent."""


for _kind, _trouble in (
    (DeadlineMissedError, OwnTrouble.DEADLINE_MISSED),
    (ReceiverGaveUpError, OwnTrouble.RECEIVER_GAVE_UP),
    (DispatcherStalledError, OwnTrouble.DISPATCHER_STALLED),
):
    register_exception(_kind, Category.SYSTEM, code=_trouble.value)


class Trouble(Struct, frozen=True):
    """Trouble that is to be reported."""

    error: Exception
    kind: OwnTrouble
    receiver: str
    """Empty where it concerns all of them."""


Tell = Callable[[Trouble], object]


class OwnWatch:
    """Takes note of what happens to notifications, and tells of trouble once.

    Args:
        tell: reports trouble; until it is given, none is reported.
    """

    def __init__(self, tell: Tell | None = None) -> None:
        self.tell = tell
        self._told: dict[tuple[OwnTrouble, str], datetime] = {}

    def note_start(self, receiver: str, notifications: Sequence[Due], *, urgent: bool, now: datetime) -> None:
        """Note that a first attempt begins."""
        others = [due for due in notifications if not is_own(due.service, due.code)]
        judged = ((due, late_by(due.kind, urgent=urgent, due_at=due.due_at, now=now)) for due in others)
        late = [(due, by) for due, by in judged if by is not None and due.resent_at is None]
        if late:
            due, by = max(late, key=lambda one: one[1])
            text = (
                f"{_counted(len(late))} for the receiver {receiver} {_was(len(late))} late: {due.severity}, "
            )
            text += f"{_spell(by)} after the time at which it was due"
            self._tell(DeadlineMissedError(text), OwnTrouble.DEADLINE_MISSED, receiver, now)

    def note_given_up(
        self, receiver: str, notifications: Sequence[Due], *, reason: str, detail: str, now: datetime
    ) -> None:
        """Note that a notification was given up."""
        if any(is_own(due.service, due.code) for due in notifications):
            return
        why = one_line(detail, _DETAIL_CHARACTERS)
        text = f"a notification for the receiver {receiver} was given up, {reason}{': ' if why else ''}{why}"
        self._tell(ReceiverGaveUpError(text), OwnTrouble.RECEIVER_GAVE_UP, receiver, now)

    def note_overdue(self, seconds: float, *, now: datetime) -> None:
        """Note how long the oldest notification that is due has waited."""
        if seconds > STALLED_SECONDS:
            text = "notifications are due and nobody sends them: the oldest waits for more than two minutes"
            self._tell(DispatcherStalledError(text), OwnTrouble.DISPATCHER_STALLED, "", now)

    def _tell(self, error: Exception, kind: OwnTrouble, receiver: str, now: datetime) -> None:
        told_at = self._told.get((kind, receiver))
        if self.tell is None or (told_at is not None and told_at <= now < told_at + AGAIN):
            return
        if len(self._told) >= RECEIVERS_MAX:
            self._told.clear()
        self._told[kind, receiver] = now
        log.error("notification.trouble", kind=kind, receiver=receiver, why=str(error))
        self.tell(Trouble(error, kind, receiver))


def _counted(number: int) -> str:
    return "a notification" if number == 1 else f"{number:,} notifications"


def _was(number: int) -> str:
    return "was" if number == 1 else "were, at worst,"


def _spell(late: timedelta) -> str:
    seconds = late.total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"

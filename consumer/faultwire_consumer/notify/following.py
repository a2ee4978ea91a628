"""Stages of notifications that follow others: recovery notices, and escalations."""

from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.domain.telling.recovery import Told
from faultwire_consumer.notify.decision import Held, Stopped
from faultwire_consumer.store.outbox.claim import Due

TOLD: Final = "told"
"""The stage that asks whether what it follows was told."""
TOLD_AGAIN: Final = timedelta(seconds=5)
"""The wait until that is asked again, while it is on its way."""


def is_told(told: Told, now: datetime) -> Stopped | Held | None:
    """Stop it if nobody was told of what it follows; hold it until that is known."""
    if told is Told.NOT_YET:
        return Held(now + TOLD_AGAIN, StageReason.UNTOLD)
    return Stopped(StageReason.UNTOLD) if told is Told.NO else None


def is_still_so(due: Due, _: datetime) -> Stopped | None:
    """Stop a recovery notice if the incident is open again, or if more than it tells is true by then."""
    if due.current_episode != due.episode:
        return Stopped(StageReason.OVERTAKEN)
    if due.status is Status.RESOLVED:
        is_end = due.reason is NotificationReason.RESOLVED
        return None if is_end else Stopped(StageReason.RESOLVED)
    is_taken = due.status is Status.ACKNOWLEDGED and due.reason is NotificationReason.ACKNOWLEDGED
    return None if is_taken else Stopped(StageReason.REOPENED)

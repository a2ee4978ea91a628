"""Decisions of a stage on one notification: it is stopped, or held; whatever is neither passes."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.domain.silence.silence import Silence
from faultwire_consumer.store.outbox.claim import Due


class Stopped(Struct, frozen=True):
    """The notification is no longer needed."""

    reason: StageReason
    silence: Silence | None = None
    """The one that hides it, where that is why."""
    detail: str = ""
    """More of the reason, for the trace: the incident that explains it."""


class Held(Struct, frozen=True):
    """The notification waits until a later time."""

    until: datetime
    reason: StageReason
    silence: Silence | None = None
    detail: str = ""


Stage = Callable[[Due, datetime], Stopped | Held | None]
"""Judges one notification at a given time; None lets it pass."""

"""Changes of an incident's status: by what occurred, and by an operator's verb."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_shared.event import ErrorSeverity

WORKER: Final = "worker"
"""The actor of every transition that no operator requested."""


class Status(StrEnum):
    """Status of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Verb(StrEnum):
    """An action that an operator can take on an incident."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    REOPEN = "reopen"


class TransitionReason(StrEnum):
    """The reason for a change of status, as the history keeps it."""

    OPENED = "opened"
    REGRESSED = "regressed"
    SEVERITY_ROSE = "severity_rose"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Touched(Struct, frozen=True, kw_only=True):
    """An incident as a batch left it; its status may have to change."""

    incident_id: int
    status: Status
    episode: int
    first_sight: bool
    severity_before: ErrorSeverity
    severity: ErrorSeverity
    count_before: int
    count: int
    resolved_at: datetime | None
    newest_at: datetime
    """Time of the batch's last error, also within an event that stands for several; without duplicates."""
    newest_event_id: str


class Transition(Struct, frozen=True, kw_only=True):
    """One change of status: the incident's new row, and its row in the history."""

    incident_id: int
    before: Status | None
    after: Status
    episode: int
    resolved_at: datetime | None
    reason: TransitionReason
    actor: str
    at: datetime
    event_id: str | None = None


class NotPossible(Struct, frozen=True):
    """The verb does not fit the status; the text says why, and which verb would."""

    why: str


def judge(touched: Touched, *, now: datetime) -> Transition | None:
    """Decide what the events of a batch mean for one incident's status.

    Lateness is judged by occurrence: an event from before the resolve counts, whenever it
    arrives, and never looks like a regression.
    """
    if touched.first_sight:
        return _worker_opens(touched, now, TransitionReason.OPENED, before=None, episode=touched.episode)
    if (
        touched.status is Status.RESOLVED
        and touched.resolved_at is not None
        and touched.newest_at > touched.resolved_at
    ):
        return _worker_opens(
            touched, now, TransitionReason.REGRESSED, before=touched.status, episode=touched.episode + 1
        )
    if touched.status is Status.ACKNOWLEDGED and touched.severity.rank > touched.severity_before.rank:
        return _worker_opens(
            touched, now, TransitionReason.SEVERITY_ROSE, before=touched.status, episode=touched.episode
        )
    return None


def _worker_opens(
    touched: Touched, now: datetime, reason: TransitionReason, *, before: Status | None, episode: int
) -> Transition:
    return Transition(
        incident_id=touched.incident_id,
        before=before,
        after=Status.OPEN,
        episode=episode,
        resolved_at=None,
        reason=reason,
        actor=WORKER,
        at=now,
        event_id=touched.newest_event_id,
    )


_ALLOWED: Final = {
    (Verb.ACKNOWLEDGE, Status.OPEN): (Status.ACKNOWLEDGED, TransitionReason.ACKNOWLEDGED),
    (Verb.RESOLVE, Status.OPEN): (Status.RESOLVED, TransitionReason.RESOLVED),
    (Verb.RESOLVE, Status.ACKNOWLEDGED): (Status.RESOLVED, TransitionReason.RESOLVED),
    (Verb.REOPEN, Status.RESOLVED): (Status.OPEN, TransitionReason.REOPENED),
    (Verb.REOPEN, Status.ACKNOWLEDGED): (Status.OPEN, TransitionReason.REOPENED),
}
_REACHED: Final = {
    Verb.ACKNOWLEDGE: Status.ACKNOWLEDGED,
    Verb.RESOLVE: Status.RESOLVED,
    Verb.REOPEN: Status.OPEN,
}


def decide(
    verb: Verb, *, incident_id: int, status: Status, episode: int, actor: str, now: datetime
) -> Transition | NotPossible | None:
    """Decide what an operator's verb does to an incident; None if nothing changes."""
    if status is _REACHED[verb]:
        return None
    allowed = _ALLOWED.get((verb, status))
    if allowed is None:
        return NotPossible(f"a {status} incident cannot be {verb}d; reopen it first")
    after, reason = allowed
    return Transition(
        incident_id=incident_id,
        before=status,
        after=after,
        episode=episode,
        resolved_at=now if after is Status.RESOLVED else None,
        reason=reason,
        actor=actor,
        at=now,
    )

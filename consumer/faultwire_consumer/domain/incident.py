"""An incident's status and its changes, as values; `lifecycle` decides about them."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident_terms import NO_TERMS, Terms
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
    MUTE = "mute"
    UNMUTE = "unmute"
    ASSIGN = "assign"
    UNASSIGN = "unassign"
    COMMENT = "comment"
    MERGE = "merge"
    UNMERGE = "unmerge"
    LINK = "link"
    UNLINK = "unlink"


class TransitionReason(StrEnum):
    """The reason for a row of an incident's history."""

    OPENED = "opened"
    REGRESSED = "regressed"
    SEVERITY_ROSE = "severity_rose"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGE_ENDED = "acknowledge_ended"
    """An event occurred after the time to which the acknowledgement was limited."""
    RESOLVED = "resolved"
    AUTO_RESOLVED = "auto_resolved"
    """It was quiet for as many days as a rule asks for."""
    REOPENED = "reopened"
    MUTED = "muted"
    UNMUTED = "unmuted"
    MUTE_ENDED = "mute_ended"
    """An event came that the mute waited for, or one after its end."""
    ASSIGNED = "assigned"
    UNASSIGNED = "unassigned"
    COMMENTED = "commented"
    MERGED = "merged"
    """Other incidents were merged into this one."""
    MERGED_INTO = "merged_into"
    """This one was merged into another."""
    LINKED = "linked"
    UNLINKED = "unlinked"
    UNMERGED = "unmerged"
    """It is an incident of its own again, or one that had been merged into it is."""


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
    terms: Terms = NO_TERMS


class IncidentState(Struct, frozen=True, kw_only=True):
    """The state of an incident that an operator's verb is decided on."""

    incident_id: int
    status: Status
    episode: int
    service: str
    severity: ErrorSeverity
    count: int
    resolved_at: datetime | None
    assignee: str | None
    terms: Terms
    version: int
    merged_into: int | None


class Assignment(Struct, frozen=True):
    """A change of who has an incident; None for nobody."""

    to: str | None


class Transition(Struct, frozen=True, kw_only=True):
    """One change of an incident: its new row, and its row in the history."""

    incident_id: int
    before: Status | None
    after: Status
    episode: int
    resolved_at: datetime | None
    reason: TransitionReason
    actor: str
    at: datetime
    event_id: str | None = None
    terms: Terms = NO_TERMS
    """Its terms from now on."""
    assignment: Assignment | None = None
    """None: whoever has it keeps it."""
    detail: str = ""
    """What exactly was done, in words: who it was assigned to, until when it is muted."""
    note: str = ""
    """The operator's own words."""
    release: str | None = None
    """Of the event."""


class NotPossible(Struct, frozen=True):
    """The verb does not fit the status; the text says why, and which verb would."""

    why: str

"""The content of a digest as it is computed when it is made, and kept for every attempt to send it."""

from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_shared.event import ErrorSeverity

ENVIRONMENTS_MAX: Final = 3
"""Environments of an incident that its line names; where there are more, one more says so."""
LINES_MAX: Final = 20
"""Incidents that each section has in full."""
PARTS_MAX: Final = 20
"""Services, and releases, that a digest tells of one by one."""


class DigestSectionKind(StrEnum):
    """A section of a digest, in the order in which they are told."""

    NEW = "new"
    """First seen since the digest before."""
    CAME_BACK = "came_back"
    """Resolved, and seen again."""
    WORSE = "worse"
    """Far more events than in the period before, or a higher severity."""
    WENT_ON = "went_on"
    """All other incidents that had events."""
    SILENCED = "silenced"
    """Incidents of which silences stopped notifications."""
    MUTED = "muted"
    """Muted incidents that had events."""
    ENDED = "ended"
    """Resolved in the period, and still so."""
    NOBODYS = "nobodys"
    """Open since before the period, and nobody has them."""


COUNTED: Final = tuple(DigestSectionKind)[:6]
"""The sections of incidents that had events, each incident in one of them; the others are told beside."""


class DigestLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One incident of a section, as it was when the digest was made.

    ``title``, ``culprit``, ``service``, ``code`` and ``release`` were written by strangers.
    """

    incident_id: int
    reason: NotificationReason
    severity: ErrorSeverity
    status: Status
    title: str
    service: str
    count: int
    """Total of events."""
    first_seen_at: datetime
    last_seen_at: datetime
    culprit: str = ""
    category: str = ""
    code: str = ""
    release: str | None = None
    """The release of its newest event."""
    event_id: str | None = None
    events: int | None = None
    """Events since the digest before; None where none are counted."""
    events_before: int | None = None
    """Events in the period before; None where that is not known."""
    muted: str | None = None
    """Until when it is muted, in words."""
    held_back: int = 0
    """Notifications of it that its mute stopped in the period."""
    silenced: int = 0
    """Notifications of it that silences stopped in the period."""
    inhibited: int = 0
    """Notifications of it that were stopped in the period because an open incident explains it."""
    ended_by: str | None = None
    """Who resolved it; None: nobody did, or it quieted down by itself."""
    ended_at: datetime | None = None
    environments: tuple[str, ...] = ()
    """Environments that it was ever seen in, by name; `ENVIRONMENTS_MAX` and one more at most."""

    @property
    def where(self) -> str:
        """Return its environments in words; empty where they are not known."""
        shown = ", ".join(self.environments[:ENVIRONMENTS_MAX])
        return f"{shown} and more" if len(self.environments) > ENVIRONMENTS_MAX else shown


class DigestSection(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A section with its most important incidents."""

    kind: DigestSectionKind
    incidents: int
    """How many there are; `LINES_MAX` of them at most are in ``lines``."""
    events: int | None = None
    """Their events since the digest before; None where none are counted."""
    lines: tuple[DigestLine, ...]
    query: str = ""
    """Text that finds them in the list of incidents, as nearly as its language can say it."""


class DigestTally(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Totals of a period, of a digest as a whole or of one service or release in it."""

    incidents: int = 0
    events: int = 0
    new: int = 0
    came_back: int = 0


class DigestPart(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service, or a release of one, with its totals."""

    service: str
    release: str | None = None
    tally: DigestTally
    events_before: int | None = None
    """Events in the period before of the incidents that are counted; None where that is not known."""


class DigestRanking(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts with most events, and the totals of all others."""

    parts: tuple[DigestPart, ...] = ()
    more: int = 0
    """How many others there are."""
    rest: DigestTally = DigestTally()


class DigestChart(Struct, frozen=True, kw_only=True):
    """Events by hour or day of their occurrence, whatever incident they belong to."""

    starts_at: datetime
    step_seconds: int
    """Length of a bar; the last one ends with the period."""
    counts: tuple[int, ...]


class HeldSum(Struct, frozen=True, kw_only=True):
    """Notifications for the digest's receiver that were stopped in its period for one reason."""

    reason: str
    """A `StageReason`."""
    notifications: int
    incidents: int


class SilencedSum(Struct, frozen=True, kw_only=True):
    """The sum of what one silence stopped for a digest's receiver in its period."""

    silence_id: int
    author: str
    comment: str
    notifications: int
    incidents: int


class DigestFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that a digest says; its period and receiver stand with the notification."""

    tally: DigestTally
    before: DigestTally | None = None
    """The totals of the period before; None where that is not known."""
    sections: tuple[DigestSection, ...] = ()
    """Those that have incidents, in the order of `DigestSectionKind`."""
    services: DigestRanking = DigestRanking()
    releases: DigestRanking = DigestRanking()
    chart: DigestChart | None = None
    held: tuple[HeldSum, ...] = ()
    silences: tuple[SilencedSum, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return True if nothing happened since the digest before; what is still open alone is nothing."""
        return not self.tally.incidents


_decoder: Final = msgspec.json.Decoder(DigestFacts)


def encode_facts(facts: DigestFacts) -> str:
    """Return the facts as the store keeps them."""
    return msgspec.json.encode(facts).decode()


def read_facts(text: str) -> DigestFacts:
    """Return the facts that the store keeps as a text.

    Raises:
        msgspec.MsgspecError: the text is no such facts.
    """
    return _decoder.decode(text)

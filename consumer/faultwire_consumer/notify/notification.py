"""A notification as a value: everything about it that a sender may show."""

from datetime import datetime
from urllib.parse import quote

from msgspec import Struct

from faultwire_consumer.domain.digest.facts import DigestFacts
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_shared.event import ErrorSeverity


class NotifiedIncident(Struct, frozen=True, kw_only=True):
    """An incident as it was when the notification was made.

    ``title``, ``culprit``, ``service``, ``environment``, ``code`` and ``release`` were written by
    strangers: they are kept as they came, and escaped by the code that shows them.
    """

    id: str
    """Its name for people: ``INC-12``."""
    reason: NotificationReason
    """What happened to this incident; a digest has many, each with its own reason."""
    severity: ErrorSeverity
    status: Status
    title: str
    service: str
    count: int
    """Total of events."""
    first_seen_at: datetime
    last_seen_at: datetime
    episode: int = 1
    """The episode that is told of: 1, and one more at each regression."""
    recent_count: int | None = None
    """Events since this receiver's last digest, or in a rule's window; None if not counted."""
    culprit: str = ""
    environment: str = ""
    category: str = ""
    code: str = ""
    release: str | None = None
    event_id: str | None = None
    """Id of the newest event."""
    muted: str | None = None
    """Until when it is muted, in words; None if it is not."""
    held_back: int = 0
    """Notifications of it that its mute or an inhibition stopped; a digest says how many."""
    silenced: int = 0
    """Notifications of it that silences stopped; a digest says how many."""
    reasons: tuple[NotificationReason, ...] = ()
    """All that happened to it, the first thing first, where that is more than ``reason`` says."""
    issue: str | None = None
    """Address of its issue in a tracker. Those of a digest say none."""
    happened: str = ""
    """The same in words, as in ``new, then grew past 10 and 100``; empty where ``reason`` says it."""


class SilencedPart(Struct, frozen=True, kw_only=True):
    """The sum of what one silence hid from a digest's receiver in its period."""

    silence_id: int
    author: str
    comment: str
    notifications: int
    incidents: int


class Wording(Struct, frozen=True, kw_only=True):
    """A notification in the words of its receiver's own templates; None where the built-in ones stand."""

    subject: str | None = None
    """One line."""
    text: str | None = None
    html: str | None = None


class Notification(Struct, frozen=True, kw_only=True):
    """One message to one receiver.

    Everything in it is decided: a sender only shows it, and sends it again with the same
    ``idempotency_key`` if an attempt failed.
    """

    idempotency_key: str
    """The same for every attempt, so that a receiver can tell a second one from a second message.

    It travels in an HTTP header: at most 200 letters, digits, ``_``, ``-`` and ``:``.
    """
    kind: NotificationKind
    reason: NotificationReason
    rule: str
    receiver: str
    severity: ErrorSeverity
    """The highest severity of its incidents."""
    incidents: tuple[NotifiedIncident, ...]
    """All of them: a sender bounds the length that it shows.

    A digest has those that its sections show, at most twenty of each; only a digest's may be empty.
    """
    created_at: datetime
    """Time of the worker's decision, in the transaction that wrote it to the outbox."""
    detail: str = ""
    """The rule's sentence, such as ``12 events in 5 minutes, the rule says 10``; a stranger's text too."""
    since: datetime | None = None
    """Beginning of a digest's or summary's period, inclusive, by commit."""
    until: datetime | None = None
    """End of the period, exclusive."""
    silences: tuple[SilencedPart, ...] = ()
    """Of a digest: those that hid something, what hid most first; few at most."""
    digest: DigestFacts | None = None
    """What a digest tells; None for one that a release before this one made, and for all that is none."""
    public_url: str | None = None
    """Address at which people reach the page, without a trailing slash; without it there are no links."""
    frames: tuple[str, ...] = ()
    """The innermost calls of a single incident's event, the crash first, for senders that show them."""
    wording: Wording = Wording()
    """In the words of its receiver's own templates."""
    number: int | None = None
    """Its number in the outbox, by which page, API and command line find it; None for a test."""
    more_count: int = 0
    """Incidents that it tells of besides ``incidents``, in a storm: `rest_link` leads to all of them."""

    def link_of(self, incident: NotifiedIncident) -> str | None:
        """Return the incident's address on the page."""
        return self.incident_link(incident.id)

    def incident_link(self, name: str) -> str | None:
        """Return the address of the incident of that name, as in ``INC-12``."""
        return self._link("incidents", name)

    def event_link_of(self, incident: NotifiedIncident) -> str | None:
        """Return the newest event's address on the page."""
        return self.event_link(incident.event_id)

    def event_link(self, event_id: str | None) -> str | None:
        """Return the address of the event of that id; None without one."""
        return self._link("e", event_id) if event_id else None

    def rest_link(self) -> str | None:
        """Return the address of the list of everything that this notification tells of."""
        if self.number is None:
            return None
        if self.kind is NotificationKind.DIGEST:
            return self._link("told", str(self.number))
        link = self._link("told")
        return None if link is None else f"{link}?carrier={self.number}"

    def query_link_of(self, query: str) -> str | None:
        """Return the address of the list of incidents that a query finds."""
        home = self._link("")
        return f"{home}?query={quote(query, safe='')}" if home is not None and query else None

    def _link(self, *path: str) -> str | None:
        if self.public_url is None:
            return None
        return "/".join((self.public_url.rstrip("/"), *(quote(part, safe="") for part in path)))

"""What is sent, as values: one notification with everything that a sender may show of it."""

from datetime import datetime
from urllib.parse import quote

from msgspec import Struct

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_shared.event import ErrorSeverity


class NotifiedIncident(Struct, frozen=True, kw_only=True):
    """An incident as it stood when the notification was made.

    ``title``, ``culprit``, ``service``, ``environment``, ``code`` and ``release`` are what
    strangers wrote: they are kept as they came, and escaped by whoever shows them.
    """

    id: str
    """As people say it: ``INC-12``."""
    reason: NotificationReason
    """What happened to this one; a digest has many, each with its own."""
    severity: ErrorSeverity
    status: Status
    title: str
    service: str
    count: int
    """Events in all."""
    first_seen_at: datetime
    last_seen_at: datetime
    recent_count: int | None = None
    """Events since this receiver's last digest, or in a rule's window; None where nobody counted."""
    culprit: str = ""
    environment: str = ""
    category: str = ""
    code: str = ""
    release: str | None = None
    event_id: str | None = None
    """The newest event's."""


class Notification(Struct, frozen=True, kw_only=True):
    """One message to one receiver.

    Everything in it is decided: a sender only shows it, and sends it again with the same
    ``idempotency_key`` where an attempt did not end well.
    """

    idempotency_key: str
    """The same for every attempt, so that a receiver can tell a second one from a second message.

    It travels in an HTTP header: letters, digits, ``_``, ``-`` and ``:``, 200 at most.
    """
    kind: NotificationKind
    reason: NotificationReason
    rule: str
    receiver: str
    severity: ErrorSeverity
    """The highest of its incidents'."""
    incidents: tuple[NotifiedIncident, ...]
    """All of them: what shows them bounds its own length. Never empty but for a digest."""
    created_at: datetime
    """When the worker decided it, in the transaction that wrote it to the outbox."""
    detail: str = ""
    """The rule's own sentence, as in ``12 events in 5 minutes, the rule says 10``; a stranger's text too."""
    since: datetime | None = None
    """A digest's or summary's beginning, inclusive, by commit."""
    until: datetime | None = None
    """Its end, exclusive."""
    public_url: str | None = None
    """Where people reach the page, without a slash at its end; without one there are no links."""

    def link_of(self, incident: NotifiedIncident) -> str | None:
        """The incident's address on the page."""
        return self._link("incidents", incident.id)

    def event_link_of(self, incident: NotifiedIncident) -> str | None:
        """The newest event's address on the page."""
        return self._link("e", incident.event_id) if incident.event_id else None

    def _link(self, *path: str) -> str | None:
        if self.public_url is None:
            return None
        return "/".join((self.public_url.rstrip("/"), *(quote(part, safe="") for part in path)))

"""The interface of a sender to the dispatcher: one attempt, and its outcome as a value."""

from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from msgspec import Struct

from faultwire_consumer.notify.notification import Notification


class SendReason(StrEnum):
    """The reason why an attempt did not end in a delivery."""

    TIMEOUT = "timeout"
    """No complete answer in time; the notification may have arrived."""
    UNREACHABLE = "unreachable"
    """The name does not resolve, or nothing listens there."""
    CONNECTION_LOST = "connection_lost"
    """The connection broke before the answer; the notification may have arrived."""
    TLS_FAILED = "tls_failed"
    """The peer is not the expected one, or its certificate has expired."""
    BUSY = "busy"
    """The receiver asks to wait: 429, or 503."""
    RECEIVER_FAILED = "receiver_failed"
    """The receiver reports an error of its own: 5xx."""
    REDIRECTED = "redirected"
    """The receiver redirects, which is not followed."""
    ADDRESS_REFUSED = "address_refused"
    """The address is inside this network, where no notification may go."""
    GONE = "gone"
    """The receiver wants no more notifications: 410."""
    REFUSED = "refused"
    """The receiver will never accept it: 4xx."""
    NOT_SENDABLE = "not_sendable"
    """The address or the notification cannot be put into a request."""


class OutcomeName(StrEnum):
    """Outcome of an attempt as history and metrics spell it, independent of the classes' names."""

    SENT = "sent"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


class Sent(Struct, frozen=True):
    """The receiver has it."""

    name: ClassVar[OutcomeName] = OutcomeName.SENT

    detail: str = ""
    """One line for an operator where not all of it went well, without secrets; escaped."""


class Transient(Struct, frozen=True):
    """The attempt failed for now; the same notification is worth another attempt."""

    name: ClassVar[OutcomeName] = OutcomeName.TRANSIENT

    reason: SendReason
    detail: str = ""
    """One line for an operator, without secrets; escaped."""
    after_seconds: float | None = None
    """The wait that the receiver asked for; None if it did not."""


class Permanent(Struct, frozen=True):
    """The attempt failed, and so will any other: give up and notify an operator."""

    name: ClassVar[OutcomeName] = OutcomeName.PERMANENT

    reason: SendReason
    detail: str = ""
    """One line for an operator, without secrets; escaped."""


Outcome = Sent | Transient | Permanent


@runtime_checkable
class ShowsFrames(Protocol):
    """A sender that has room for the calls of an event; for the others they are not read."""

    @property
    def frames_shown(self) -> int:
        """Number of calls that it shows at most."""
        ...


def shows_frames(sender: "Sender") -> bool:
    """Return True if a sender shows the calls of an event."""
    return isinstance(sender, ShowsFrames) and sender.frames_shown > 0


class Sender(Protocol):
    """A way to send to one receiver. Safe to be used by several tasks at once."""

    @property
    def name(self) -> str:
        """Its name in rules, history and metrics; not a stranger's text."""
        ...

    async def send(self, notification: Notification) -> Outcome:
        """Try once, within the sender's own time limit; never raises except when cancelled."""
        ...

    async def aclose(self) -> None:
        """Close every connection, within three seconds."""
        ...

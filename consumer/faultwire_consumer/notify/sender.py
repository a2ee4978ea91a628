"""What the dispatcher asks of a sender: one attempt, and its outcome as a value."""

from enum import StrEnum
from typing import ClassVar, Protocol

from msgspec import Struct

from faultwire_consumer.notify.notification import Notification


class SendReason(StrEnum):
    """Why an attempt did not end in a delivery."""

    TIMEOUT = "timeout"
    """No whole answer in time; the notification may have arrived."""
    UNREACHABLE = "unreachable"
    """The name does not resolve, or nobody listens there."""
    CONNECTION_LOST = "connection_lost"
    """It broke before the answer; the notification may have arrived."""
    TLS_FAILED = "tls_failed"
    """The other side is not who it should be, or its certificate has run out."""
    BUSY = "busy"
    """The receiver asks to wait: 429, or 503."""
    RECEIVER_FAILED = "receiver_failed"
    """The receiver met a mistake of its own: 5xx."""
    REDIRECTED = "redirected"
    """The receiver points elsewhere, and nobody follows."""
    ADDRESS_REFUSED = "address_refused"
    """The address is inside this network, where no notification may go."""
    GONE = "gone"
    """The receiver wants no more of them: 410."""
    REFUSED = "refused"
    """The receiver will never take it: 4xx."""
    NOT_SENDABLE = "not_sendable"
    """The address or the notification cannot be put into a request."""


class OutcomeName(StrEnum):
    """An attempt's outcome as history and metrics spell it, whatever the classes are called."""

    SENT = "sent"
    TRANSIENT = "transient"
    PERMANENT = "permanent"


class Sent(Struct, frozen=True):
    """The receiver has it."""

    name: ClassVar[OutcomeName] = OutcomeName.SENT


class Transient(Struct, frozen=True):
    """It did not work now; the same notification is worth another attempt."""

    name: ClassVar[OutcomeName] = OutcomeName.TRANSIENT

    reason: SendReason
    detail: str = ""
    """One line for an operator, without any secret; escaped."""
    after_seconds: float | None = None
    """The receiver's own wish for the wait; None where it said nothing."""


class Permanent(Struct, frozen=True):
    """It will not work, however often it is tried: give up and tell an operator."""

    name: ClassVar[OutcomeName] = OutcomeName.PERMANENT

    reason: SendReason
    detail: str = ""
    """One line for an operator, without any secret; escaped."""


Outcome = Sent | Transient | Permanent


class Sender(Protocol):
    """One way out, to one receiver. Safe to be used by several tasks at once."""

    @property
    def name(self) -> str:
        """How rules, history and metrics call it; not a stranger's text."""
        ...

    async def send(self, notification: Notification) -> Outcome:
        """Try once, within the sender's own time limit; never raises but when it is cancelled."""
        ...

    async def aclose(self) -> None:
        """Let go of every connection, within three seconds."""
        ...

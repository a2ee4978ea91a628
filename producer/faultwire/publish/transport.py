"""The publisher's demand on a transport: take one message, and return once it is confirmed."""

from collections.abc import Mapping
from typing import Final, Protocol

from msgspec import Struct

PUBLISH_SECONDS: Final = 5.0
"""One publish and its confirm, at most, besides the time that its bytes need on the slowest line."""
SLOWEST_BYTES: Final = 16 * 1024
"""A second, of a line that is slow and not dead."""


def publish_seconds(message: "Outgoing") -> float:
    """The time that this message may take."""
    return PUBLISH_SECONDS + len(message.body) / SLOWEST_BYTES


class Outgoing(Struct, frozen=True, kw_only=True):
    """One message: the body of an event or of a batch, and what its envelope needs."""

    body: bytes
    message_type: str
    routing_key: str
    event_id: str | None = None
    headers: Mapping[str, str] = {}
    """More of its envelope, where the other side has one."""


class TransportDown(Exception):  # noqa: N818 - named for the state it tells of
    """The connection is gone or hangs; it must be opened anew before anything can be published."""


class Busy(Exception):  # noqa: N818 - named for the state it tells of
    """The other side is there and takes nothing now: an alarm, a full queue, a 503."""

    def __init__(self, detail: str, *, after_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.after_seconds = after_seconds


class Denied(Busy):
    """The other side does not know this client, or lets it do nothing: until somebody mends that."""


class Refused(Exception):  # noqa: N818 - named for the answer it tells of
    """The other side will never take this message; a batch may hold events that it takes."""


class Transport(Protocol):
    """A way to the worker. One publisher opens, uses and closes it, again and again."""

    async def open(self) -> None:
        """Connect.

        Raises:
            TransportDown: it cannot; the text says why.
        """

    async def publish(self, message: Outgoing) -> None:
        """Return when the message is confirmed, within its ``publish_seconds``.

        Raises:
            TransportDown: the connection failed; the message may have arrived.
            Busy: try again later, on this connection.
            Refused: never try this message again.
        """

    async def watch(self) -> None:
        """Return when the open connection is found to be broken; never, where there is nothing to watch."""

    async def aclose(self) -> None:
        """Close, within three seconds, in any state; never raises."""

"""The seam between the gateway's door and what counts: each request is told of, taken or refused."""

from enum import StrEnum
from typing import Protocol

from faultwire_consumer.gateway.reading import Reading
from faultwire_shared.event import Sdk


class GatewayProtocol(StrEnum):
    """The language that a request was in."""

    SENTRY = "sentry"
    OTLP = "otlp"


class Observer(Protocol):
    """Is told of requests once they are answered for; never raises, never waits."""

    def saw(
        self,
        *,
        service: str,
        reading: Reading,
        sdk: Sdk | None,
        protocol: GatewayProtocol,
        body: bytes = b"",
    ) -> None:
        """Count what a request held, once its events are kept.

        Args:
            service: that of its key or token.
            reading: what it held.
            sdk: the library by the request's headers, for what does not name its own.
            protocol: its language.
            body: the request's, as it came: losses in one that is sent again count once.
        """
        ...

    def refused(self, *, reason: str, path: str, user_agent: str, key_start: str | None = None) -> None:
        """Count a request of which nothing was taken.

        Args:
            reason: a word in small letters.
            path: of its address, without the query, which holds the key.
            user_agent: as it says.
            key_start: the first characters of the key that was shown, where the key is what is wrong; empty
                for none. None where the key is right, or was never looked at.
        """
        ...

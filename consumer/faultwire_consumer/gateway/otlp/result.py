"""The bounds of an OTLP reader: all that it is told besides a body, and all that it gives."""

from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.access.token import may_speak_for
from faultwire_consumer.gateway.reading import Reading
from faultwire_shared.event import NAME_CHARACTERS, Sdk

UNKNOWN = "unknown_service"
"""What SDKs call a service that nobody named, alone or with its program: ``unknown_service:python``."""


class UnreadableOtlpError(Exception):
    """Nothing of the body can be read; the text says why. To be answered 400, which no exporter repeats."""


class OtlpContext(Struct, frozen=True, kw_only=True):
    """The sender of a request, and the time at which it came."""

    received_at: datetime
    service: str
    """Of resources that do not name theirs: the token's one service, else the token's name."""
    patterns: tuple[str, ...] = ()
    """Of the services that the token allows; none: every one."""
    sdk: Sdk | None = None
    """By the request's ``User-Agent``, for resources that do not name theirs: see `sdk_of_agent`."""
    is_fixed: bool = False
    """Every resource is of `service`, whatever it says: a DSN stands for one."""

    def service_of(self, given: str) -> str | None:
        """Return the service of a resource that calls itself so; None if the token does not allow it."""
        name = given.strip()[:NAME_CHARACTERS]
        if self.is_fixed or not name or name.partition(":")[0] == UNKNOWN:
            return self.service
        return name if may_speak_for(self.patterns, name) else None


class OtlpReading(Struct, frozen=True, kw_only=True):
    """All that one request held, and what it is answered if its events are kept."""

    reading: Reading
    answer: bytes
    """The body of a 200, in the request's own kind."""
    rejected: int = 0
    """Records that were not taken though they should be: not readable, too many, of a foreign service."""
    foreign: int = 0
    """Of those, the ones of services that the token does not allow."""
    foreign_service: str = ""
    """One of these services, as its resource names it."""

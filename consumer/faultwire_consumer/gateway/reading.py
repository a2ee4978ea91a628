"""The seam between readers of foreign protocols and the door: all that they give, and are given."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from faultwire_shared.event import ErrorSeverity, Sdk


class ReadingContext(Struct, frozen=True, kw_only=True):
    """A request as far as it is known besides its body."""

    service: str
    """Of the key or token that it was sent with; events do not say it."""
    received_at: datetime
    sdk: Sdk | None = None
    """By the request's headers, for events that do not name theirs."""
    address: str | None = None
    """The peer's, where it may be taken for a user's whose SDK asks for that; None where it may not."""


class ReadEvent(Struct, frozen=True, kw_only=True):
    """A foreign event as it goes on: wire version 1, on the same path as every event from here on."""

    id: str
    """``error_<UTC day>_<32 hex digits>``: the same for the same event sent again."""
    severity: ErrorSeverity
    body: bytes
    """Its JSON, of `EVENT_BYTES` at most; not scrubbed yet, and it does not say that it is."""
    sdk: Sdk
    """The library that made it."""
    service: str = ""
    """Of whom it is, where one request may hold events of several; empty: of the context's."""


class ClientLoss(Struct, frozen=True, kw_only=True):
    """Events that an SDK says it dropped before they came here."""

    reason: str
    """The SDK's word, as in ``ratelimit_backoff``; of `NAME_CHARACTERS` at most."""
    category: str
    """Sentry's data category, as in ``error``."""
    count: int


class Reading(Struct, kw_only=True):
    """All that one request held."""

    events: list[ReadEvent] = field(default_factory=list)
    dropped: Mapping[str, int] = field(default_factory=dict)
    """Items of kinds that are not stored, by kind: on purpose, and told in the answer."""
    losses: list[ClientLoss] = field(default_factory=list)
    broken: int = 0
    """Items and records that could not be read; their neighbours could."""
    sdk: Sdk | None = None

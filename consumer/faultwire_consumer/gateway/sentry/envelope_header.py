"""The first line of an envelope: what is said once for all of its items."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from faultwire_shared.event import Sdk


class EnvelopeHeader(Struct, frozen=True, kw_only=True):
    """Named as in Sentry's developer documentation ("Envelopes"); everything may be absent."""

    event_id: str | None = None
    """32 small hex digits: command-line tools send it with hyphens."""
    sent_at: datetime | None = None
    """By the sender's clock, so that its distance from ours is known."""
    dsn: str | None = None
    sdk: Sdk | None = None
    trace: Mapping[str, Any] = field(default_factory=dict)
    """The trace that the items belong to: ``trace_id``, ``environment``, ``release`` and more."""

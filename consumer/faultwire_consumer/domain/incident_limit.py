"""When too many new incidents of one kind open at once, and where their events go then.

A service whose errors differ each time (an explicit fingerprint with an id in it, generated code,
an attacker) would open an incident for each event. Beyond a number a minute of one service and
exception type, one overflow incident takes the rest; what is known already is never diverted.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.fingerprint import Fingerprint, fingerprint_of

NEW_INCIDENTS_PER_MINUTE: Final = 500
OVERFLOW_CODE: Final = "INCIDENT_OVERFLOW"
"""The code of every overflow incident: what lists and filters know it by."""

_MINUTE: Final = timedelta(minutes=1)


class IncidentBurst(Struct, frozen=True):
    """New incidents of one service and type in the minute that began with the first of them."""

    began_at: datetime
    opened: int = 0
    diverted: int = 0


class IncidentAdmission(Struct, frozen=True):
    """How many of those that want to may open incidents, and whether that is worth a line in the log."""

    opened: int
    diverted: int
    burst: IncidentBurst
    begins: bool
    """It is the first of its burst that lets some through no more."""


def admit(burst: IncidentBurst | None, wanted: int, *, limit: int, now: datetime) -> IncidentAdmission:
    """Let new incidents open as long as the minute has room; a burst ends with a minute that diverts none.

    Args:
        burst: what came before of this service and type; None where nothing did.
        wanted: how many fingerprints were never seen.
        limit: new incidents a minute.
        now: when.
    """
    overflowing = burst is not None and burst.diverted > 0
    if burst is None or not timedelta() <= now - burst.began_at < _MINUTE:
        overflowing = overflowing and burst is not None and now - burst.began_at < 2 * _MINUTE
        burst = IncidentBurst(now)
    opened = min(wanted, max(0, limit - burst.opened))
    diverted = wanted - opened
    after = IncidentBurst(burst.began_at, burst.opened + opened, burst.diverted + diverted)
    return IncidentAdmission(opened, diverted, after, begins=diverted > 0 and not overflowing)


def overflow_of(service: str, kind: str) -> Fingerprint:
    """The fingerprint of what overflows; its parts say so to whoever asks why."""
    return fingerprint_of([f"service {service}", "overflow of new incidents", f"type {kind}"])


def overflow_title(kind: str) -> str:
    """What an overflow incident is called."""
    return f"Too many new incidents at once: {kind or 'messages'}"

"""The limit on new incidents of one kind, and the overflow incident that takes the rest.

A service whose errors differ each time (an explicit fingerprint with an id in it, generated code,
an attacker) would open an incident for each event. Beyond a number per minute for one service and
exception type, one overflow incident takes the rest; a known fingerprint is never diverted. The
same holds for services that were never heard of: beyond a number per minute one incident takes their
events.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.fingerprint import VERSION
from faultwire_consumer.domain.grouping.material import Fingerprint, fingerprint_of

NEW_INCIDENTS_PER_MINUTE: Final = 500
NEW_SERVICES_PER_MINUTE: Final = 200
"""The limit above is of one service; who may publish may name any number of services."""
OWN_SERVICE: Final = "faultwire"
OVERFLOW_CODE: Final = "INCIDENT_OVERFLOW"
"""The code of every overflow incident, by which lists and filters find it."""

_MINUTE: Final = timedelta(minutes=1)


class IncidentBurst(Struct, frozen=True):
    """New incidents of one service and type in the minute that began with the first one."""

    began_at: datetime
    opened: int = 0
    diverted: int = 0


class IncidentAdmission(Struct, frozen=True):
    """Number of fingerprints that may open incidents, and whether that is worth a log line."""

    opened: int
    diverted: int
    burst: IncidentBurst
    begins: bool
    """True for the first admission of its burst that diverts some."""


def admit(burst: IncidentBurst | None, wanted: int, *, limit: int, now: datetime) -> IncidentAdmission:
    """Let new incidents open while the minute has room; a burst ends with a minute that diverts none.

    Args:
        burst: the current burst of this service and type; None if there is none.
        wanted: number of fingerprints never seen before.
        limit: new incidents per minute.
        now: the current time.
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
    """Build the fingerprint of the overflow incident; its parts give the reason."""
    return fingerprint_of([f"service {service}", "overflow of new incidents", f"type {kind}"], VERSION)


def overflow_of_services() -> Fingerprint:
    """Build the fingerprint of the incident that takes the events of too many new services."""
    return fingerprint_of([f"service {OWN_SERVICE}", "overflow of new services"], VERSION)


SERVICES_TITLE: Final = "Too many new services at once"


def overflow_title(kind: str) -> str:
    """Return the title of an overflow incident."""
    return f"Too many new incidents at once: {kind or 'messages'}"

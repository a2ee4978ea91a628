"""An incident as a batch leaves it, for pure decisions."""

from datetime import UTC, datetime
from typing import Any, Final

from faultwire_consumer.domain.incident import IncidentState, Status, Touched
from faultwire_consumer.domain.incident_terms import NO_TERMS
from faultwire_shared.event import ErrorSeverity

NOON: Final = datetime(2026, 11, 23, 12, tzinfo=UTC)


def touched(**fields: Any) -> Touched:
    """An open incident of high severity that a batch has just added an event to; fields given replace."""
    values: dict[str, Any] = {
        "incident_id": 7,
        "status": Status.OPEN,
        "episode": 1,
        "first_sight": False,
        "severity_before": ErrorSeverity.HIGH,
        "severity": ErrorSeverity.HIGH,
        "count_before": 5,
        "count": 6,
        "resolved_at": None,
        "newest_at": NOON,
        "newest_event_id": "error_20261123_abcdefgh",
    }
    return Touched(**(values | fields))


def standing(**fields: Any) -> IncidentState:
    """An open incident of high severity as an operator's verb finds it; fields given replace."""
    values: dict[str, Any] = {
        "incident_id": 7,
        "status": Status.OPEN,
        "episode": 1,
        "service": "billing",
        "severity": ErrorSeverity.HIGH,
        "count": 6,
        "resolved_at": None,
        "assignee": None,
        "terms": NO_TERMS,
        "version": 3,
        "merged_into": None,
    }
    return IncidentState(**(values | fields))

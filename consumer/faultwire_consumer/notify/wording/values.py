"""Values that a template is given: plain data, each text of a stranger on one line and bounded."""

from datetime import datetime
from typing import Any, Final

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.digest.view import facts_in
from faultwire_consumer.notify.message import happened
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.plain_text import format_time
from faultwire_consumer.notify.wording.digest_values import digest_values, service_count
from faultwire_consumer.notify.wording.show import (
    LINE_CHARACTERS,
    LINK_CHARACTERS,
    NAME_CHARACTERS,
    TITLE_CHARACTERS,
    Show,
    clean_line,
)

INCIDENTS_SHOWN: Final = 50
"""Incidents of a summary that are given whole; the others by their ids."""
IDS_SHOWN: Final = 200
_TEXTS: Final = ("service", "environment", "category", "code", "release", "culprit")


def values_of(notification: Notification, *, show: Show = clean_line) -> dict[str, Any]:
    """Return what templates are given of a notification, as the worker's guide lists it."""
    shown = notification.incidents[:INCIDENTS_SHOWN]
    rest = notification.incidents[INCIDENTS_SHOWN:]
    is_digest = notification.kind is NotificationKind.DIGEST
    facts = facts_in(notification) if is_digest else None
    return {
        "kind": notification.kind.value,
        "reason": notification.reason.value,
        "happened": happened(notification),
        "severity": notification.severity.value,
        "rule": show(notification.rule, NAME_CHARACTERS),
        "receiver": show(notification.receiver, NAME_CHARACTERS),
        "detail": show(notification.detail, LINE_CHARACTERS),
        "created_at": format_time(notification.created_at),
        "since": _time(notification.since),
        "until": _time(notification.until),
        "frames": [show(one, LINE_CHARACTERS) for one in notification.frames],
        "page": show(notification.public_url or "", LINK_CHARACTERS),
        "incidents": [] if is_digest else [_incident(notification, one, show) for one in shown],
        "more": [] if is_digest else [one.id for one in rest[:IDS_SHOWN]],
        "more_count": 0 if is_digest else len(rest),
        "incident_count": facts.tally.incidents if facts is not None else len(notification.incidents),
        "service_count": (
            service_count(facts)
            if facts is not None
            else len({one.service for one in notification.incidents})
        ),
        "digest": digest_values(notification, show) if is_digest else None,
    }


def _incident(notification: Notification, incident: NotifiedIncident, show: Show) -> dict[str, Any]:
    texts = {name: show(getattr(incident, name) or "", LINE_CHARACTERS) for name in _TEXTS}
    return {
        **texts,
        "id": incident.id,
        "title": show(incident.title, TITLE_CHARACTERS),
        "severity": incident.severity.value,
        "status": incident.status.value,
        "reason": incident.reason.value.replace("_", " "),
        "count": incident.count,
        "recent_count": incident.recent_count,
        "events": incident.count if incident.recent_count is None else incident.recent_count,
        "first_seen_at": format_time(incident.first_seen_at),
        "last_seen_at": format_time(incident.last_seen_at),
        "event_id": show(incident.event_id or "", NAME_CHARACTERS),
        "link": show(notification.link_of(incident) or "", LINK_CHARACTERS),
        "issue": show(incident.issue or "", LINK_CHARACTERS),
        "event_link": show(notification.event_link_of(incident) or "", LINK_CHARACTERS),
        "muted": show(incident.muted or "", NAME_CHARACTERS),
        "held_back": incident.held_back,
        "silenced": incident.silenced,
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else format_time(at)

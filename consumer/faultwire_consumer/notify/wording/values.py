"""Values that a template is given: plain data, each text of a stranger on one line and bounded."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.digest import Tally, digest_subject, events_of, tally_of
from faultwire_consumer.notify.message import happened
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_consumer.notify.plain_text import format_time
from faultwire_shared.text import printable

INCIDENTS_SHOWN: Final = 50
"""Incidents of a summary that are given whole; the others by their ids."""
IDS_SHOWN: Final = 200
SECTION_SHOWN: Final = 20
SERVICES_SHOWN: Final = 8
SILENCES_SHOWN: Final = 20
LINE_CHARACTERS: Final = 500
TITLE_CHARACTERS: Final = 300
NAME_CHARACTERS: Final = 100
LINK_CHARACTERS: Final = 500
_TEXTS: Final = ("service", "environment", "category", "code", "release", "culprit")
_NEW: Final = NotificationReason.NEW
_REGRESSED: Final = NotificationReason.REGRESSED

Show = Callable[[str, int], str]
"""Makes a stranger's text safe for one surface, in at most so many characters."""


def clean_line(text: str, maximum: int) -> str:
    """Escape control characters and line breaks; cut the text at ``maximum`` characters."""
    cleaned = printable(text[: maximum + 1])
    return cleaned if len(cleaned) <= maximum else f"{cleaned[: maximum - 1]}…"


def values_of(notification: Notification, *, show: Show = clean_line) -> dict[str, Any]:
    """Return what templates are given of a notification, as the worker's guide lists it."""
    shown = notification.incidents[:INCIDENTS_SHOWN]
    rest = notification.incidents[INCIDENTS_SHOWN:]
    is_digest = notification.kind is NotificationKind.DIGEST
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
        "incident_count": len(notification.incidents),
        "service_count": len({one.service for one in notification.incidents}),
        "digest": _digest(notification, show) if is_digest else None,
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
        "events": events_of(incident),
        "first_seen_at": format_time(incident.first_seen_at),
        "last_seen_at": format_time(incident.last_seen_at),
        "event_id": show(incident.event_id or "", NAME_CHARACTERS),
        "link": show(notification.link_of(incident) or "", LINK_CHARACTERS),
        "event_link": show(notification.event_link_of(incident) or "", LINK_CHARACTERS),
        "muted": show(incident.muted or "", NAME_CHARACTERS),
        "held_back": incident.held_back,
        "silenced": incident.silenced,
    }


def _digest(notification: Notification, show: Show) -> dict[str, Any]:
    incidents = notification.incidents
    return {
        "subject": show(digest_subject(notification), LINE_CHARACTERS),
        **_tally(tally_of(incidents)),
        "services": list(_services(incidents, show)),
        "more_services": max(0, len({one.service for one in incidents}) - SERVICES_SHOWN),
        "sections": list(_sections(notification, show)),
        "silences": [_silence(one, show) for one in notification.silences[:SILENCES_SHOWN]],
    }


def _tally(tally: Tally) -> dict[str, Any]:
    return {name: getattr(tally, name) for name in Tally.__struct_fields__}


def _services(incidents: Sequence[NotifiedIncident], show: Show) -> Iterator[dict[str, Any]]:
    """List the services with the most events, each with its share of the first one's for a bar."""
    by_service: dict[str, list[NotifiedIncident]] = defaultdict(list)
    for incident in incidents:
        by_service[incident.service].append(incident)
    tallies = {service: tally_of(those) for service, those in by_service.items()}
    ranked = sorted(tallies, key=lambda service: (-tallies[service].events, service))[:SERVICES_SHOWN]
    most = max((tallies[service].events for service in ranked), default=0)
    for service in ranked:
        share = round(100 * tallies[service].events / most) if most else 0
        yield {"name": show(service, NAME_CHARACTERS), "share": max(1, share), **_tally(tallies[service])}


def _sections(notification: Notification, show: Show) -> Iterator[dict[str, Any]]:
    for heading, incidents in _sorted_out(notification.incidents):
        if not incidents:
            continue
        ranked = sorted(incidents, key=lambda one: (-events_of(one), -one.severity.rank, one.id))
        rest = ranked[SECTION_SHOWN:]
        yield {
            "heading": heading,
            "total": len(incidents),
            "incidents": [_incident(notification, one, show) for one in ranked[:SECTION_SHOWN]],
            "more": len(rest),
            "more_events": sum(map(events_of, rest)),
        }


def _sorted_out(incidents: Sequence[NotifiedIncident]) -> Iterator[tuple[str, list[NotifiedIncident]]]:
    loud = [one for one in incidents if one.muted is None and not one.silenced]
    yield "New", [one for one in loud if one.reason is _NEW]
    yield "Came back", [one for one in loud if one.reason is _REGRESSED]
    yield "Went on", [one for one in loud if one.reason not in (_NEW, _REGRESSED)]
    yield "Silenced", [one for one in incidents if one.muted is None and one.silenced]
    yield "Muted", [one for one in incidents if one.muted is not None]


def _silence(silence: SilencedPart, show: Show) -> dict[str, Any]:
    return {
        "id": silence.silence_id,
        "author": show(silence.author, NAME_CHARACTERS),
        "comment": show(silence.comment, LINE_CHARACTERS),
        "notifications": silence.notifications,
        "incidents": silence.incidents,
    }


def _time(at: datetime | None) -> str:
    return "" if at is None else format_time(at)

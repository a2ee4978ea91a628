"""Turns a notification of the outbox into the one that senders receive: each incident stands in it once."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import structs

from faultwire_consumer.domain.digest.facts import COUNTED, DigestFacts, DigestLine
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.incident_terms import describe_mute
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.silence.matcher import read_facts
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_consumer.store.outbox.content import Content, IncidentLine

_BY_IMPORTANCE: Final = (
    NotificationReason.REGRESSED,
    NotificationReason.NEW,
    NotificationReason.SEVERITY_ROSE,
    NotificationReason.UNMUTED,
    NotificationReason.THRESHOLD,
    NotificationReason.GROWTH,
)
_EVENTS: Final = " events"


def notification_of(content: Content, *, public_url: str | None = None) -> Notification:
    """Build the notification; its incidents are as they are now, those of a digest as they were then."""
    digest = content.digest
    by_incident = _by_incident(content.lines)
    incidents = [_incident(lines) for lines in by_incident] if digest is None else _incidents_of(digest)
    if content.kind is not NotificationKind.DIGEST:
        incidents.sort(key=lambda one: (-one.severity.rank, _importance(one.reason)))
    alone = len(by_incident) == 1 and content.kind is not NotificationKind.DIGEST
    is_single = alone and content.kind is NotificationKind.SUMMARY and not content.more_count
    return Notification(
        idempotency_key=content.idempotency_key,
        kind=NotificationKind.INCIDENT if is_single else content.kind,
        reason=incidents[0].reason if is_single else _reason_of(content),
        rule=content.rule,
        receiver=content.receiver,
        severity=max(
            (incident.severity for incident in incidents),
            key=lambda severity: severity.rank,
            default=content.severity,
        ),
        incidents=tuple(incidents),
        created_at=content.created_at,
        detail=_detail_of(content, by_incident[0] if alone else None),
        since=content.since,
        until=content.until,
        silences=tuple(
            SilencedPart(**structs.asdict(one)) for one in (digest.silences if digest is not None else ())
        ),
        digest=digest,
        public_url=public_url,
        number=content.id or None,
        more_count=content.more_count,
    )


def _by_incident(lines: Iterable[IncidentLine]) -> list[list[IncidentLine]]:
    """Gather what happened to each incident, the first thing first; incidents keep their order."""
    found: dict[int, list[IncidentLine]] = {}
    for line in lines:
        found.setdefault(line.incident_id, []).append(line)
    return [sorted(those, key=lambda line: line.created_at) for those in found.values()]


def _reason_of(content: Content) -> NotificationReason:
    """Return the reason; a summary's is the storm that caused it, else the most important one in it."""
    if content.kind is not NotificationKind.SUMMARY:
        return content.reason
    if content.urgent and not content.was_quiet:
        return NotificationReason.STORM
    return min((line.reason for line in content.lines), key=_importance, default=content.reason)


def _importance(reason: NotificationReason) -> int:
    return _BY_IMPORTANCE.index(reason) if reason in _BY_IMPORTANCE else len(_BY_IMPORTANCE)


def _incident(lines: Sequence[IncidentLine]) -> NotifiedIncident:
    line = lines[-1]
    reasons = tuple(dict.fromkeys(one.reason for one in lines))
    return NotifiedIncident(
        id=incident_name(line.incident_id),
        reason=min(reasons, key=_importance),
        severity=line.severity,
        status=line.status,
        title=line.title,
        service=line.service,
        count=line.count,
        episode=line.episode,
        first_seen_at=line.first_seen_at,
        last_seen_at=line.last_seen_at,
        recent_count=line.events,
        culprit=line.culprit,
        environment=_environment_of(lines),
        category=line.category,
        code=line.code,
        release=line.last_release,
        event_id=line.event_id,
        muted=None if line.terms.mute is None else describe_mute(line.terms.mute),
        issue=line.terms.link,
        reasons=reasons if len(lines) > 1 else (),
        happened=_happened(lines) if len(lines) > 1 else "",
    )


def _incidents_of(digest: DigestFacts) -> list[NotifiedIncident]:
    counted = (section for section in digest.sections if section.kind in COUNTED)
    return [_incident_of(line) for section in counted for line in section.lines]


def _incident_of(line: DigestLine) -> NotifiedIncident:
    """Return the incident as it was when the digest was made."""
    return NotifiedIncident(
        id=incident_name(line.incident_id),
        reason=line.reason,
        severity=line.severity,
        status=line.status,
        title=line.title,
        service=line.service,
        count=line.count,
        first_seen_at=line.first_seen_at,
        last_seen_at=line.last_seen_at,
        recent_count=line.events,
        culprit=line.culprit,
        environment=line.where,
        category=line.category,
        code=line.code,
        release=line.release,
        event_id=line.event_id,
        muted=line.muted,
        held_back=line.held_back + line.inhibited,
        silenced=line.silenced,
    )


def _environment_of(lines: Sequence[IncidentLine]) -> str:
    """Return the environment of the newest event of which it is known."""
    for line in reversed(lines):
        with suppress(msgspec.MsgspecError):  # a later release may write them otherwise
            if line.facts is not None and (known := read_facts(line.facts, line.severity).environment):
                return known
    return ""


def _happened(lines: Sequence[IncidentLine]) -> str:
    """Say what happened in its order: ``new, then grew past 10 and 100``."""
    numbers = _numbers_of(lines)
    words = dict.fromkeys(
        f"grew past {numbers}"
        if line.reason is NotificationReason.GROWTH and numbers
        else line.reason.replace("_", " ")
        for line in lines
    )
    return ", then ".join(words)


def _detail_of(content: Content, alone: Sequence[IncidentLine] | None) -> str:
    """Return the rule's sentence of an incident that is alone, and that its receiver had quiet hours."""
    held = "Held back until the quiet hours were over." if content.was_quiet else ""
    return "; ".join(filter(None, ("" if alone is None else _sentence_of(content, alone), held)))


def _sentence_of(content: Content, lines: Sequence[IncidentLine]) -> str:
    """Return the rule's sentence; of growth that was told together, all the counts that were passed."""
    numbers = _numbers_of(lines)
    return (
        f"{numbers}{_EVENTS}" if numbers and content.reason is NotificationReason.GROWTH else content.detail
    )


def _numbers_of(lines: Sequence[IncidentLine]) -> str:
    """Return the counts that an incident passed: ``10, 100 and 1,000``."""
    grown = [line.detail.removesuffix(_EVENTS) for line in lines if line.reason is NotificationReason.GROWTH]
    *others, last = list(dict.fromkeys(filter(None, grown))) or [""]
    return f"{', '.join(others)} and {last}" if others else last

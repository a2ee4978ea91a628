"""Turns a notification of the outbox into the one that senders receive."""

from msgspec import structs

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.incident_terms import describe_mute
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_consumer.store.outbox.content import Content, IncidentLine

_BY_IMPORTANCE = (
    NotificationReason.REGRESSED,
    NotificationReason.NEW,
    NotificationReason.SEVERITY_ROSE,
)


def notification_of(content: Content, *, public_url: str | None = None) -> Notification:
    """Build the notification; its incidents are as they are now, even at a second attempt."""
    incidents = tuple(_incident(line) for line in content.lines)
    alone = len(incidents) == 1
    return Notification(
        idempotency_key=content.idempotency_key,
        kind=content.kind,
        reason=_reason_of(content),
        rule=content.rule,
        receiver=content.receiver,
        severity=max(
            (incident.severity for incident in incidents),
            key=lambda severity: severity.rank,
            default=content.severity,
        ),
        incidents=incidents,
        created_at=content.created_at,
        detail=content.detail if alone else "",
        since=content.since,
        until=content.until,
        silences=tuple(SilencedPart(**structs.asdict(one)) for one in content.silences),
        public_url=public_url,
    )


def _reason_of(content: Content) -> NotificationReason:
    """Return the reason; a summary's is the storm that caused it, else the most important one in it."""
    if content.kind is not NotificationKind.SUMMARY:
        return content.reason
    if content.urgent:
        return NotificationReason.STORM
    reasons = {line.reason for line in content.lines}
    return next((reason for reason in _BY_IMPORTANCE if reason in reasons), content.reason)


def _incident(line: IncidentLine) -> NotifiedIncident:
    return NotifiedIncident(
        id=incident_name(line.incident_id),
        reason=line.reason,
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
        category=line.category,
        code=line.code,
        release=line.last_release,
        event_id=line.event_id,
        muted=None if line.terms.mute is None else describe_mute(line.terms.mute),
        held_back=line.held_back,
        silenced=line.silenced,
    )

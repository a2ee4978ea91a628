"""One notification of each kind, for trying templates before anything happened."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from faultwire_consumer.domain.digest.facts import DigestChart, DigestFacts, DigestLine, DigestTally, HeldSum
from faultwire_consumer.domain.digest.sorting import facts_of
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.notify.notification import Notification, NotifiedIncident, SilencedPart
from faultwire_shared.event import ErrorSeverity

_REASONS = (NotificationReason.NEW, NotificationReason.REGRESSED, NotificationReason.CONTINUED)


def sample_notifications(receiver: str, *, at: datetime) -> Sequence[Notification]:
    """Make one of each kind, a digest of nothing too."""
    incidents = tuple(_incident(number, reason, at) for number, reason in enumerate(_REASONS, start=1))
    silence = SilencedPart(silence_id=1, author="ada", comment="deploy", notifications=3, incidents=2)
    day = {"since": at - timedelta(days=1), "until": at, "reason": NotificationReason.SCHEDULED}
    kinds = NotificationKind
    return (
        _notification(kinds.INCIDENT, receiver, at, incidents=incidents[:1]),
        _notification(kinds.SUMMARY, receiver, at, incidents=incidents, reason=NotificationReason.STORM),
        _notification(
            kinds.DIGEST, receiver, at, incidents=incidents, silences=(silence,), digest=_facts(at), **day
        ),
        _notification(kinds.DIGEST, receiver, at, **day),
        _notification(kinds.TEST, receiver, at, reason=NotificationReason.REQUESTED),
    )


def _notification(kind: NotificationKind, receiver: str, at: datetime, **given: object) -> Notification:
    usual = {"reason": NotificationReason.NEW, "incidents": (), "frames": ("billing/pay.py:10 in charge",)}
    return Notification(
        idempotency_key=f"sample:{kind}",
        kind=kind,
        rule="sample",
        receiver=receiver,
        severity=ErrorSeverity.HIGH,
        created_at=at,
        public_url="https://errors.example.com",
        **usual | given,  # type: ignore[arg-type]  # each caller's own fields
    )


def _facts(at: datetime) -> DigestFacts:
    facts = facts_of([_line(number, reason, at) for number, reason in enumerate(_REASONS, start=1)])
    start = at - timedelta(days=1)
    return replace(
        facts,
        before=DigestTally(incidents=2, events=60, new=1),
        releases=facts.services,
        chart=DigestChart(starts_at=start, step_seconds=3600, counts=(0, 40, 80, 0) * 6),
        held=(HeldSum(reason=StageReason.SILENCED.value, notifications=3, incidents=2),),
    )


def _line(number: int, reason: NotificationReason, at: datetime) -> DigestLine:
    return DigestLine(
        incident_id=number,
        reason=reason,
        severity=ErrorSeverity.HIGH,
        status=Status.OPEN,
        title="ConnectionRefusedError: port 4000 in charge.<locals>.pay",
        service="billing",
        category="external",
        code="CARD_GATEWAY_DOWN",
        culprit="billing.pay in charge",
        release="1.2.0",
        count=1200,
        events=40,
        events_before=20,
        first_seen_at=at - timedelta(hours=3),
        last_seen_at=at,
        event_id="error_20261123_k3v9x2m7q4w8r1t6",
    )


def _incident(number: int, reason: NotificationReason, at: datetime) -> NotifiedIncident:
    return NotifiedIncident(
        id=f"INC-{number}",
        reason=reason,
        severity=ErrorSeverity.HIGH,
        status=Status.OPEN,
        title="ConnectionRefusedError: port 4000 in charge.<locals>.pay",
        service="billing",
        environment="production",
        category="external",
        code="CARD_GATEWAY_DOWN",
        culprit="billing.pay in charge",
        release="1.2.0",
        count=1200,
        recent_count=40,
        first_seen_at=at - timedelta(hours=3),
        last_seen_at=at,
        event_id="error_20261123_k3v9x2m7q4w8r1t6",
    )

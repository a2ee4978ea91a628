"""Notifications as the outbox hands them to senders."""

from datetime import UTC, datetime
from typing import Any

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_shared.event import ErrorSeverity

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def notified(number: int = 1, **fields: Any) -> NotifiedIncident:
    """An incident as a notification tells it; fields given replace."""
    given: dict[str, Any] = {
        "id": f"INC-{number}",
        "reason": NotificationReason.NEW,
        "severity": ErrorSeverity.CRITICAL,
        "status": Status.OPEN,
        "title": "ConnectionRefusedError: port 4000",
        "culprit": "billing.pay in charge",
        "service": "billing",
        "environment": "production",
        "category": "external",
        "code": "CARD_GATEWAY_DOWN",
        "release": "1.2.0",
        "count": 3,
        "first_seen_at": NOON,
        "last_seen_at": NOON,
        "event_id": "error_20261123_k3v9x2m7q4w8r1t6",
    }
    return NotifiedIncident(**given | fields)


def notification(*incidents: NotifiedIncident, **fields: Any) -> Notification:
    """A critical incident's first notification; fields given replace."""
    given: dict[str, Any] = {
        "idempotency_key": "n_17",
        "kind": NotificationKind.INCIDENT,
        "reason": NotificationReason.NEW,
        "rule": "critical at once",
        "receiver": "on-call",
        "severity": ErrorSeverity.CRITICAL,
        "incidents": incidents or (notified(),),
        "created_at": NOON,
        "public_url": "https://errors.example",
    }
    return Notification(**given | fields)


def digest(*incidents: NotifiedIncident, **fields: Any) -> Notification:
    """A day's digest that ends at nine."""
    given: dict[str, Any] = {
        "kind": NotificationKind.DIGEST,
        "reason": NotificationReason.SCHEDULED,
        "rule": "medium daily",
        "incidents": incidents,
        "since": datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
        "until": datetime(2026, 11, 23, 9, 0, tzinfo=UTC),
    }
    return notification(**given | fields)

"""Sends to the worker's own log: one structured line, for those who already watch it."""

from typing import Final

from faultwire_consumer.notify.message import message_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sent
from faultwire_shared.logging.level import LEVELS
from faultwire_shared.logging.logs import get_logger

INCIDENTS_SHOWN: Final = 20

log = get_logger(__name__)


class LogSender:
    """Writes ``notification.logged`` at the level of the notification's severity."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def send(self, notification: Notification) -> Outcome:
        """Write the line; it cannot fail unless logging does."""
        shown = notification.incidents[:INCIDENTS_SHOWN]
        log.log(
            LEVELS[notification.severity],
            "notification.logged",
            idempotency_key=notification.idempotency_key,
            kind=notification.kind,
            reason=notification.reason,
            rule=notification.rule,
            receiver=notification.receiver,
            severity=notification.severity,
            incidents=[incident.id for incident in shown],
            incident_count=len(notification.incidents),
            subject=message_of(notification).subject,
        )
        return Sent()

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""

"""Operators' actions on notifications: the one entry for command line, API and page."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from msgspec import structs

from faultwire_consumer.domain.sending import NotificationState, resend_refused
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox.queries import StoredNotification
from faultwire_consumer.store.outbox.resend import lock_notification, resend
from faultwire_shared.taxonomy import ConflictError, NotFoundError
from faultwire_shared.text import storable

RESEND_NOTE_CHARACTERS: Final = 500


class AlertNotFoundError(NotFoundError):
    """No notification has that id."""

    code = "ALERT_NOT_FOUND"


class AlertConflictError(ConflictError):
    """The notification is not in a state for that."""

    code = "ALERT_CONFLICT"


async def resend_notification(
    store: Store,
    notification_id: int,
    *,
    receivers: Collection[str],
    actor: str,
    now: datetime,
    note: str = "",
) -> StoredNotification:
    """Have a notification that was sent, given up or stopped sent again; return it as it waits.

    It keeps its idempotency key: it is the same notification, and a receiver that has it may pass over it.

    Args:
        store: has the outbox.
        notification_id: the notification.
        receivers: of the policy in use.
        actor: who asks; the trace keeps it.
        now: the time, at which it is due.
        note: why, for the trace.

    Raises:
        AlertNotFoundError: there is none of that id.
        AlertConflictError: it waits already, was told in another one, or its receiver is gone.
    """
    async with store.write() as tx:
        alert = await lock_notification(tx, notification_id)
        if alert is None:
            raise unknown_alert(notification_id)
        refused = resend_refused(
            alert.state, carrier_id=alert.carrier_id, has_receiver=alert.receiver in receivers
        )
        if refused is not None:
            raise AlertConflictError(f"notification {notification_id} is not sent again: {refused}")
        said = f"by {actor}{': ' if note else ''}{note}"
        await resend(tx, notification_id, detail=storable(said), now=now)
    return structs.replace(alert, state=NotificationState.WAITING, due_at=now, finished_at=None)


def unknown_alert(alert_id: int | str) -> AlertNotFoundError:
    """Build the error for an id without a notification."""
    return AlertNotFoundError(f"there is no alert {alert_id}")

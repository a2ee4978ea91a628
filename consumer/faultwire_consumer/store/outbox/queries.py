"""What operators read of the outbox: lists, one with all that became of it, and how much waits."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, func, select

from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import digest_lines, outbox, outbox_attempts, outbox_stages
from faultwire_shared.event import ErrorSeverity

_LISTING: Final = "alerts"
_CARRIED_SHOWN: Final = 1000


class NotificationFilter(Struct, frozen=True, kw_only=True):
    """Which notifications; within a field any of the values will do, and an empty field takes all."""

    state: tuple[NotificationState, ...] = ()
    receiver: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    severity: tuple[ErrorSeverity, ...] = ()
    incident: int | None = None


class StoredNotification(Struct, frozen=True, kw_only=True):
    """A notification of the outbox."""

    id: int
    idempotency_key: str
    receiver: str
    rule: str
    kind: str
    reason: str
    incident_id: int | None
    severity: ErrorSeverity
    event_id: str | None
    detail: str
    created_at: datetime
    due_at: datetime
    state: NotificationState
    state_reason: str | None
    carrier_id: int | None
    attempts: int
    attempted_at: datetime | None
    finished_at: datetime | None


class SendAttempt(Struct, frozen=True, kw_only=True):
    """One try to send."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    """None: it runs, or its worker died before it could tell."""
    outcome: str | None
    reason: str | None
    detail: str | None


class StageRow(Struct, frozen=True, kw_only=True):
    """What a stage decided."""

    at: datetime
    stage: str
    decision: str
    reason: str
    detail: str


class GroupedIncident(Struct, frozen=True, kw_only=True):
    """An incident that a notification tells of besides its own."""

    incident_id: int
    reason: str
    events: int | None
    """Since the digest before."""
    alert_id: int | None
    """The notification that is told with it."""


class Depth(Struct, frozen=True):
    """How much waits in the outbox."""

    waiting: int
    overdue_seconds: float


_COLUMNS: Final = tuple(outbox.c[name] for name in StoredNotification.__struct_fields__)
_ATTEMPT: Final = tuple(outbox_attempts.c[name] for name in SendAttempt.__struct_fields__)
_STAGE: Final = tuple(outbox_stages.c[name] for name in StageRow.__struct_fields__)


async def list_notifications(
    store: Store, wanted: NotificationFilter, *, limit: int, cursor: str | None = None
) -> Page[StoredNotification]:
    """Notifications that match, the newest first.

    Raises:
        BadCursorError: the cursor is none of this list.
    """
    statement = select(*_COLUMNS).where(*_conditions(wanted))
    if cursor is not None:
        statement = statement.where(outbox.c.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(outbox.c.id.desc()).limit(limit + 1))
    return cut([_alert(row) for row in rows], limit=limit, listing=_LISTING, moment="created_at", key="id")


async def get_notification(store: Store, alert_id: int) -> StoredNotification | None:
    """One notification."""
    rows = await store.read(select(*_COLUMNS).where(outbox.c.id == alert_id))
    return _alert(rows[0]) if rows else None


async def list_attempts(store: Store, alert_id: int) -> tuple[SendAttempt, ...]:
    """Every try to send it, the first one first."""
    rows = await store.read(
        select(*_ATTEMPT).where(outbox_attempts.c.outbox_id == alert_id).order_by(outbox_attempts.c.number)
    )
    return tuple(SendAttempt(**values_of(row)) for row in rows)


async def list_stages(store: Store, alert_id: int) -> tuple[StageRow, ...]:
    """What the stages decided of it, in their order."""
    rows = await store.read(
        select(*_STAGE).where(outbox_stages.c.outbox_id == alert_id).order_by(outbox_stages.c.id)
    )
    return tuple(StageRow(**values_of(row)) for row in rows)


async def list_told(store: Store, alert: StoredNotification) -> tuple[GroupedIncident, ...]:
    """What a summary or a digest tells of, up to a thousand incidents."""
    lines = await store.read(
        select(digest_lines.c.incident_id, digest_lines.c.reason, digest_lines.c.events)
        .where(digest_lines.c.outbox_id == alert.id)
        .order_by(digest_lines.c.events.desc(), digest_lines.c.incident_id)
        .limit(_CARRIED_SHOWN)
    )
    carried = await store.read(
        select(outbox.c.id, outbox.c.incident_id, outbox.c.reason)
        .where(outbox.c.carrier_id == alert.id)
        .order_by(outbox.c.id)
        .limit(_CARRIED_SHOWN)
    )
    told = [
        GroupedIncident(incident_id=row.incident_id, reason=row.reason, events=row.events, alert_id=None)
        for row in lines
    ]
    told += [
        GroupedIncident(incident_id=row.incident_id, reason=row.reason, events=None, alert_id=row.id)
        for row in carried
    ]
    return tuple(told)


async def measure_outbox(store: Store, *, now: datetime) -> Depth:
    """How many notifications wait, and how long the oldest that is due does."""
    (row,) = await store.read(
        select(
            func.count().label("waiting"),
            func.min(outbox.c.due_at, type_=outbox.c.due_at.type).label("oldest"),
        ).where(outbox.c.state == NotificationState.WAITING.value)
    )
    overdue = (now - row.oldest).total_seconds() if row.oldest is not None else 0.0
    return Depth(row.waiting, max(0.0, overdue))


def _conditions(wanted: NotificationFilter) -> list[ColumnElement[bool]]:
    choices = (
        (outbox.c.state, tuple(state.value for state in wanted.state)),
        (outbox.c.receiver, wanted.receiver),
        (outbox.c.rule, wanted.rule),
        (outbox.c.severity, tuple(severity.rank for severity in wanted.severity)),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in choices if values]
    if wanted.incident is not None:
        conditions.append(outbox.c.incident_id == wanted.incident)
    return conditions


def _alert(row: Row[Any]) -> StoredNotification:
    values = values_of(row)
    return StoredNotification(
        **values
        | {
            "severity": ErrorSeverity.from_rank(values["severity"]),
            "state": NotificationState(values["state"]),
        }
    )

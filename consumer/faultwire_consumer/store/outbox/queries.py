"""The outbox as operators read it: lists, one notification with its history, and how much waits."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, Select, and_, func, literal_column, select, true

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, StoreReader
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import digest_lines, outbox, outbox_attempts, outbox_stages
from faultwire_shared.event import ErrorSeverity

_LISTING: Final = "alerts"
_GROUPED_MAX: Final = 1000
GIVEN_UP_COUNTED: Final = 10_000
"""Where counting what was given up ends."""


class NotificationFilter(Struct, frozen=True, kw_only=True):
    """A filter of notifications: any of a field's values matches, and an empty field matches all."""

    state: tuple[NotificationState, ...] = ()
    kind: tuple[NotificationKind, ...] = ()
    receiver: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    severity: tuple[ErrorSeverity, ...] = ()
    incident: int | None = None
    silence: int | None = None
    """Stopped or held back by this one."""
    carrier: int | None = None
    """Told in this notification, a summary."""
    is_own: bool = False
    """Only such as go out by themselves, and not in another."""


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
    silence_id: int | None = None
    """The silence that stopped it, or holds it back."""
    resent_at: datetime | None = None
    """Since an operator had it sent again."""
    since: datetime | None = None
    """The beginning of a digest's period, by commit."""
    until: datetime | None = None
    """The end of it."""


class SendAttempt(Struct, frozen=True, kw_only=True):
    """One attempt to send a notification."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    """None if it is running, or its worker died before it could record the end."""
    outcome: str | None
    reason: str | None
    detail: str | None


class StageRow(Struct, frozen=True, kw_only=True):
    """A stage's decision on a notification."""

    at: datetime
    stage: str
    decision: str
    reason: str
    detail: str


class GroupedIncident(Struct, frozen=True, kw_only=True):
    """An incident in a summary or digest besides the notification's own."""

    incident_id: int
    reason: str
    events: int | None
    """The number since the previous digest."""
    notification_id: int | None
    """The notification that was grouped into the summary; None in a digest."""


class TellingFacts(Struct, frozen=True, kw_only=True):
    """Facts that a list tells of notifications beside their rows, each by its id."""

    incidents: dict[int, int]
    """How many incidents a summary or digest tells of besides its own."""
    failures: dict[int, str]
    """What the last attempt failed with, of those that were given up."""
    titles: dict[int, str]
    """Of the incidents, by theirs."""


class Depth(Struct, frozen=True):
    """The amount that waits in the outbox."""

    waiting: int
    overdue_seconds: float


COLUMNS: Final = tuple(outbox.c[name] for name in StoredNotification.__struct_fields__)
_ATTEMPT: Final = tuple(outbox_attempts.c[name] for name in SendAttempt.__struct_fields__)
_STAGE: Final = tuple(outbox_stages.c[name] for name in StageRow.__struct_fields__)


async def list_notifications(
    store: StoreReader, wanted: NotificationFilter, *, limit: int, cursor: str | None = None
) -> Page[StoredNotification]:
    """List notifications that match, the newest first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    statement = select(*COLUMNS).where(*_conditions(wanted))
    if cursor is not None:
        statement = statement.where(outbox.c.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(outbox.c.id.desc()).limit(limit + 1))
    return cut(
        [notification_from(row) for row in rows], limit=limit, listing=_LISTING, moment="created_at", key="id"
    )


async def get_notification(store: Store, notification_id: int) -> StoredNotification | None:
    """Return one notification."""
    rows = await store.read(select(*COLUMNS).where(outbox.c.id == notification_id))
    return notification_from(rows[0]) if rows else None


async def list_attempts(store: Store, notification_id: int) -> tuple[SendAttempt, ...]:
    """List every attempt to send a notification, the first one first."""
    rows = await store.read(
        select(*_ATTEMPT)
        .where(outbox_attempts.c.outbox_id == notification_id)
        .order_by(outbox_attempts.c.number)
    )
    return tuple(SendAttempt(**values_of(row)) for row in rows)


async def list_stages(store: Store, notification_id: int) -> tuple[StageRow, ...]:
    """List what the stages decided on a notification, in their order."""
    rows = await store.read(
        select(*_STAGE).where(outbox_stages.c.outbox_id == notification_id).order_by(outbox_stages.c.id)
    )
    return tuple(StageRow(**values_of(row)) for row in rows)


async def list_grouped_incidents(
    store: Store, notification: StoredNotification
) -> tuple[GroupedIncident, ...]:
    """List the incidents in a summary or digest, up to a thousand."""
    lines = await store.read(
        select(digest_lines.c.incident_id, digest_lines.c.reason, digest_lines.c.events)
        .where(digest_lines.c.outbox_id == notification.id)
        .order_by(digest_lines.c.events.desc(), digest_lines.c.incident_id)
        .limit(_GROUPED_MAX)
    )
    grouped = await store.read(
        select(outbox.c.id, outbox.c.incident_id, outbox.c.reason)
        .where(outbox.c.carrier_id == notification.id)
        .order_by(outbox.c.id)
        .limit(_GROUPED_MAX)
    )
    found = [
        GroupedIncident(
            incident_id=row.incident_id, reason=row.reason, events=row.events, notification_id=None
        )
        for row in lines
    ]
    found += [
        GroupedIncident(incident_id=row.incident_id, reason=row.reason, events=None, notification_id=row.id)
        for row in grouped
    ]
    return tuple(found)


async def read_telling_facts(store: Store, rows: Sequence[StoredNotification]) -> TellingFacts:
    """Read what a list says of notifications beside their rows, in four statements for any number.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    ids = [row.id for row in rows]
    given_up = [row.id for row in rows if row.state is NotificationState.GIVEN_UP and row.attempts]
    named = sorted({row.incident_id for row in rows if row.incident_id is not None})
    counted: dict[int, int] = {}
    for statement in (_count_carried(ids), _count_lines(ids)) if ids else ():
        for row in await store.read(statement):
            counted[row.id] = counted.get(row.id, 0) + row.total
    failures = await store.read(_select_last_failures(given_up)) if given_up else ()
    table = incidents.c
    titles = await store.read(select(table.id, table.title).where(table.id.in_(named))) if named else ()
    return TellingFacts(
        incidents=counted,
        failures={row.id: row.detail or row.reason or "" for row in failures},
        titles={row.id: row.title for row in titles},
    )


def _count_carried(ids: Sequence[int]) -> Select[Any]:
    """Count the incidents that summaries tell of, each once, besides their own."""
    carried, carrier = outbox.alias("carried"), outbox
    return (
        select(carried.c.carrier_id.label("id"), func.count(carried.c.incident_id.distinct()).label("total"))
        .join_from(carried, carrier, carrier.c.id == carried.c.carrier_id)
        .where(carried.c.carrier_id.in_(ids), carried.c.incident_id != carrier.c.incident_id)
        .group_by(carried.c.carrier_id)
    )


def _count_lines(ids: Sequence[int]) -> Select[Any]:
    column = digest_lines.c.outbox_id
    return select(column.label("id"), func.count().label("total")).where(column.in_(ids)).group_by(column)


def _select_last_failures(ids: Sequence[int]) -> Select[Any]:
    """Select the last attempt of each, by its number in the notification's own row."""
    attempt = outbox_attempts.c
    return (
        select(outbox.c.id, attempt.reason, attempt.detail)
        .join_from(
            outbox,
            outbox_attempts,
            and_(attempt.outbox_id == outbox.c.id, attempt.number == outbox.c.attempts),
        )
        .where(outbox.c.id.in_(ids))
    )


async def count_given_up(store: Store, *, since: datetime) -> int:
    """Count the notifications that were given up since then and not sent again; ten thousand at most.

    What was to go out in another is no other's worry: it goes with that one.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    return int((await store.read(select_given_up(since)))[0].total)


def select_given_up(since: datetime) -> Select[Any]:
    """Select their number, by the index of what was given up."""
    # Written out, so that the partial index is taken whatever the plan.
    is_given_up: ColumnElement[bool] = outbox.c.state == literal_column(f"'{NotificationState.GIVEN_UP}'")
    # As a sum, which no index has: by that of carriers SQLite would look through all that have none.
    is_own = (outbox.c.carrier_id + 0).is_(None)
    found = select(outbox.c.id).where(is_given_up, outbox.c.finished_at >= since, is_own)
    return select(func.count().label("total")).select_from(found.limit(GIVEN_UP_COUNTED).subquery())


async def measure_outbox(store: Store, *, now: datetime, receivers: Collection[str] | None = None) -> Depth:
    """Measure how many notifications wait, and for how long the oldest has been due.

    Args:
        store: holds the outbox.
        now: the time.
        receivers: those that count for what is overdue; None: all. What waits for one that the policy no
            longer has is given up after an hour, and holds nobody up.
    """
    waits_for_somebody = true() if receivers is None else outbox.c.receiver.in_(sorted(receivers))
    (row,) = await store.read(
        select(
            func.count().label("waiting"),
            func.min(outbox.c.due_at, type_=outbox.c.due_at.type).filter(waits_for_somebody).label("oldest"),
        ).where(outbox.c.state == NotificationState.WAITING.value)
    )
    overdue = (now - row.oldest).total_seconds() if row.oldest is not None else 0.0
    return Depth(row.waiting, max(0.0, overdue))


def _conditions(wanted: NotificationFilter) -> list[ColumnElement[bool]]:
    choices = (
        (outbox.c.state, tuple(state.value for state in wanted.state)),
        (outbox.c.kind, tuple(kind.value for kind in wanted.kind)),
        (outbox.c.receiver, wanted.receiver),
        (outbox.c.rule, wanted.rule),
        (outbox.c.severity, tuple(severity.rank for severity in wanted.severity)),
    )
    conditions: list[ColumnElement[bool]] = [column.in_(values) for column, values in choices if values]
    if wanted.incident is not None:
        conditions.append(outbox.c.incident_id == wanted.incident)
    if wanted.silence is not None:
        conditions.append(outbox.c.silence_id == wanted.silence)
    if wanted.carrier is not None:
        conditions.append(outbox.c.carrier_id == wanted.carrier)
    if wanted.is_own:
        conditions.append(outbox.c.carrier_id.is_(None))
    return conditions


def notification_from(row: Row[Any]) -> StoredNotification:
    """Return a row of `COLUMNS` as a notification."""
    values = values_of(row)
    return StoredNotification(
        **values
        | {
            "severity": ErrorSeverity.from_rank(values["severity"]),
            "state": NotificationState(values["state"]),
        }
    )

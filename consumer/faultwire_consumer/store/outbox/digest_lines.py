"""The lines of a digest in SQL: an incident each, with its events now and before, and its section."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    literal,
    not_,
    null,
    or_,
    select,
)

from faultwire_consumer.domain.digest.facts import DigestSectionKind
from faultwire_consumer.domain.digest.sorting import WORSE_EVENTS, WORSE_FACTOR, is_comparable
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.sending import NotificationState, StageReason
from faultwire_consumer.store.outbox.digest_rows import (
    Ask,
    DigestScope,
    due_rows,
    is_later,
    rows_of,
    taken_rows,
)
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import digest_lines, outbox, pending

LINE_COLUMNS: Final = (
    "incident_id",
    "reason",
    "severity",
    "event_id",
    "events",
    "events_before",
    "section",
)
_BEFORE_MAX: Final = 100
"""Digests that the period before has at most; more would be of another schedule."""
# Days of 23 and 25 hours begin where the day before them ended, all the same.
_TOLERANCE: Final = timedelta(hours=1)


class PeriodBefore(Struct, frozen=True, kw_only=True):
    """The digests of the period before."""

    ids: tuple[int, ...]
    is_known: bool
    """Its events can be compared: some digest was made before, and it covers no more than a period.

    Where it has no digest, nothing happened in it.
    """


async def read_before(ask: Ask, scope: DigestScope) -> PeriodBefore:
    """Find the digests of the period before, which is as long as this one is in the end."""
    length = scope.due_until - scope.since
    rows = await ask(
        select(outbox.c.id, outbox.c.since, outbox.c.until)
        .where(*is_digest_of(scope), outbox.c.until <= scope.since)
        .order_by(outbox.c.until.desc())
        .limit(_BEFORE_MAX)
    )
    found = [row for row in rows if row.until > scope.since - length + _TOLERANCE]
    starts = [row.since for row in found if row.since is not None]
    length_before = max(length, scope.since - min(starts)) if starts else length
    is_known = bool(rows) and is_comparable(length, length_before)
    return PeriodBefore(ids=tuple(row.id for row in found), is_known=is_known)


def is_digest_of(scope: DigestScope) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the digests of a rule for a receiver."""
    return (
        outbox.c.receiver == scope.receiver,
        outbox.c.rule == scope.rule,
        outbox.c.kind == NotificationKind.DIGEST.value,
    )


def stopped_for(scope: DigestScope) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of what was stopped for a digest's receiver in its period."""
    return (
        outbox.c.receiver == scope.receiver,
        outbox.c.state == NotificationState.STOPPED.value,
        outbox.c.finished_at >= scope.since,
        outbox.c.finished_at < scope.until,
    )


def select_lines(
    scope: DigestScope,
    before: PeriodBefore,
    *,
    is_marked: bool,
    is_one_each: bool,
) -> Select[Any]:
    """Select a line for each incident, with `LINE_COLUMNS`.

    Events are counted up to the end of the period: to this moment, or to where the incident became
    pending for the next digest. It is one statement, so that no event is in two digests: an event that
    is counted has its row for the next digest already, or has none.

    Args:
        scope: the digest.
        before: the digests of the period before.
        is_marked: its rows are `taken_rows`, all others wait; else they are `due_rows`.
        is_one_each: no incident has two of them, which spares the database four sortings.
    """
    only = taken_rows(scope) if is_marked else due_rows(scope)
    one, table = _one_each(only, is_one_each=is_one_each), incidents.c
    counted_until = func.coalesce(_count_at_next(scope, table.id, is_marked=is_marked), table.count)
    events = cast(counted_until - one.c.count_before, BigInteger)
    counted = (
        select(
            one.c.incident_id,
            one.c.reason,
            one.c.severity,
            one.c.event_id,
            events.label("events"),
            _events_before(before, table.id).label("events_before"),
            table.muted_at.is_not(None).label("is_muted"),
            _is_silenced(scope, table.id).label("is_silenced"),
        )
        .select_from(one)
        .join(incidents, table.id == one.c.incident_id)
        .where(one.c.place == 1)
        .cte("counted")
        # Else SQLite looks everything up again wherever the section asks for it.
        .prefix_with("MATERIALIZED")
    )
    columns = [counted.c[name] for name in LINE_COLUMNS[:-1]]
    # Of an incident that only went on, an earlier digest may have told everything.
    says_something = or_(counted.c.events != 0, counted.c.reason != NotificationReason.CONTINUED.value)
    return select(*columns, _section_of(counted).label("section")).where(says_something)


def _one_each(only: Sequence[ColumnElement[bool]], *, is_one_each: bool) -> FromClause:
    """Return the pending rows with what all rows of an incident say together; ``place`` 1 is one of each."""
    each = pending.c.incident_id
    if is_one_each:
        return select(pending, literal(1).label("place")).where(*only).subquery("due")
    # The first reason says more than that the incident continued.
    continued = case((pending.c.reason == NotificationReason.CONTINUED.value, 1), else_=0)
    first_reason = func.first_value(pending.c.reason)
    return (
        select(
            each,
            pending.c.event_id,
            func.row_number().over(partition_by=each, order_by=pending.c.due_at.desc()).label("place"),
            first_reason.over(partition_by=each, order_by=(continued, pending.c.due_at)).label("reason"),
            func.max(pending.c.severity).over(partition_by=each).label("severity"),
            # The lowest count, since a row that was written late may belong to the earlier period.
            func.min(pending.c.count_before).over(partition_by=each).label("count_before"),
        )
        .where(*only)
        .subquery("due")
    )


def _count_at_next(scope: DigestScope, incident_id: Column[Any], *, is_marked: bool) -> ColumnElement[Any]:
    """Return the count at which the incident became pending for a digest after this one.

    Of marked rows, what is not marked counts as that, also what was committed since: it is told later.
    """
    later = pending.alias("later")
    waits = not_(later.c.is_taken) if is_marked else is_later(scope, later)
    return (
        select(func.min(later.c.count_before))
        .where(*rows_of(scope, later), later.c.incident_id == incident_id, waits)
        .correlate(incidents)
        .scalar_subquery()
    )


def _is_silenced(scope: DigestScope, incident_id: Column[Any]) -> ColumnElement[bool]:
    return (
        exists()
        .where(
            outbox.c.incident_id == incident_id,
            outbox.c.state_reason == StageReason.SILENCED.value,
            *stopped_for(scope),
        )
        .correlate(incidents)
    )


def _events_before(before: PeriodBefore, incident_id: Column[Any]) -> ColumnElement[Any]:
    if not before.is_known:
        return cast(null(), BigInteger)
    # One look-up each: a join would be of two sides of which the database knows no sizes.
    earlier = (
        select(func.sum(digest_lines.c.events))
        .where(digest_lines.c.outbox_id.in_(before.ids), digest_lines.c.incident_id == incident_id)
        .correlate(incidents)
        .scalar_subquery()
    )
    return cast(func.coalesce(earlier, 0), BigInteger)


def _section_of(counted: FromClause) -> ColumnElement[Any]:
    """Return `section_of` in SQL; a test holds both together."""
    kind, column = DigestSectionKind, counted.c
    grew = and_(
        column.events_before.is_not(None),
        column.events >= WORSE_EVENTS,
        column.events >= WORSE_FACTOR * column.events_before,
    )
    rose = column.reason == NotificationReason.SEVERITY_ROSE.value
    return case(
        (column.is_muted, kind.MUTED.value),
        (column.is_silenced, kind.SILENCED.value),
        (column.reason == NotificationReason.NEW.value, kind.NEW.value),
        (column.reason == NotificationReason.REGRESSED.value, kind.CAME_BACK.value),
        (or_(rose, grew), kind.WORSE.value),
        else_=kind.WENT_ON.value,
    )

"""Reads what a digest tells beside its lines: what ended, is nobody's or was stopped, and the chart."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, false, func, select

from faultwire_consumer.domain.digest.facts import (
    LINES_MAX,
    DigestChart,
    DigestLine,
    DigestSection,
    DigestSectionKind,
    HeldSum,
    SilencedSum,
)
from faultwire_consumer.domain.digest.query import section_query
from faultwire_consumer.domain.digest.sorting import chart_of
from faultwire_consumer.domain.incident import Status, TransitionReason
from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.domain.rules import Conditions
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.outbox.digest_figures import INCIDENT, line_of
from faultwire_consumer.store.outbox.digest_lines import is_digest_of, stopped_for
from faultwire_consumer.store.outbox.digest_rows import Ask, DigestScope
from faultwire_consumer.store.schema.events import from_micros, history, incidents
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_consumer.store.schema.notify import digest_lines, outbox, silences

SILENCES_MAX: Final = 20
_REASONS_MAX: Final = 20
_NAMES_MAX: Final = 5_000
"""Services, and codes, that patterns are matched with."""
_WILD: Final = frozenset("*?[")
_ENDED: Final = (TransitionReason.RESOLVED.value, TransitionReason.AUTO_RESOLVED.value)
_CHART_MAX: Final = timedelta(days=32)


async def read_ended(ask: Ask, scope: DigestScope) -> DigestSection | None:
    """Read what was resolved in the period and still is; None where nothing was."""
    if scope.where is None:
        return None
    asked = [
        incidents.c.status == Status.RESOLVED.value,
        incidents.c.resolved_at >= scope.since,
        incidents.c.resolved_at < scope.until,
        *await _told_of(ask, scope, scope.where),
    ]
    order = (incidents.c.resolved_at.desc(), incidents.c.id)
    section = await _read_section(ask, DigestSectionKind.ENDED, scope, asked, order)
    if section is None:
        return None
    by_whom = await _read_ends(ask, [line.incident_id for line in section.lines])
    lines = tuple(_with_end(line, by_whom.get(line.incident_id)) for line in section.lines)
    return DigestSection(kind=section.kind, incidents=section.incidents, lines=lines, query=section.query)


async def read_nobodys(ask: Ask, scope: DigestScope) -> DigestSection | None:
    """Read what is open since before the period and nobody has, the oldest first; None where nothing is."""
    if scope.where is None:
        return None
    asked = [
        incidents.c.status == Status.OPEN.value,
        incidents.c.assignee.is_(None),
        incidents.c.muted_at.is_(None),
        incidents.c.first_seen_at < scope.since,
        *await _told_of(ask, scope, scope.where),
    ]
    order = (incidents.c.first_seen_at, incidents.c.id)
    return await _read_section(ask, DigestSectionKind.NOBODYS, scope, asked, order)


async def read_held(ask: Ask, scope: DigestScope) -> tuple[HeldSum, ...]:
    """Sum up what was stopped for the receiver in the period, by reason, the most first."""
    total = func.count().label("notifications")
    rows = await ask(
        select(
            outbox.c.state_reason.label("reason"),
            total,
            func.count(outbox.c.incident_id.distinct()).label("incidents"),
        )
        .where(
            *stopped_for(scope),
            outbox.c.kind != NotificationKind.DIGEST.value,
            outbox.c.state_reason.is_not(None),
        )
        .group_by(outbox.c.state_reason)
        .order_by(total.desc(), outbox.c.state_reason)
        .limit(_REASONS_MAX)
    )
    return tuple(HeldSum(**values_of(row)) for row in rows)


async def read_silenced(ask: Ask, scope: DigestScope) -> tuple[SilencedSum, ...]:
    """Sum up what each silence stopped for the receiver in the period, the most first."""
    total = func.count().label("notifications")
    rows = await ask(
        select(
            outbox.c.silence_id,
            silences.c.author,
            silences.c.comment,
            total,
            func.count(outbox.c.incident_id.distinct()).label("incidents"),
        )
        .join_from(outbox, silences, silences.c.id == outbox.c.silence_id)
        .where(
            outbox.c.silence_id.is_not(None),
            outbox.c.state_reason == StageReason.SILENCED.value,
            *stopped_for(scope),
        )
        .group_by(outbox.c.silence_id, silences.c.author, silences.c.comment)
        .order_by(total.desc(), outbox.c.silence_id)
        .limit(SILENCES_MAX)
    )
    return tuple(SilencedSum(**values_of(row)) for row in rows)


async def read_chart(ask: Ask, scope: DigestScope) -> DigestChart | None:
    """Add up the period's events by hour, of the severities and services that the rule asks for."""
    where = scope.where
    if where is None or scope.until - scope.since > _CHART_MAX:
        return None
    table = hourly_totals.c
    start = scope.since.replace(minute=0, second=0, microsecond=0)
    asked: list[ColumnElement[bool]] = [table.hour >= start, table.hour < scope.until]
    if where.severity:
        asked.append(table.severity.in_(sorted(one.rank for one in where.severity)))
    asked += await _like(ask, incidents.c.service, table.service, where.service)
    rows = await ask(
        select(table.hour, func.sum(table.count).label("total")).where(*asked).group_by(table.hour)
    )
    by_hour = {row.hour: int(row.total) for row in rows}
    return chart_of(by_hour, since=scope.since, until=scope.until) if by_hour else None


async def _read_section(
    ask: Ask,
    kind: DigestSectionKind,
    scope: DigestScope,
    asked: Sequence[ColumnElement[bool]],
    order: Sequence[Any],
) -> DigestSection | None:
    rows = await ask(select(*INCIDENT).where(*asked).order_by(*order).limit(LINES_MAX + 1))
    if not rows:
        return None
    total = len(rows)
    if total > LINES_MAX:
        total = (await ask(select(func.count().label("total")).select_from(incidents).where(*asked)))[0].total
    query = section_query(kind, scope.where, scope.since, scope.until)
    lines = tuple(line_of(row, {}) for row in rows[:LINES_MAX])
    return DigestSection(kind=kind, incidents=total, lines=lines, query=query)


async def _told_of(ask: Ask, scope: DigestScope, where: Conditions) -> list[ColumnElement[bool]]:
    """Return the conditions of incidents that a rule is for.

    An incident is of many environments, releases, types and tags: of a rule that asks for these, the
    incidents are those that its digests for the receiver have told of.
    """
    table = incidents.c
    # Not registered only, and not merged into another.
    conditions: list[ColumnElement[bool]] = [
        table.last_seen_hour > from_micros(0),
        table.merged_into.is_(None),
    ]
    if where.severity:
        conditions.append(table.severity.in_(sorted(one.rank for one in where.severity)))
    if where.category:
        conditions.append(table.category.in_(sorted(where.category)))
    conditions += await _like(ask, table.service, table.service, where.service)
    conditions += await _like(ask, table.code, table.code, where.code)
    if where.environment or where.release or where.type or where.tags:
        made = select(outbox.c.id).where(*is_digest_of(scope))
        told = select(digest_lines.c.incident_id).where(digest_lines.c.outbox_id.in_(made))
        conditions.append(table.id.in_(told))
    return conditions


async def _like(
    ask: Ask, known: Column[Any], asked: ColumnElement[Any], patterns: Sequence[str]
) -> list[ColumnElement[bool]]:
    """Return the condition that a column is like one of a rule's patterns, which no database knows."""
    if not patterns:
        return []
    if not any(_WILD & set(pattern) for pattern in patterns):
        return [asked.in_(sorted(patterns))]
    rows = await ask(select(known.label("name")).distinct().order_by(known).limit(_NAMES_MAX))
    names = [row.name for row in rows if any(fnmatchcase(row.name, pattern) for pattern in patterns)]
    return [asked.in_(names)] if names else [false()]


async def _read_ends(ask: Ask, ids: Sequence[int]) -> Mapping[int, Any]:
    """Read the last resolve of each of some incidents."""
    rows = await ask(
        select(history.c.incident_id, history.c.at, history.c.actor, history.c.reason)
        .where(history.c.incident_id.in_(ids), history.c.reason.in_(_ENDED))
        .order_by(history.c.id)
    )
    return {row.incident_id: row for row in rows}


def _with_end(line: DigestLine, end: Any) -> DigestLine:
    if end is None:
        return line
    by_itself = end.reason == TransitionReason.AUTO_RESOLVED.value
    values = {name: getattr(line, name) for name in line.__struct_fields__}
    return DigestLine(**values | {"ended_by": None if by_itself else end.actor, "ended_at": end.at})

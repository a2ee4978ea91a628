"""The figures of a digest from its lines: sections with their first incidents, services, releases."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Column, ColumnElement, FromClause, Row, case, cast, func, select

from faultwire_consumer.domain.digest.facts import (
    COUNTED,
    LINES_MAX,
    PARTS_MAX,
    DigestLine,
    DigestPart,
    DigestRanking,
    DigestSection,
    DigestSectionKind,
    DigestTally,
)
from faultwire_consumer.domain.digest.query import section_query
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import describe_mute, read_terms
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.outbox.digest_lines import PeriodBefore, stopped_for
from faultwire_consumer.store.outbox.digest_rows import Ask, DigestScope
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import digest_lines, outbox
from faultwire_shared.event import ErrorSeverity

_TOLD: Final = (
    "service",
    "title",
    "culprit",
    "severity",
    "category",
    "code",
    "status",
    "count",
    "first_seen_at",
    "last_seen_at",
    "terms",
)
INCIDENT: Final = (
    incidents.c.id.label("incident_id"),
    incidents.c.last_release.label("release"),
    *(incidents.c[name] for name in _TOLD),
)
"""Columns of an incident that a line has; `line_of` reads them."""
_HELD: Final = (StageReason.INHIBITED.value, StageReason.MUTED.value, StageReason.SILENCED.value)


class DigestSums:
    """The sums of a digest's lines by section."""

    def __init__(self, rows: Sequence[Row[Any]]) -> None:
        self.of = {DigestSectionKind(row.section): _tally(row) for row in rows}

    @property
    def total(self) -> DigestTally:
        """Return the sum of all sections."""
        tallies = self.of.values()
        return DigestTally(
            incidents=sum(one.incidents for one in tallies),
            events=sum(one.events for one in tallies),
            new=sum(one.new for one in tallies),
            came_back=sum(one.came_back for one in tallies),
        )


async def read_sums(ask: Ask, lines: FromClause) -> DigestSums:
    """Add up a digest's lines by section."""
    columns = lines.c
    return DigestSums(
        await ask(
            select(columns.section, *_tallies(columns))
            .where(columns.section.is_not(None))
            .group_by(columns.section)
        )
    )


async def read_sections(
    ask: Ask, lines: FromClause, sums: DigestSums, scope: DigestScope
) -> tuple[DigestSection, ...]:
    """Read each section's first incidents, the most frequent first."""
    rows = await ask(_select_first(lines))
    held = await _read_held(ask, scope, [row.incident_id for row in rows])
    by_section: dict[DigestSectionKind, list[DigestLine]] = {}
    for row in rows:
        by_section.setdefault(DigestSectionKind(row.section), []).append(line_of(row, held))
    return tuple(
        DigestSection(
            kind=kind,
            incidents=sums.of[kind].incidents,
            events=sums.of[kind].events,
            lines=tuple(by_section.get(kind, ())),
            query=section_query(kind, scope.where, scope.since, scope.until),
        )
        for kind in COUNTED
        if kind in sums.of
    )


async def read_ranking(ask: Ask, lines: FromClause, before: PeriodBefore, *, by: str) -> DigestRanking:
    """Rank the services, or the releases of each service by the release of the newest event."""
    keys: list[Column[Any]] = [incidents.c.service]
    if by == "release":
        keys.append(incidents.c.last_release)
    grouped = (
        select(*keys, *_tallies(lines.c))
        .join_from(lines, incidents, incidents.c.id == lines.c.incident_id)
        .where(*(key.is_not(None) for key in keys))
        .group_by(*keys)
        .subquery("grouped")
    )
    totals = [
        cast(func.sum(grouped.c[name]).over(), BigInteger).label(f"all_{name}")
        for name in DigestTally.__struct_fields__
    ]
    order = (grouped.c.events.desc(), *(grouped.c[key.name] for key in keys))
    rows = await ask(
        select(grouped, func.count().over().label("groups"), *totals).order_by(*order).limit(PARTS_MAX)
    )
    return _ranking(rows, before)


async def read_tally_before(ask: Ask, before: PeriodBefore) -> DigestTally | None:
    """Add up the period before; None where it is not known."""
    if not before.is_known:
        return None
    rows = await ask(
        select(*_tallies(digest_lines.c, func.count(digest_lines.c.incident_id.distinct()))).where(
            digest_lines.c.outbox_id.in_(before.ids)
        )
    )
    return _tally(rows[0])


def line_of(row: Row[Any], held: Mapping[tuple[int, str], int], **more: Any) -> DigestLine:
    """Return the line of a row with `INCIDENT`, with what stages held back of it by their reasons."""
    values = {name: value for name, value in values_of(row).items() if name in DigestLine.__struct_fields__}
    mute = read_terms(row.terms).mute
    return DigestLine(
        **values
        | {
            "reason": NotificationReason(values.get("reason", NotificationReason.CONTINUED)),
            "severity": ErrorSeverity.from_rank(row.severity),
            "status": Status(row.status),
            "muted": None if mute is None else describe_mute(mute),
            "held_back": held.get((row.incident_id, StageReason.MUTED.value), 0),
            "silenced": held.get((row.incident_id, StageReason.SILENCED.value), 0),
            "inhibited": held.get((row.incident_id, StageReason.INHIBITED.value), 0),
        }
        | more
    )


def _select_first(lines: FromClause) -> Any:
    columns = lines.c
    order = (columns.events.desc(), columns.severity.desc(), columns.incident_id)
    ranked = select(
        *(
            columns[name]
            for name in ("incident_id", "reason", "event_id", "events", "events_before", "section")
        ),
        func.row_number().over(partition_by=columns.section, order_by=order).label("place"),
    ).subquery("ranked")
    told = [ranked.c[name] for name in ("reason", "event_id", "events", "events_before", "section")]
    return (
        select(*told, *INCIDENT)
        .join_from(ranked, incidents, incidents.c.id == ranked.c.incident_id)
        .where(ranked.c.place <= LINES_MAX, ranked.c.section.is_not(None))
        .order_by(ranked.c.section, ranked.c.place)
    )


async def _read_held(ask: Ask, scope: DigestScope, ids: Sequence[int]) -> dict[tuple[int, str], int]:
    """Count what mutes, silences and inhibitions stopped of some incidents, by incident and reason."""
    if not ids:
        return {}
    rows = await ask(
        select(outbox.c.incident_id, outbox.c.state_reason, func.count().label("stopped"))
        .where(outbox.c.incident_id.in_(ids), outbox.c.state_reason.in_(_HELD), *stopped_for(scope))
        .group_by(outbox.c.incident_id, outbox.c.state_reason)
    )
    return {(row.incident_id, row.state_reason): row.stopped for row in rows}


def _tallies(columns: Any, number: ColumnElement[Any] | None = None) -> list[ColumnElement[Any]]:
    """Return the sums of a tally over lines, and that of the events before."""

    def occurrences(reason: NotificationReason) -> ColumnElement[Any]:
        return func.sum(case((columns.reason == reason.value, 1), else_=0))

    return [
        cast(expression, BigInteger).label(name)
        for name, expression in (
            ("incidents", func.count() if number is None else number),
            ("events", func.coalesce(func.sum(columns.events), 0)),
            ("new", func.coalesce(occurrences(NotificationReason.NEW), 0)),
            ("came_back", func.coalesce(occurrences(NotificationReason.REGRESSED), 0)),
            ("events_before", func.coalesce(func.sum(columns.events_before), 0)),
        )
    ]


def _tally(row: Row[Any]) -> DigestTally:
    return DigestTally(**{name: getattr(row, name) for name in DigestTally.__struct_fields__})


def _ranking(rows: Sequence[Row[Any]], before: PeriodBefore) -> DigestRanking:
    if not rows:
        return DigestRanking()
    parts = tuple(
        DigestPart(
            service=row.service,
            release=values_of(row).get("last_release"),
            tally=_tally(row),
            events_before=row.events_before if before.is_known else None,
        )
        for row in rows
    )
    rest = {
        name: getattr(rows[0], f"all_{name}") - sum(_each(parts, name))
        for name in DigestTally.__struct_fields__
    }
    return DigestRanking(parts=parts, more=rows[0].groups - len(parts), rest=DigestTally(**rest))


def _each(parts: Iterable[DigestPart], name: str) -> Iterable[int]:
    return (getattr(part.tally, name) for part in parts)

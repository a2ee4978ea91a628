"""Sorting of incidents into the sections of a digest, and the bars of its chart. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.digest.facts import (
    COUNTED,
    LINES_MAX,
    PARTS_MAX,
    DigestChart,
    DigestFacts,
    DigestLine,
    DigestPart,
    DigestRanking,
    DigestSection,
    DigestSectionKind,
    DigestTally,
)
from faultwire_consumer.domain.notification import NotificationReason

WORSE_FACTOR: Final = 2
"""So many times the events of the period before are worse."""
WORSE_EVENTS: Final = 10
"""Fewer events than these are never worse: from one to two is chance."""
BARS_MAX: Final = 31
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


def section_of(
    reason: NotificationReason,
    *,
    is_muted: bool,
    is_silenced: bool,
    events: int,
    events_before: int | None,
) -> DigestSectionKind:
    """Return the section of an incident that had events.

    Args:
        reason: why it is in the digest.
        is_muted: it is muted when the digest is made.
        is_silenced: a silence stopped a notification of it in the period.
        events: its number since the digest before.
        events_before: its number in the period before; None where that is not known.
    """
    if is_muted:
        return DigestSectionKind.MUTED
    if is_silenced:
        return DigestSectionKind.SILENCED
    if reason is NotificationReason.NEW:
        return DigestSectionKind.NEW
    if reason is NotificationReason.REGRESSED:
        return DigestSectionKind.CAME_BACK
    if reason is NotificationReason.SEVERITY_ROSE or is_worse(events, events_before):
        return DigestSectionKind.WORSE
    return DigestSectionKind.WENT_ON


def is_worse(events: int, events_before: int | None) -> bool:
    """Return True if there are far more events than in the period before."""
    return events_before is not None and events >= max(WORSE_EVENTS, WORSE_FACTOR * events_before)


def is_comparable(length: timedelta, other: timedelta) -> bool:
    """Return True if the events of two periods may be compared; days of 23 and 25 hours are days too."""
    return abs(length - other) <= _HOUR


def chart_of(by_hour: Mapping[datetime, int], *, since: datetime, until: datetime) -> DigestChart | None:
    """Return the bars of a period: hours of one or two days, else days; None for longer than a month.

    Args:
        by_hour: events by the beginning of whole hours, in UTC.
        since: the beginning of the period.
        until: its end.
    """
    start = since.replace(minute=0, second=0, microsecond=0)
    length = until - start
    step = _HOUR if length <= 2 * _DAY else _DAY
    bars = -(-length // step) if step is _HOUR else round(length / step)
    if not 0 < bars <= max(BARS_MAX, 49) or (step is _DAY and bars > BARS_MAX):
        return None
    counts = [0] * bars
    for hour, count in by_hour.items():
        if start <= hour < until:
            counts[min((hour - start) // step, bars - 1)] += count
    return DigestChart(starts_at=start, step_seconds=int(step.total_seconds()), counts=tuple(counts))


def facts_of(lines: Sequence[DigestLine]) -> DigestFacts:
    """Return what can be said of incidents alone, without a period before and without what is beside them."""
    by_section: dict[DigestSectionKind, list[DigestLine]] = {}
    for line in lines:
        by_section.setdefault(_section_of(line), []).append(line)
    return DigestFacts(
        tally=_tally_of(lines),
        sections=tuple(_section(kind, by_section[kind]) for kind in COUNTED if kind in by_section),
        services=_services_of(lines),
    )


def rank(line: DigestLine) -> tuple[int, int, int]:
    """Return the place of a line among those of its section: the most events first."""
    return (-events_of(line), -line.severity.rank, line.incident_id)


def events_of(line: DigestLine) -> int:
    """Return the events since the last digest, or all of them if those were not counted."""
    return line.count if line.events is None else line.events


def _section_of(line: DigestLine) -> DigestSectionKind:
    return section_of(
        line.reason,
        is_muted=line.muted is not None,
        is_silenced=line.silenced > 0,
        events=events_of(line),
        events_before=line.events_before,
    )


def _section(kind: DigestSectionKind, lines: Sequence[DigestLine]) -> DigestSection:
    events = sum(map(events_of, lines))
    shown = tuple(sorted(lines, key=rank)[:LINES_MAX])
    return DigestSection(kind=kind, incidents=len(lines), events=events, lines=shown)


def _tally_of(lines: Iterable[DigestLine]) -> DigestTally:
    lines = list(lines)
    reasons = [line.reason for line in lines]
    return DigestTally(
        incidents=len(lines),
        events=sum(map(events_of, lines)),
        new=reasons.count(NotificationReason.NEW),
        came_back=reasons.count(NotificationReason.REGRESSED),
    )


def _services_of(lines: Iterable[DigestLine]) -> DigestRanking:
    by_service: dict[str, list[DigestLine]] = {}
    for line in lines:
        by_service.setdefault(line.service, []).append(line)
    parts = [DigestPart(service=name, tally=_tally_of(those)) for name, those in by_service.items()]
    parts.sort(key=lambda part: (-part.tally.events, part.service))
    rest = [line for part in parts[PARTS_MAX:] for line in by_service[part.service]]
    return DigestRanking(
        parts=tuple(parts[:PARTS_MAX]), more=max(0, len(parts) - PARTS_MAX), rest=_tally_of(rest)
    )

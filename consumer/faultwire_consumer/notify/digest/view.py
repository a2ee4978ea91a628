"""The digest as a value for everybody who shows it: sections, rows and figures in words, not yet escaped."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.digest.facts import (
    LINES_MAX,
    DigestChart,
    DigestFacts,
    DigestLine,
    DigestPart,
    DigestRanking,
    DigestSection,
    DigestSectionKind,
    DigestTally,
)
from faultwire_consumer.domain.digest.sorting import events_of, facts_of
from faultwire_consumer.domain.incident_name import incident_name, parse_incident_id
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.notify.digest.words import (
    change_of,
    counted,
    period_of,
    spell_age,
    spell_held,
    spell_tally,
)
from faultwire_consumer.notify.notification import Notification, NotifiedIncident
from faultwire_consumer.notify.plain_text import format_time

HEADINGS: Final = {
    DigestSectionKind.NEW: "New",
    DigestSectionKind.CAME_BACK: "Came back",
    DigestSectionKind.WORSE: "Worse",
    DigestSectionKind.WENT_ON: "Went on",
    DigestSectionKind.SILENCED: "Silenced",
    DigestSectionKind.MUTED: "Muted",
    DigestSectionKind.ENDED: "Ended",
    DigestSectionKind.NOBODYS: "Still open, and nobody's",
}
_DAY: Final = timedelta(days=1)


class DigestRow(Struct, frozen=True, kw_only=True):
    """One incident in a section. ``service``, ``where``, ``title`` and the notes hold strangers' texts."""

    figure: int
    """Its events in the period; where none are counted, all that it ever had."""
    id: str
    severity: str
    service: str
    where: str
    """Its environments; empty where they are not known."""
    title: str
    notes: tuple[str, ...]
    """What else there is to say, in words; few, and often none."""
    link: str | None
    bars: tuple[int, int] | None = None
    """Events in the period before and in this one, where both are known."""


class DigestSectionView(Struct, frozen=True, kw_only=True):
    """A section: its heading, its rows, and what is left out."""

    kind: DigestSectionKind
    heading: str
    incidents: int
    rows: tuple[DigestRow, ...]
    more: str
    """How many others there are, in words; empty if none are."""
    link: str | None
    """The page's list of them, as nearly as a query can say it."""


class DigestPartView(Struct, frozen=True, kw_only=True):
    """A service, or a release of one, or all that are not told by name. The name is a stranger's text."""

    name: str
    words: str
    events: int
    is_rest: bool = False


class DigestBar(Struct, frozen=True):
    """A bar of the chart."""

    starts_at: datetime
    count: int
    share: float
    """Its height, from 0 to 1, beside the highest."""


class DigestChartView(Struct, frozen=True, kw_only=True):
    """The chart of a period's events."""

    caption: str
    highest: int
    bars: tuple[DigestBar, ...]


class DigestView(Struct, frozen=True, kw_only=True):
    """A whole digest, bounded in its number of rows; texts are raw, and escaped by who shows them."""

    subject: str
    since: datetime | None
    until: datetime | None
    change: str
    """The totals of the period before, in words; empty where they are not known."""
    chart: DigestChartView | None
    services: tuple[DigestPartView, ...]
    releases: tuple[DigestPartView, ...]
    held: tuple[str, ...]
    """What was stopped for this receiver, a line for each reason."""
    silenced: int
    """Notifications that the silences stopped."""
    silences: tuple[str, ...]
    """What each silence hid; comments and authors are strangers' texts."""
    sections: tuple[DigestSectionView, ...]
    rule: str


def digest_view(notification: Notification, *, shown: int = LINES_MAX) -> DigestView:
    """Return what a digest shows, with so many rows of each section at most."""
    facts = facts_in(notification)
    before = facts.before
    return DigestView(
        subject=digest_subject(notification),
        since=notification.since,
        until=notification.until,
        change="" if before is None else _change(notification, facts.tally, before),
        chart=None if facts.chart is None else _chart(facts.chart),
        services=tuple(_parts(facts.services, "more service")),
        releases=tuple(_parts(facts.releases, "more release")),
        held=tuple(spell_held(one) for one in facts.held),
        silenced=sum(each.notifications for each in notification.silences),
        silences=tuple(_silence_lines(notification)),
        sections=tuple(_section(notification, section, shown) for section in facts.sections),
        rule=notification.rule,
    )


def digest_subject(notification: Notification) -> str:
    """Summarise the digest in one line."""
    facts = facts_in(notification)
    worse = sum(part.incidents for part in facts.sections if part.kind is DigestSectionKind.WORSE)
    return f"{period_of(notification.since, notification.until).title}: {spell_tally(facts.tally, worse)}"


def facts_in(notification: Notification) -> DigestFacts:
    """Return a digest's facts; of one that an older release made, what its incidents say."""
    if notification.digest is not None:
        return notification.digest
    return facts_of([_line_of(incident) for incident in notification.incidents])


def _line_of(incident: NotifiedIncident) -> DigestLine:
    return DigestLine(
        incident_id=parse_incident_id(incident.id) or 0,
        reason=incident.reason,
        severity=incident.severity,
        status=incident.status,
        title=incident.title,
        service=incident.service,
        count=incident.count,
        first_seen_at=incident.first_seen_at,
        last_seen_at=incident.last_seen_at,
        release=incident.release,
        events=incident.recent_count,
        muted=incident.muted,
        held_back=incident.held_back,
        silenced=incident.silenced,
    )


def _change(notification: Notification, now: DigestTally, before: DigestTally) -> str:
    name = period_of(notification.since, notification.until).before
    return f"{name}: {spell_tally(before)}; events: {change_of(now.events, before.events)}."


def _chart(chart: DigestChart) -> DigestChartView:
    highest = max(chart.counts, default=0)
    step = timedelta(seconds=chart.step_seconds)
    often = "day" if step >= _DAY else "hour"
    return DigestChartView(
        caption=f"All events of the rule's services and severities by {often}, {highest:,} at most",
        highest=highest,
        bars=tuple(
            DigestBar(chart.starts_at + place * step, count, count / highest if highest else 0.0)
            for place, count in enumerate(chart.counts)
        ),
    )


def _parts(ranking: DigestRanking, what: str) -> Iterator[DigestPartView]:
    for part in ranking.parts:
        yield DigestPartView(name=_name_of(part), words=_words_of(part), events=part.tally.events)
    if ranking.more:
        yield DigestPartView(
            name=counted(ranking.more, what),
            words=spell_tally(ranking.rest),
            events=ranking.rest.events,
            is_rest=True,
        )


def _name_of(part: DigestPart) -> str:
    return part.service if part.release is None else f"{part.service} {part.release}"


def _words_of(part: DigestPart) -> str:
    words = spell_tally(part.tally)
    if part.events_before is None:
        return words
    return f"{words} ({change_of(part.tally.events, part.events_before)})"


def _silence_lines(notification: Notification) -> Iterator[str]:
    for each in notification.silences:
        held = f"{each.notifications:,} of {counted(each.incidents, 'incident')}"
        yield f"silence {each.silence_id} ({each.comment}, by {each.author}): {held}"


def _section(notification: Notification, section: DigestSection, shown: int) -> DigestSectionView:
    lines = section.lines[:shown]
    more = ""
    if section.incidents > len(lines):
        more = f"and {section.incidents - len(lines):,} more"
        if section.events is not None:
            rest = max(0, section.events - sum(map(events_of, lines)))
            more = f"{more} with {counted(rest, 'event')}"
    return DigestSectionView(
        kind=section.kind,
        heading=HEADINGS[section.kind],
        incidents=section.incidents,
        rows=tuple(_row(notification, section.kind, line) for line in lines),
        more=more,
        link=notification.query_link_of(section.query),
    )


def _row(notification: Notification, kind: DigestSectionKind, line: DigestLine) -> DigestRow:
    known = line.events is not None and line.events_before is not None
    return DigestRow(
        figure=events_of(line),
        id=incident_name(line.incident_id),
        severity=line.severity.value,
        service=line.service,
        where=line.where,
        title=line.title,
        notes=tuple(_notes(kind, line, notification.until)),
        link=notification.incident_link(incident_name(line.incident_id)),
        bars=(line.events_before or 0, line.events or 0) if known else None,
    )


def _notes(kind: DigestSectionKind, line: DigestLine, until: datetime | None) -> Iterator[str]:
    match kind:
        case DigestSectionKind.WORSE:
            if line.reason is NotificationReason.SEVERITY_ROSE:
                yield "became more severe"
            if line.events is not None and line.events_before is not None:
                yield f"{line.events_before:,} before: {change_of(line.events, line.events_before)}"
        case DigestSectionKind.SILENCED:
            yield f"{counted(line.silenced, 'notification')} held back by silences"
        case DigestSectionKind.MUTED:
            yield f"muted {line.muted}; {counted(line.held_back, 'notification')} held back"
        case DigestSectionKind.ENDED:
            when = f" at {format_time(line.ended_at)}" if line.ended_at is not None else ""
            yield f"resolved by {line.ended_by}{when}" if line.ended_by else f"ended by itself{when}"
        case DigestSectionKind.NOBODYS:
            age = f", for {spell_age(until - line.first_seen_at)}" if until is not None else ""
            yield f"open since {line.first_seen_at.astimezone(UTC):%Y-%m-%d}{age}"
        case _:
            pass
    if line.inhibited:
        yield f"{counted(line.inhibited, 'notification')} held back by open incidents that explain it"

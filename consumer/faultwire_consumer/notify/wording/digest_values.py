"""Values that a template is given of a digest: its sections, figures and chart, each text shown by a rule."""

from collections.abc import Iterator
from typing import Any, Final

from faultwire_consumer.domain.digest.facts import (
    DigestFacts,
    DigestLine,
    DigestRanking,
    DigestSection,
    DigestSectionKind,
    DigestTally,
)
from faultwire_consumer.domain.digest.sorting import events_of
from faultwire_consumer.notify.digest.text import chart_text
from faultwire_consumer.notify.digest.view import (
    DigestChartView,
    DigestRow,
    DigestSectionView,
    digest_view,
    facts_in,
)
from faultwire_consumer.notify.notification import Notification, SilencedPart
from faultwire_consumer.notify.plain_text import format_time
from faultwire_consumer.notify.wording.show import (
    LINE_CHARACTERS,
    LINK_CHARACTERS,
    NAME_CHARACTERS,
    TITLE_CHARACTERS,
    Show,
)

SECTION_SHOWN: Final = 20
PARTS_SHOWN: Final = 8
"""Services, and releases, of which the others are counted."""
SILENCES_SHOWN: Final = 20
HELD_SHOWN: Final = 20
LIST_LINK_CHARACTERS: Final = 1_000
"""A link that is longer is left out: cut, it would lead elsewhere."""


def digest_values(notification: Notification, show: Show) -> dict[str, Any]:
    """Return what templates are given of a digest, as the worker's guide lists it."""
    facts, view = facts_in(notification), digest_view(notification, shown=SECTION_SHOWN)
    worse = (one.incidents for one in facts.sections if one.kind is DigestSectionKind.WORSE)
    return {
        "subject": show(view.subject, LINE_CHARACTERS),
        **_tally(facts.tally),
        "worse": sum(worse),
        "change": show(view.change, LINE_CHARACTERS),
        "chart": None if view.chart is None else _chart(view.chart, show),
        **_parts("services", facts.services, show),
        **_parts("releases", facts.releases, show),
        "sections": [
            _section(notification, section, seen, show)
            for section, seen in zip(facts.sections, view.sections, strict=True)
        ],
        "held": [show(one, LINE_CHARACTERS) for one in view.held[:HELD_SHOWN]],
        "silences": [_silence(one, show) for one in notification.silences[:SILENCES_SHOWN]],
    }


def service_count(facts: DigestFacts) -> int:
    """Return the number of services that a digest tells of."""
    return len(facts.services.parts) + facts.services.more


def _tally(tally: DigestTally) -> dict[str, Any]:
    return {
        "incidents": tally.incidents,
        "events": tally.events,
        "new": tally.new,
        "regressed": tally.came_back,
    }


def _chart(chart: DigestChartView, show: Show) -> dict[str, Any]:
    return {
        "caption": show(chart.caption, LINE_CHARACTERS),
        "text": chart_text(chart),
        "since": format_time(chart.bars[0].starts_at) if chart.bars else "",
        "bars": [
            {
                "starts_at": format_time(bar.starts_at),
                "count": bar.count,
                # What is not nothing can be seen, however small it is.
                "share": max(round(100 * bar.share), 1) if bar.count else 0,
            }
            for bar in chart.bars
        ],
    }


def _parts(name: str, ranking: DigestRanking, show: Show) -> dict[str, Any]:
    """List the parts with the most events, each with its share of the first one's for a bar."""
    shown = ranking.parts[:PARTS_SHOWN]
    most = max((part.tally.events for part in shown), default=0)
    values = [
        {
            "name": show(part.service, NAME_CHARACTERS),
            "release": show(part.release or "", NAME_CHARACTERS),
            "share": max(1, round(100 * part.tally.events / most)) if most else 1,
            **_tally(part.tally),
        }
        for part in shown
    ]
    return {name: values, f"more_{name}": ranking.more + len(ranking.parts) - len(shown)}


def _section(
    notification: Notification, section: DigestSection, seen: DigestSectionView, show: Show
) -> dict[str, Any]:
    lines = section.lines[: len(seen.rows)]
    more_events = 0 if section.events is None else max(0, section.events - sum(map(events_of, lines)))
    return {
        "kind": section.kind.value,
        "heading": seen.heading,
        "total": section.incidents,
        "incidents": [
            _incident(notification, line, row, show) for line, row in zip(lines, seen.rows, strict=True)
        ],
        "more": max(0, section.incidents - len(lines)),
        "more_events": more_events,
        "more_words": seen.more,
        "link": _whole(seen.link, LIST_LINK_CHARACTERS, show),
    }


def _incident(notification: Notification, line: DigestLine, row: DigestRow, show: Show) -> dict[str, Any]:
    """Return the fields that an incident of any notification has, and what the section says of it."""
    return dict(_texts(line, show)) | {
        "id": row.id,
        "severity": row.severity,
        "status": line.status.value,
        "reason": line.reason.value.replace("_", " "),
        "environment": show(line.where, LINE_CHARACTERS),
        "count": line.count,
        "recent_count": line.events,
        "events": row.figure,
        "first_seen_at": format_time(line.first_seen_at),
        "last_seen_at": format_time(line.last_seen_at),
        "link": _whole(row.link, LINK_CHARACTERS, show),
        "event_link": _whole(notification.event_link(line.event_id), LINK_CHARACTERS, show),
        "held_back": line.held_back,
        "silenced": line.silenced,
        "notes": [show(one, LINE_CHARACTERS) for one in row.notes],
    }


def _texts(line: DigestLine, show: Show) -> Iterator[tuple[str, str]]:
    yield "title", show(line.title, TITLE_CHARACTERS)
    for name in ("service", "category", "code", "release", "culprit"):
        yield name, show(getattr(line, name) or "", LINE_CHARACTERS)
    for name in ("event_id", "muted"):
        yield name, show(getattr(line, name) or "", NAME_CHARACTERS)


def _silence(silence: SilencedPart, show: Show) -> dict[str, Any]:
    return {
        "id": silence.silence_id,
        "author": show(silence.author, NAME_CHARACTERS),
        "comment": show(silence.comment, LINE_CHARACTERS),
        "notifications": silence.notifications,
        "incidents": silence.incidents,
    }


def _whole(link: str | None, maximum: int, show: Show) -> str:
    return show(link, maximum) if link is not None and len(link) <= maximum else ""

"""The digest in plain text: what changed first, bounded in length, with every text of others escaped."""

from collections.abc import Iterator
from typing import Final

from faultwire_consumer.domain.digest.facts import LINES_MAX
from faultwire_consumer.notify.digest.view import (
    DigestChartView,
    DigestPartView,
    DigestRow,
    DigestSectionView,
    DigestView,
    digest_view,
)
from faultwire_consumer.notify.digest.words import counted
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.plain_text import format_time, one_line

INCIDENTS_SHOWN: Final = LINES_MAX
"""Incidents shown in each section, unless the digest would be too long."""
TITLE_CHARACTERS: Final = 120
NAME_CHARACTERS: Final = 40
NOTE_CHARACTERS: Final = 160
SILENCE_CHARACTERS: Final = 200
LINK_CHARACTERS: Final = 200
LIST_LINK_CHARACTERS: Final = 400
"""A link that is longer is left out: cut, it would lead elsewhere."""
DIGEST_CHARACTERS: Final = 32_000
"""Maximum length of a digest: one that would be longer shows fewer incidents of each section."""

_FEWER: Final = (INCIDENTS_SHOWN, 10, 5, 2)
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_NONE: Final = "·"


def digest_text(notification: Notification) -> str:
    """Write the whole digest, at most `DIGEST_CHARACTERS` long."""
    text = ""
    for shown in _FEWER:
        text = "\n".join(_lines(digest_view(notification, shown=shown))) + "\n"
        if len(text) <= DIGEST_CHARACTERS:
            break
    return text


def _lines(view: DigestView) -> Iterator[str]:
    yield f"{view.subject}."
    if view.since is not None and view.until is not None:
        yield f"From {format_time(view.since)} to {format_time(view.until)}."
    if view.change:
        yield view.change
    if view.chart is not None:
        yield from ("", *_chart_lines(view.chart))
    yield from _part_lines("By service", view.services)
    yield from _part_lines("By release", view.releases)
    for section in view.sections:
        yield from _section_lines(section)
    yield from _listed("Stopped in this period", view.held, NOTE_CHARACTERS)
    silenced = f"Silences held back {counted(view.silenced, 'notification')}"
    yield from _listed(silenced, view.silences, SILENCE_CHARACTERS)
    yield from ("", f"Rule {one_line(view.rule, NAME_CHARACTERS)}")


def _chart_lines(chart: DigestChartView) -> Iterator[str]:
    yield f"{chart.caption}:"
    yield f"  {chart_text(chart)}"


def chart_text(chart: DigestChartView) -> str:
    """Draw the bars of a chart as characters, one each."""
    return "".join(_block(bar.count, chart.highest) for bar in chart.bars)


def _block(count: int, highest: int) -> str:
    """Return a bar; what is not nothing can be seen, however small it is."""
    return _BLOCKS[-(-count * len(_BLOCKS) // highest) - 1] if count > 0 else _NONE


def _part_lines(heading: str, parts: tuple[DigestPartView, ...]) -> Iterator[str]:
    if parts:
        yield from ("", f"{heading}:")
        yield from (f"  {one_line(part.name, 2 * NAME_CHARACTERS)}: {part.words}" for part in parts)


def _listed(heading: str, lines: tuple[str, ...], characters: int) -> Iterator[str]:
    if lines:
        yield from ("", f"{heading}:")
        yield from (f"  {one_line(line, characters)}" for line in lines)


def _section_lines(section: DigestSectionView) -> Iterator[str]:
    yield from ("", f"{section.heading} ({section.incidents:,}):")
    for row in section.rows:
        yield from _row_lines(row)
    if section.more:
        yield f"  {section.more}"
    if section.link and len(section.link) <= LIST_LINK_CHARACTERS:
        yield f"  all: {one_line(section.link, LIST_LINK_CHARACTERS)}"


def _row_lines(row: DigestRow) -> Iterator[str]:
    environment = f" in {one_line(row.where, NAME_CHARACTERS)}" if row.where else ""
    where = f"{one_line(row.service, NAME_CHARACTERS)}{environment}"
    title = one_line(row.title, TITLE_CHARACTERS)
    yield f"  {row.figure:>7,}  {row.id}  {row.severity}  {where}: {title}"
    for note in row.notes:
        yield f"           {one_line(note, NOTE_CHARACTERS)}"
    if row.link and len(row.link) <= LINK_CHARACTERS:
        yield f"           {one_line(row.link, LINK_CHARACTERS)}"

"""An incident's events as a table that can be searched and paged both ways."""

from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.value_count import TAG
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.store.events.event_list import EventSummary
from faultwire_consumer.store.events.messages import EventSaid
from faultwire_consumer.web.page.incident.asked import PageAsked
from faultwire_consumer.web.page.incident.reading import PageMaterial

_EXPORTED: Final = 1_000


class TableRow(Struct, frozen=True, kw_only=True):
    """An event of the table."""

    event: EventSummary
    said: EventSaid | None
    tag: str
    address: str
    is_shown: bool


class EventTable(Struct, frozen=True, kw_only=True):
    """The incident's events, a page of them."""

    rows: tuple[TableRow, ...]
    tag_name: str
    """The tag that has a column; empty for none."""
    text: str
    before: str
    wrong: str
    problem: str
    newer: str | None
    older: str | None
    first: str | None
    export: str


def table_of(found: PageMaterial, asked: PageAsked) -> EventTable:
    """Return a page of the incident's events; of a mistaken search, the place of the mistake."""
    shown_id = found.shown.stored.id if found.shown is not None else None
    tag = next((key.key.removeprefix(TAG) for key in found.figures.tags if key.key.startswith(TAG)), "")
    problem = found.search.problem
    cursor = found.rows.next_cursor
    before = asked.query[: problem.column - 1] if problem is not None else ""
    return EventTable(
        rows=tuple(
            _row(row, found.said.get(row.id), tag, asked, row.id == shown_id) for row in found.rows.rows
        ),
        tag_name=tag,
        text=asked.query,
        before=before,
        wrong=asked.query[len(before) :][: problem.length] if problem is not None else "",
        problem=problem.message if problem is not None else "",
        newer=asked.newer(),
        older=asked.older(cursor) if cursor is not None else None,
        first=asked.to(anchor="events", cursor=None, trail=()) if asked.cursor is not None else None,
        export=f"/api/v1/events?incident={incident_name(found.incident.id)}&limit={_EXPORTED}",
    )


def _row(row: EventSummary, said: EventSaid | None, tag: str, asked: PageAsked, is_shown: bool) -> TableRow:
    return TableRow(
        event=row,
        said=said,
        tag=said.tags.get(tag, "") if said is not None else "",
        address=asked.elsewhere(f"/e/{row.id}"),
        is_shown=is_shown,
    )

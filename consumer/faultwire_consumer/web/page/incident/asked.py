"""The parts of an incident's page that its address chooses: span, order of calls, events, list before it."""

from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.query.query import Key, Query, any_of
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_consumer.web.page.incident.stack import TraceOrder
from faultwire_consumer.web.page.listed import FROM, FROM_CHARACTERS, FromList, read_from
from faultwire_consumer.web.parameter import Parameters

_TRAIL: Final = 20
"""The pages of events that the way back remembers."""
_BETWEEN: Final = "~"
_FIRST_PAGE: Final = "0"


class ChartSpan(StrEnum):
    """The time that the chart shows."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def hours(self) -> int:
        """Return the hours of one of its steps."""
        return {ChartSpan.DAY: 1, ChartSpan.WEEK: 6, ChartSpan.MONTH: 24}[self]

    @property
    def steps(self) -> int:
        """Return the number of its steps."""
        return {ChartSpan.DAY: 24, ChartSpan.WEEK: 28, ChartSpan.MONTH: 30}[self]


class PageAsked(Struct, frozen=True, kw_only=True):
    """The choices of an address."""

    span: ChartSpan = ChartSpan.DAY
    order: TraceOrder = TraceOrder.CRASH_FIRST
    query: str = ""
    """The text by which the incident's events are searched."""
    cursor: str | None = None
    trail: tuple[str, ...] = ()
    """The cursors of the pages of events before this one, the first page's as ``0``."""
    came_from: str = ""
    """The query string of the list that led here."""

    @property
    def list_before(self) -> FromList | None:
        """Return the list that led here; None where none did, or none of ours."""
        return read_from(self.came_from)

    def to(self, path: str = "", anchor: str = "", **changes: Any) -> str:
        """Return the address of the page with other choices; without a path, of this one."""
        asked = replace(self, **changes)
        given = {
            "span": "" if asked.span is ChartSpan.DAY else asked.span.value,
            "order": "" if asked.order is TraceOrder.CRASH_FIRST else asked.order.value,
            "query": asked.query,
            "cursor": asked.cursor or "",
            "back": _BETWEEN.join(asked.trail),
            FROM: asked.came_from,
        }
        text = urlencode({name: value for name, value in given.items() if value}, quote_via=quote, safe="")
        return (path or "?") + ("?" if path and text else "") + text + (f"#{anchor}" if anchor else "")

    def elsewhere(self, path: str) -> str:
        """Return the address of another event's or incident's page that was reached by the same list."""
        return self.to(path, query="", cursor=None, trail=())

    def older(self, cursor: str) -> str:
        """Return the address of the events that follow."""
        trail = (*self.trail, self.cursor or _FIRST_PAGE)[-_TRAIL:]
        return self.to(anchor="events", cursor=cursor, trail=trail)

    def newer(self) -> str | None:
        """Return the address of the page of events before this one, if its cursor is known."""
        if not self.trail:
            return None
        *before, last = self.trail
        cursor = None if last == _FIRST_PAGE else last
        return self.to(anchor="events", cursor=cursor, trail=tuple(before))


def read_asked(parameters: Parameters) -> PageAsked:
    """Read what an address chooses; `finish` refuses what is wrong."""
    came_from = parameters.raw_text(FROM)
    return PageAsked(
        span=parameters.choice(
            "span", ChartSpan, usual=ChartSpan.DAY, about="The time that the chart shows."
        ),
        order=parameters.choice("order", TraceOrder, usual=TraceOrder.CRASH_FIRST, about="Of the calls."),
        query=parameters.raw_text("query").strip(),
        cursor=parameters.cursor(),
        trail=tuple(filter(None, parameters.raw_text("back")[:4_000].split(_BETWEEN)))[-_TRAIL:],
        came_from=came_from if len(came_from) <= FROM_CHARACTERS else "",
    )


class EventSearch(Struct, frozen=True):
    """A search among an incident's events, or the mistake in its text."""

    query: Query
    problem: QueryError | None


def search_events(incident_id: int, text: str) -> EventSearch:
    """Return the query for an incident's events that a text narrows."""
    own = any_of(Key.INCIDENT, [incident_id])
    try:
        return EventSearch(parse_query(text) + own, None)
    except QueryError as error:
        return EventSearch(own, error)

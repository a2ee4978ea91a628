"""Some of the events that a filter finds, with their bodies: as many as a limit and a size allow."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.store.events.export import PIECE_ROWS, ExportedEvent, read_pieces
from faultwire_consumer.web.parameter import Paged, Parameters, event_query, paged
from faultwire_consumer.web.request import cursor_errors
from faultwire_consumer.web.state import STORE

PAGE_BYTES: Final = 4 * 1024 * 1024
_READ: Final = 5
"""Times the limit that is read at most, where bodies were not kept."""


class EventPage(Struct):
    """Some events with bodies, how many without were passed, and where to go on; None at the end."""

    events: list[ExportedEvent]
    left_out: int = 0
    size: int = 0
    next_cursor: str | None = None


class EventsAsked(Struct, frozen=True):
    """The events that are asked for, and the moment from which the query's durations count."""

    query: Query
    as_of: datetime


def events_asked(parameters: Parameters) -> EventsAsked:
    """The query for events; its durations mean the same on every page that carries the first one's time."""
    as_of = parameters.as_of("as_of")
    return EventsAsked(event_query(parameters), as_of)


event_page_asked: Final = paged(events_asked)


async def read_event_page(request: web.Request, asked: Paged[EventsAsked]) -> EventPage:
    """The events that a request asks for, bounded by its limit and by bytes."""
    wanted = asked.wanted
    pieces = read_pieces(request.app[STORE], wanted.query, now=wanted.as_of, cursor=asked.cursor)
    with cursor_errors():
        async with aclosing(_events(pieces)) as found:
            return await _gather(found, asked.limit)


async def _gather(found: AsyncIterator[tuple[ExportedEvent, bool]], limit: int) -> EventPage:
    page = EventPage([])
    async for event, is_last in found:
        if event.doc is None:
            page.left_out += 1
        else:
            page.events.append(event)
            page.size += len(event.doc)
        is_full = len(page.events) == limit or page.size >= PAGE_BYTES
        if is_full or len(page.events) + page.left_out >= limit * _READ:
            page.next_cursor = None if is_last else event.cursor
            break
    return page


async def _events(
    pieces: AsyncIterator[Sequence[ExportedEvent]],
) -> AsyncGenerator[tuple[ExportedEvent, bool]]:
    """Each event, and whether none follows it for certain."""
    async for piece in pieces:
        is_end = len(piece) < PIECE_ROWS
        for place, event in enumerate(piece, start=1):
            yield event, is_end and place == len(piece)

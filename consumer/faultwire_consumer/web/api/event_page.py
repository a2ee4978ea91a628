"""Some of the events that a filter finds, with their bodies: as many as a limit and a size allow."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.store.events.export import PIECE_ROWS, ExportedEvent, read_pieces
from faultwire_consumer.web.parameter import Parameters, event_query
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.state import CLOCK, STORE

PAGE_BYTES: Final = 4 * 1024 * 1024
_READ: Final = 5
"""Times the limit that is read at most, where bodies were not kept."""


class EventPage(Struct):
    """Some events with bodies, how many without were passed, and where to go on; None at the end."""

    events: list[ExportedEvent]
    left_out: int = 0
    size: int = 0
    next_cursor: str | None = None


async def read_event_page(request: web.Request) -> EventPage:
    """The events that a request asks for, bounded by its limit and by bytes."""
    # A duration means the same for every page if the others carry the first one's time.
    now = read_parameters(request).moment("as_of") or request.app[CLOCK]()
    parameters = Parameters({name: request.query.getall(name) for name in request.query}, now=now)
    parameters.moment("as_of")
    query, limit, cursor = event_query(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    pieces = read_pieces(request.app[STORE], query, now=now, cursor=cursor)
    with cursor_errors():
        async with aclosing(_events(pieces)) as found:
            return await _gather(found, limit)


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

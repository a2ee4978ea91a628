"""Events by the thousand: as JSON lines to keep, and how this release would group them."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.store.events.export import PIECE_ROWS, Kept, read_pieces
from faultwire_consumer.web.api import PREFIX, cursor_errors, read_parameters
from faultwire_consumer.web.parameter import Parameters, event_query
from faultwire_consumer.web.state import CLOCK, STORE

NDJSON: Final = "application/x-ndjson"
NEXT_CURSOR: Final = "X-Next-Cursor"
LEFT_OUT: Final = "X-Left-Out"
PAGE_BYTES: Final = 4 * 1024 * 1024
_READ: Final = 5
"""Times the limit that is read at most, where bodies were not kept."""

routes = web.RouteTableDef()


class Page(Struct):
    """Some events with bodies, how many without were passed, and where to go on; None at the end."""

    events: list[Kept]
    left_out: int = 0
    size: int = 0
    next_cursor: str | None = None


@routes.get(f"{PREFIX}/events/export")
async def export_events(request: web.Request) -> web.Response:
    """Events as they came, one a line, the first received first; where to go on stands in a header."""
    page = await read_page(request)
    headers = {LEFT_OUT: str(page.left_out)}
    if page.next_cursor is not None:
        headers[NEXT_CURSOR] = page.next_cursor
        headers["Link"] = f'<{request.rel_url.update_query(cursor=page.next_cursor)}>; rel="next"'
    body = b"".join(line_of(event.doc) for event in page.events if event.doc is not None)
    return web.Response(body=body, content_type=NDJSON, headers=headers)


def line_of(doc: bytes) -> bytes:
    """A body as one line: a break in JSON can only stand between its words."""
    return doc.translate(_BREAKS) + b"\n"


_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")


async def read_page(request: web.Request) -> Page:
    """The events that a request asks for, bounded by its limit and by bytes."""
    # A duration means the same for every page, if the first one's time is told with the others.
    now = read_parameters(request).moment("as_of") or request.app[CLOCK]()
    parameters = Parameters({name: request.query.getall(name) for name in request.query}, now=now)
    parameters.moment("as_of")
    query, limit, cursor = event_query(parameters), parameters.limit(), parameters.cursor()
    parameters.finish()
    pieces = read_pieces(request.app[STORE], query, now=now, cursor=cursor)
    with cursor_errors():
        async with aclosing(_events(pieces)) as found:
            return await _gather(found, limit)


async def _gather(found: AsyncIterator[tuple[Kept, bool]], limit: int) -> Page:
    page = Page([])
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


async def _events(pieces: AsyncIterator[Sequence[Kept]]) -> AsyncGenerator[tuple[Kept, bool]]:
    """Each event, and whether none follows it for certain."""
    async for piece in pieces:
        is_end = len(piece) < PIECE_ROWS
        for place, event in enumerate(piece, start=1):
            yield event, is_end and place == len(piece)

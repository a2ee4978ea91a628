"""Events by the thousand, as JSON lines to keep."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.contract.packed_body import is_packed
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api.event_page import EventsAsked, event_page_asked, read_event_page
from faultwire_consumer.web.openapi.answer import GivenAnswer
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged
from faultwire_consumer.web.request import API_PREFIX

NDJSON: Final = "application/x-ndjson"
NEXT_CURSOR: Final = "X-Next-Cursor"
LEFT_OUT: Final = "X-Left-Out"
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")

routes = AccessRoutes()


_LINES: Final = GivenAnswer(
    content={NDJSON: None},
    about="Events as they came, one a line.",
    headers={
        NEXT_CURSOR: "The cursor of the page that follows; not there at the end.",
        LEFT_OUT: "The number of events that were passed over, as their bodies were not kept or are damaged.",
        "Link": 'The page that follows, as rel="next"; not there at the end.',
    },
)


@routes.get(f"{API_PREFIX}/events/export", access=AccessScope.READ)
@describe(reads=event_page_asked, answers=_LINES)
async def export_events(request: web.Request, asked: Paged[EventsAsked]) -> web.Response:
    """Events as they came, one a line, the first received first; a header says where to go on."""
    page = await read_event_page(request, asked)
    # What is damaged in the store would be no line that anybody reads.
    bodies = [event.doc for event in page.events if event.doc is not None and not is_packed(event.doc)]
    headers = {LEFT_OUT: str(page.left_out + len(page.events) - len(bodies))}
    if page.next_cursor is not None:
        headers[NEXT_CURSOR] = page.next_cursor
        headers["Link"] = f'<{request.rel_url.update_query(cursor=page.next_cursor)}>; rel="next"'
    return web.Response(body=b"".join(map(line_of, bodies)), content_type=NDJSON, headers=headers)


def line_of(doc: bytes) -> bytes:
    """A body as one line: a break in JSON can only stand between its words."""
    return doc.translate(_BREAKS) + b"\n"

"""Events by the thousand, as JSON lines to keep."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api.event_page import read_event_page
from faultwire_consumer.web.request import API_PREFIX

NDJSON: Final = "application/x-ndjson"
NEXT_CURSOR: Final = "X-Next-Cursor"
LEFT_OUT: Final = "X-Left-Out"
_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")

routes = AccessRoutes()


@routes.get(f"{API_PREFIX}/events/export", access=AccessScope.READ)
async def export_events(request: web.Request) -> web.Response:
    """Events as they came, one a line, the first received first; a header says where to go on."""
    page = await read_event_page(request)
    headers = {LEFT_OUT: str(page.left_out)}
    if page.next_cursor is not None:
        headers[NEXT_CURSOR] = page.next_cursor
        headers["Link"] = f'<{request.rel_url.update_query(cursor=page.next_cursor)}>; rel="next"'
    body = b"".join(line_of(event.doc) for event in page.events if event.doc is not None)
    return web.Response(body=body, content_type=NDJSON, headers=headers)


def line_of(doc: bytes) -> bytes:
    """A body as one line: a break in JSON can only stand between its words."""
    return doc.translate(_BREAKS) + b"\n"

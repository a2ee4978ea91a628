"""A failure as a page; it asks nothing of the store, which may be what failed."""

from datetime import datetime

from aiohttp import web

from faultwire_consumer.web.failure import Failure
from faultwire_consumer.web.page.reader import reader_of
from faultwire_consumer.web.page.shell import show_bare


def render_failure(request: web.Request, failure: Failure, *, now: datetime) -> web.Response:
    """Return the page of a failure."""
    response = show_bare(
        "section/failure.html", now=now, reader=reader_of(request), status=failure.status, failure=failure
    )
    response.headers.update(failure.headers)
    return response

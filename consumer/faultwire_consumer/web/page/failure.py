"""A failure as a page; it asks nothing of the store, which may be what failed."""

from datetime import datetime
from typing import Final

from aiohttp import web

from faultwire_consumer.web.access.sign_in import SIGN_IN
from faultwire_consumer.web.failure import Failure
from faultwire_consumer.web.page.reader import reader_of
from faultwire_consumer.web.page.shell import show_bare

_OF_ACCESS: Final = (401, 403, 410)
"""Somebody else may do it, or the link to get in is over."""


def render_failure(request: web.Request, failure: Failure, *, now: datetime) -> web.Response:
    """Return the page of a failure."""
    response = show_bare(
        "section/failure.html",
        now=now,
        reader=reader_of(request),
        status=failure.status,
        failure=failure,
        offers_sign_in=SIGN_IN in request.app and failure.status in _OF_ACCESS,
    )
    response.headers.update(failure.headers)
    return response

"""Producers under ``/api/v1``: who numbers its events, what is missing of them, and what was lost."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.audit.producer_list import list_producers
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api import shape
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, page_answer, read_parameters
from faultwire_consumer.web.state import STORE

_PATH: Final = f"{API_PREFIX}/producers"

routes = AccessRoutes()


@routes.get(_PATH, access=AccessScope.READ)
async def show_producers(request: web.Request) -> web.Response:
    """Producers by service, the last seen first."""
    parameters = read_parameters(request)
    service, limit, cursor = parameters.texts("service"), parameters.limit(), parameters.cursor()
    parameters.finish()
    with cursor_errors():
        page = await list_producers(request.app[STORE], service=service, limit=limit, cursor=cursor)
    rows = tuple(shape.producer_shape(row) for row in page.rows)
    return page_answer(request, shape.ProducerList(producers=rows, next_cursor=page.next_cursor))

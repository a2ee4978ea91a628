"""Producers under ``/api/v1``: who numbers its events, what is missing of them, and what was lost."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.audit.producer_list import list_producers
from faultwire_consumer.store.audit.service_list import list_services
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.api.producers import shape
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, page_answer
from faultwire_consumer.web.state import CLOCK, STORE

_PATH: Final = f"{API_PREFIX}/producers"

routes = AccessRoutes()


def services_wanted(parameters: Parameters) -> tuple[str, ...]:
    """The services whose producers are asked for; none: all."""
    return parameters.texts("service")


@routes.get(_PATH, access=AccessScope.READ)
@describe(reads=paged(services_wanted), answers=shape.ProducerList)
async def show_producers(request: web.Request, asked: Paged[tuple[str, ...]]) -> web.Response:
    """Producers, a process each, the last seen first."""
    with cursor_errors():
        page = await list_producers(
            request.app[STORE], service=asked.wanted, limit=asked.limit, cursor=asked.cursor
        )
    now = request.app[CLOCK]()
    rows = tuple(shape.producer_shape(row, now) for row in page.rows)
    return page_answer(request, shape.ProducerList(producers=rows, next_cursor=page.next_cursor))


@routes.get(f"{_PATH}/services", access=AccessScope.READ)
@describe(reads=paged(services_wanted), answers=shape.ServiceList)
async def show_services(request: web.Request, asked: Paged[tuple[str, ...]]) -> web.Response:
    """Services by what their processes add up to, the last heard from first."""
    with cursor_errors():
        page = await list_services(
            request.app[STORE],
            service=asked.wanted,
            limit=asked.limit,
            now=request.app[CLOCK](),
            cursor=asked.cursor,
        )
    rows = tuple(shape.service_shape(row) for row in page.rows)
    return page_answer(request, shape.ServiceList(services=rows, next_cursor=page.next_cursor))

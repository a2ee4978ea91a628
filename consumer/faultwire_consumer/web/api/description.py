"""The API's description under ``/api/v1``, for programs that make clients and tests of it."""

from typing import Any

from aiohttp import web

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.openapi.served import OPEN_API
from faultwire_consumer.web.request import API_PREFIX
from faultwire_shared.error_body import JSON_TYPE

routes = AccessRoutes()


@routes.get(f"{API_PREFIX}/openapi.json", access=AccessScope.READ)
@describe(answers=dict[str, Any])
async def show_description(request: web.Request) -> web.Response:
    """This description, by OpenAPI 3.1."""
    return web.Response(body=request.app[OPEN_API].text, content_type=JSON_TYPE)

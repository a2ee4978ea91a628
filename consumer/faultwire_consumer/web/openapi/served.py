"""The API's description as it is served: made at its first request, and then the same bytes for ever."""

from functools import cached_property
from typing import Any, Final

import msgspec
from aiohttp import web

from faultwire_consumer.web.openapi.document import make_document


class OpenApi:
    """The description of one application."""

    def __init__(self, app: web.Application) -> None:
        self._app = app

    @cached_property
    def document(self) -> dict[str, Any]:
        """The description as a document.

        Raises:
            UndescribedRouteError: a route says nothing of itself.
        """
        return make_document(self._app)

    @cached_property
    def text(self) -> bytes:
        """The description as JSON."""
        return msgspec.json.encode(self.document)


OPEN_API: Final = web.AppKey("open_api", OpenApi)

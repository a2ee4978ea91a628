"""The place in a request where the guard leaves who asks."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.principal import Principal

PRINCIPAL: Final = web.RequestKey("principal", Principal)
"""There in each request that passed the guard; not for a route that is open to anybody."""

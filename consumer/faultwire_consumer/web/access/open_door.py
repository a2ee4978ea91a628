"""The open door: nobody signs in, and whoever can ask may do what operators do."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import ALL_SCOPES, AccessScope
from faultwire_consumer.web.access.declared import access_of
from faultwire_consumer.web.request import API_ACTOR, API_PREFIX, PAGE_ACTOR

OPEN_SCOPES: Final = ALL_SCOPES - {AccessScope.ADMIN}
"""Not accounts and tokens: a token that anybody made would outlast the door."""
_PROGRAM: Final = Principal(actor=API_ACTOR, via=Via.OPEN, scopes=OPEN_SCOPES)
_PERSON: Final = Principal(actor=PAGE_ACTOR, via=Via.OPEN, scopes=OPEN_SCOPES)


async def open_door(request: web.Request) -> Principal | None:
    """Recognise everybody, by the way they came."""
    return _PROGRAM if request.path.startswith(API_PREFIX) else _PERSON


async def trusting_door(request: web.Request) -> Principal | None:
    """Recognise everybody on a network that is trusted, but for events, which take a token there."""
    return None if access_of(request) is AccessScope.INGEST else await open_door(request)

"""The guard in front of every handler: it recognises who asks, and lets in whom the route allows."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.web.access.declared import Openness, access_of
from faultwire_consumer.web.access.refusal import NotSignedInError, ScopeMissingError, UndeclaredAccessError

Recogniser = Callable[[web.Request], Awaitable[Principal | None]]
"""Recognises who asks by one way; None where the request does not try that way.

It raises a refusal where the request tries it in vain: what is forged is never taken for nobody.
"""

RECOGNISERS: Final[web.AppKey[Sequence[Recogniser]]] = web.AppKey("recognisers")
"""Asked in their order, until one knows who asks: bearer token, trusted proxy, session, open door."""


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in whom the route allows; a route that is open asks nobody and no database who that is."""
    access = access_of(request)
    if access is None:
        raise UndeclaredAccessError
    if not isinstance(access, Openness):
        principal = await recognise(request)
        if principal is None:
            raise NotSignedInError
        if not principal.may(access):
            raise ScopeMissingError(principal.actor, access, is_open=principal.via is Via.OPEN)
        request[PRINCIPAL] = principal
    return await handler(request)


async def recognise(request: web.Request) -> Principal | None:
    """Return who asks; None for nobody.

    Raises:
        AuthenticationError: somebody claims to be somebody, and is not.
        DoubledHeaderError: by two claims at once.
    """
    for recogniser in request.app[RECOGNISERS]:
        principal = await recogniser(request)
        if principal is not None:
            return principal
    return None

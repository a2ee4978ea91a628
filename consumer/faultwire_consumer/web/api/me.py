"""``/api/v1/me``: how the worker knows whoever asks, and what they may do."""

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.request import API_PREFIX, json_answer

routes = AccessRoutes()


class PrincipalShape(Struct, frozen=True, kw_only=True):
    """A person or program that asks."""

    actor: str
    """The name that histories keep."""
    via: str
    """By what it is known: open, token, session or proxy."""
    scopes: list[str]
    services: list[str]
    """Patterns of the services that a token may post events of; empty: of every service."""


@routes.get(f"{API_PREFIX}/me", access=AccessScope.READ)
@describe(answers=PrincipalShape)
async def show_me(request: web.Request) -> web.Response:
    """Whoever asks: the name, by what it is known, and what it may do."""
    principal = request[PRINCIPAL]
    shown = PrincipalShape(
        actor=principal.actor,
        via=principal.via.value,
        scopes=sorted(scope.value for scope in principal.scopes),
        services=list(principal.services),
    )
    return json_answer(shown)

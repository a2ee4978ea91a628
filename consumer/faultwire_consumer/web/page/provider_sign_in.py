"""The way to a provider at which people sign in, and the way back."""

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web

from faultwire_consumer.domain.access.next_path import next_path
from faultwire_consumer.domain.access.session_lifetime import PROVIDER_LIFE
from faultwire_consumer.web.access.declared import OPEN, AccessRoutes
from faultwire_consumer.web.access.oidc import CALLBACK_PATH, PROVIDER, ProviderDoor
from faultwire_consumer.web.access.session import clear_cookie, read_cookie, set_cookie
from faultwire_consumer.web.access.visitor import visitor_of
from faultwire_consumer.web.request import read_parameters
from faultwire_shared.taxonomy import FieldError, ValidationError

_SUFFIX: Final = "-provider"
_ANSWER_CHARACTERS_MAX: Final = 4_000

routes = AccessRoutes()


@routes.get("/sign-in/provider", access=OPEN)
async def begin(request: web.Request) -> web.Response:
    """Send the browser to the provider."""
    door = _door_of(request)
    parameters = read_parameters(request)
    following = next_path(parameters.raw_text("next"))
    parameters.finish()
    started = await door.start(following)
    response = web.Response(status=303, headers={hdrs.LOCATION: started.location})
    set_cookie(request, response, started.browser, life=PROVIDER_LIFE, suffix=_SUFFIX)
    return response


@routes.get(CALLBACK_PATH, access=OPEN)
async def end(request: web.Request) -> web.Response:
    """Take the browser back from the provider, and let its person in."""
    door = _door_of(request)
    opened, following = await door.finish(
        _read_answer(request), read_cookie(request, _SUFFIX), visitor_of(request)
    )
    response = web.Response(status=303, headers={hdrs.LOCATION: following})
    clear_cookie(request, response, _SUFFIX)
    set_cookie(request, response, opened.secret, life=opened.life)
    return response


def _door_of(request: web.Request) -> ProviderDoor:
    door = request.app.get(PROVIDER)
    if door is None:
        raise web.HTTPNotFound(text="Nobody signs in at a provider here: oidc_issuer is not set.")
    return door


def _read_answer(request: web.Request) -> Mapping[str, str]:
    """Return what the provider sent along; it may add words that mean nothing here.

    Raises:
        ValidationError: a word came twice, or is longer than any provider's.
    """
    for name in request.query:
        values = request.query.getall(name)
        if len(values) > 1 or len(values[0]) > _ANSWER_CHARACTERS_MAX:
            raise ValidationError(errors=[FieldError(name[:100], "came twice, or is too long")])
    return dict(request.query)

"""The pages on which people sign in, set their password by a link, and sign out."""

from typing import Any
from urllib.parse import urlencode, urlsplit

from aiohttp import hdrs, web

from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.password import PASSWORD_CHARACTERS_MIN
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.web.access.declared import OPEN, AccessRoutes
from faultwire_consumer.web.access.oidc import PROVIDER
from faultwire_consumer.web.access.own_page import check_own_page
from faultwire_consumer.web.access.refusal import (
    PasswordUnfitError,
    SignInWaitError,
    WithoutTlsError,
    WrongPasswordError,
)
from faultwire_consumer.web.access.session import clear_cookie, read_cookie, set_cookie
from faultwire_consumer.web.access.sign_in import SIGN_IN, OpenedSession, SignInDoor
from faultwire_consumer.web.access.visitor import visitor_of
from faultwire_consumer.web.origin import is_loopback_host
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.reader import reader_of
from faultwire_consumer.web.page.shell import go_to, show_bare
from faultwire_consumer.web.request import read_parameters
from faultwire_consumer.web.state import CLOCK

routes = AccessRoutes()


@routes.get("/sign-in", access=OPEN)
async def show_sign_in(request: web.Request) -> web.Response:
    """The form for a name and a password."""
    _door_of(request)
    parameters = read_parameters(request)
    following = next_path(parameters.raw_text("next"))
    parameters.finish()
    return _sign_in_page(request, following=following)


@routes.post("/sign-in", access=OPEN)
async def sign_in(request: web.Request) -> web.Response:
    """Take a name and a password, and go on to the page that was asked for."""
    door = _door_of(request)
    check_own_page(request)
    _check_tls(request)
    form = await read_fields(request, ("name", "password", "next"))
    following = next_path(form["next"])
    try:
        opened = await door.sign_in(form["name"], form["password"], visitor_of(request))
    except (WrongPasswordError, SignInWaitError) as error:
        response = _sign_in_page(request, following=following, name=form["name"][:100], error=error)
        if isinstance(error, SignInWaitError):
            response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_seconds)
        return response
    return _let_in(request, opened, following)


@routes.get("/invitation", access=OPEN)
async def show_invitation(request: web.Request) -> web.Response:
    """The form for the password that a link sets."""
    door = _door_of(request)
    parameters = read_parameters(request)
    secret = parameters.raw_text("link")
    parameters.finish()
    link = await door.find_link(secret)
    return _invitation_page(request, secret=secret, name=link.name)


@routes.post("/invitation", access=OPEN)
async def set_password(request: web.Request) -> web.Response:
    """Set the password that a link is for, and sign its account in."""
    door = _door_of(request)
    check_own_page(request)
    _check_tls(request)
    form = await read_fields(request, ("link", "password", "again"))
    link = await door.find_link(form["link"])
    if form["password"] != form["again"]:
        error = PasswordUnfitError("The two are not the same.")
        return _invitation_page(request, secret=form["link"], name=link.name, error=error)
    try:
        opened = await door.set_password(form["link"], form["password"], visitor_of(request))
    except PasswordUnfitError as error:
        return _invitation_page(request, secret=form["link"], name=link.name, error=error)
    return _let_in(request, opened, HOME)


@routes.post("/sign-out", access=AccessScope.READ)
async def sign_out(request: web.Request) -> web.Response:
    """End the browser's session."""
    door, principal = _door_of(request), request[PRINCIPAL]
    secret = read_cookie(request) if principal.via is Via.SESSION else None  # a program's cookie is not read
    if secret is not None:
        await door.sign_out(secret, principal.actor, visitor_of(request))
    response = go_to("/sign-in")
    clear_cookie(request, response)
    return response


def _door_of(request: web.Request) -> SignInDoor:
    door = request.app.get(SIGN_IN)
    if door is None:
        raise web.HTTPNotFound(text='Nobody signs in at this worker: its setting access is not "login".')
    return door


def _check_tls(request: web.Request) -> None:
    """Refuse a password that came without TLS over a network: a browser would not keep its session either.

    Raises:
        WithoutTlsError: the page's own address says so.
    """
    scheme = urlsplit(request.headers.get(hdrs.ORIGIN, "")).scheme
    if scheme == "http" and not is_loopback_host(request.headers.get(hdrs.HOST)):
        raise WithoutTlsError


def _let_in(request: web.Request, opened: OpenedSession, following: str) -> web.Response:
    response = go_to(following)
    set_cookie(request, response, opened.secret, life=opened.life)
    return response


def _sign_in_page(request: web.Request, *, following: str, name: str = "", error: Any = None) -> web.Response:
    return show_bare(
        "door/sign_in.html",
        reader=reader_of(request),
        status=error.status if error is not None else 200,
        now=request.app[CLOCK](),
        following=following,
        at_provider=PROVIDER in request.app and f"/sign-in/provider?{urlencode({'next': following})}",
        name=name,
        error=error,
    )


def _invitation_page(
    request: web.Request, *, secret: str, name: str, error: PasswordUnfitError | None = None
) -> web.Response:
    return show_bare(
        "door/invitation.html",
        reader=reader_of(request),
        status=error.status if error is not None else 200,
        now=request.app[CLOCK](),
        secret=secret,
        name=name,
        error=error,
        least=PASSWORD_CHARACTERS_MIN,
    )

"""One's own account: who the worker takes somebody for, what they may do, and their browsers."""

from typing import Any, Final

from aiohttp import web

from faultwire_consumer.domain.access.password import PASSWORD_CHARACTERS_MIN
from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.store.access.accounts import StoredAccount, find_account
from faultwire_consumer.store.access.sessions import hash_secret, list_sessions
from faultwire_consumer.store.replica.store import reading_primary
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.refusal import PasswordUnfitError, SignInWaitError, WrongPasswordError
from faultwire_consumer.web.access.session import read_cookie, set_cookie
from faultwire_consumer.web.access.sign_in import SIGN_IN, SignInDoor
from faultwire_consumer.web.access.visitor import visitor_of
from faultwire_consumer.web.page.accounts.view import SCOPE_WORDS, VIA_WORDS, sessions_view
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.request import read_parameters
from faultwire_consumer.web.state import CLOCK, STORE

PATH: Final = "/account"
_SESSIONS_SHOWN: Final = 50

routes = AccessRoutes()


@routes.get(PATH, access=AccessScope.READ)
async def show_account(request: web.Request) -> web.Response:
    """The page of whoever asks: by what they are known, what they may do, where they are signed in."""
    read_parameters(request).finish()
    return await _own_page(request)


@routes.post(f"{PATH}/password", access=AccessScope.READ)
async def change_password(request: web.Request) -> web.Response:
    """Set another password for whoever knows the one before."""
    door, principal = _door_of(request)
    form = await read_fields(request, ("before", "after", "again"))
    if form["after"] != form["again"]:
        return await _own_page(request, wrong={"again": "The two are not the same."}, status=400)
    try:
        opened = await door.change_password(
            principal.actor, form["before"], form["after"], visitor_of(request)
        )
    except PasswordUnfitError as error:
        return await _own_page(request, wrong={"after": str(error)}, status=error.status)
    except (WrongPasswordError, SignInWaitError) as error:
        said = "This is not your password." if isinstance(error, WrongPasswordError) else str(error)
        return await _own_page(request, wrong={"before": said}, status=error.status)
    response = go_to(PATH, Notice("Your password is changed; all your other browsers are signed out."))
    set_cookie(request, response, opened.secret, life=opened.life)
    return response


@routes.post(f"{PATH}/sessions/end", access=AccessScope.READ)
async def end_sessions(request: web.Request) -> web.Response:
    """End one of one's own sessions, or all but this browser's."""
    door, principal = _door_of(request)
    form = await read_fields(request, ("session",))
    ended = await door.sign_out_of(
        principal.subject_id or 0,
        principal.actor,
        visitor_of(request),
        handle=form["session"][:100],
        but=read_cookie(request),
    )
    said = (
        f"{ended:,} other browser{'s are' if ended != 1 else ' is'} signed out." if ended else "It had ended."
    )
    return go_to(PATH, Notice(said))


def _door_of(request: web.Request) -> tuple[SignInDoor, Principal]:
    """Return the door and who asks, who has to be signed in by a session."""
    door, principal = request.app.get(SIGN_IN), request[PRINCIPAL]
    if door is None or principal.via is not Via.SESSION:
        raise web.HTTPNotFound(text="This is for whoever is signed in with a browser.")
    return door, principal


async def _own_page(
    request: web.Request, *, wrong: dict[str, str] | None = None, status: int = 200
) -> web.Response:
    principal = request[PRINCIPAL]
    account = await _account_of(request, principal)
    sessions: tuple[Any, ...] = ()
    if account is not None and principal.via is Via.SESSION:
        found = await list_sessions(
            request.app[STORE], account.id, now=request.app[CLOCK](), limit=_SESSIONS_SHOWN
        )
        sessions = sessions_view(found, this=hash_secret(read_cookie(request) or "").hex())
    values: dict[str, Any] = {
        "principal": principal,
        "via": VIA_WORDS.get(principal.via, principal.via.value),
        "known": account,
        "scopes": [(scope, SCOPE_WORDS[scope]) for scope in AccessScope if principal.may(scope)],
        "sessions": sessions,
        "most": _SESSIONS_SHOWN,
        "open": principal.via is Via.OPEN,
        "least": PASSWORD_CHARACTERS_MIN,
    }
    return await show(request, "accounts/own.html", status=status, wrong=wrong or {}, **values)


async def _account_of(request: web.Request, principal: Principal) -> StoredAccount | None:
    if principal.via not in (Via.SESSION, Via.PROXY):
        return None
    with reading_primary():
        return await find_account(request.app[STORE], principal.actor)

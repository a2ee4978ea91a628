"""Accounts, for admins: listed, invited, given roles, disabled and signed out."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.actions import accounts as actions
from faultwire_consumer.actions.accounts import AccountConflictError
from faultwire_consumer.domain.access.scope import AccessScope, AccountRole
from faultwire_consumer.store.access.accounts import list_accounts
from faultwire_consumer.store.replica.store import reading_primary
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.guard import RECOGNISERS
from faultwire_consumer.web.access.open_door import open_door, trusting_door
from faultwire_consumer.web.access.sign_in import SIGN_IN
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.inviting import make_link
from faultwire_consumer.web.page.accounts.view import ROLE_WORDS, accounts_view
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.request import read_parameters
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

PATH: Final = "/access"

routes = AccessRoutes()


@routes.get(PATH, access=AccessScope.ADMIN)
async def show_accounts(request: web.Request) -> web.Response:
    """Accounts by name, the disabled ones too, and the form that invites."""
    parameters = read_parameters(request)
    named = parameters.text("name") or ""
    parameters.finish()
    return await _accounts_page(request, named=named)


@routes.post(f"{PATH}/invitations", access=AccessScope.ADMIN)
async def invite(request: web.Request) -> web.Response:
    """Make a link that sets a password, or an account for somebody whom a proxy knows."""
    typed = await read_fields(request, ("name", "role"))
    name = typed["name"].strip().lower() if SIGN_IN in request.app else typed["name"].strip()
    try:
        role = _role_of(typed["role"])
        if SIGN_IN not in request.app:
            return await _add_known(request, name, role)
        made = await make_link(request, name, role)
    except ValidationError as error:
        wrong = {one.field: one.message for one in error.errors}
        return await _accounts_page(request, typed=typed, wrong=wrong, status=error.status)
    except AccountConflictError as error:
        return await _accounts_page(request, typed=typed, wrong={"name": str(error)}, status=error.status)
    return await show(request, "accounts/invited.html", made=made, is_new=True)


async def _add_known(request: web.Request, name: str, role: AccountRole | None) -> web.Response:
    """Make an account without a password.

    Raises:
        ValidationError: the name cannot be one, or there is no role.
        AccountConflictError: it stands already.
    """
    role = _needed(role)
    source, now = source_of(request), request.app[CLOCK]()
    if not await actions.add_without_password(request.app[STORE], name, role, source=source, now=now):
        raise AccountConflictError(f"{name} has an account already")
    return go_to(PATH, Notice(f"{name} has an account, as {role}."))


@routes.post(f"{PATH}/accounts/{{name}}/link", access=AccessScope.ADMIN)
async def renew_link(request: web.Request) -> web.Response:
    """Make a link that sets another password for an account that stands."""
    await read_fields(request, ())
    try:
        made = await make_link(request, request.match_info["name"], None)
    except (ValidationError, AccountConflictError) as error:
        return _refuse(error)
    return await show(request, "accounts/invited.html", made=made, is_new=False)


@routes.post(f"{PATH}/accounts/{{name}}/role", access=AccessScope.ADMIN)
async def give_role(request: web.Request) -> web.Response:
    """Give an account another role, which signs it out."""
    form, name = await read_fields(request, ("role",)), request.match_info["name"]
    try:
        role = _needed(_role_of(form["role"]))
        await actions.change_role(
            request.app[STORE], name, role, source=source_of(request), now=request.app[CLOCK]()
        )
    except (ValidationError, AccountConflictError) as error:
        return _refuse(error)
    return go_to(PATH, Notice(f"{name} is {role} from the next sign-in on."))


@routes.post(f"{PATH}/accounts/{{name}}/disable", access=AccessScope.ADMIN)
async def disable(request: web.Request) -> web.Response:
    """Sign an account out and let it in no more."""
    await read_fields(request, ())
    name = request.match_info["name"]
    try:
        await actions.disable_account(
            request.app[STORE], name, source=source_of(request), now=request.app[CLOCK]()
        )
    except AccountConflictError as error:
        return _refuse(error)
    return go_to(PATH, Notice(f"{name} is signed out and disabled; histories keep the name."))


@routes.post(f"{PATH}/accounts/{{name}}/enable", access=AccessScope.ADMIN)
async def enable(request: web.Request) -> web.Response:
    """Let a disabled account in again."""
    await read_fields(request, ())
    name = request.match_info["name"]
    await actions.enable_account(
        request.app[STORE], name, source=source_of(request), now=request.app[CLOCK]()
    )
    return go_to(PATH, Notice(f"{name} can sign in again."))


@routes.post(f"{PATH}/accounts/{{name}}/sign-out", access=AccessScope.ADMIN)
async def sign_out(request: web.Request) -> web.Response:
    """End every session of an account."""
    await read_fields(request, ())
    name = request.match_info["name"]
    ended = await actions.sign_out_everywhere(
        request.app[STORE], name, source=source_of(request), now=request.app[CLOCK]()
    )
    return go_to(
        PATH, Notice(f"{name} is signed out everywhere: {ended:,} session{'s' * (ended != 1)} ended.")
    )


def _role_of(text: str) -> AccountRole | None:
    """Return the role that a form names; None for none.

    Raises:
        ValidationError: there is none of that name.
    """
    if not text:
        return None
    try:
        return AccountRole(text)
    except ValueError:
        known = ", ".join(AccountRole)
        raise ValidationError(errors=[FieldError("role", f"one of {known}")]) from None


def _needed(role: AccountRole | None) -> AccountRole:
    if role is None:
        raise ValidationError(errors=[FieldError("role", "choose what the account may do")])
    return role


def _refuse(error: ValidationError | AccountConflictError) -> web.Response:
    return go_to(PATH, Notice(f"Nothing was changed: {error}.", refused=True))


def is_open(request: web.Request) -> bool:
    """Return whether nobody signs in at this worker."""
    return any(recogniser in (open_door, trusting_door) for recogniser in request.app[RECOGNISERS])


async def _accounts_page(
    request: web.Request,
    *,
    named: str = "",
    typed: Mapping[str, str] | None = None,
    wrong: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    signs_in = SIGN_IN in request.app
    with reading_primary():
        accounts = await list_accounts(request.app[STORE])
    view = accounts_view(accounts, named=named, actor=source_of(request).actor, signs_in=signs_in)
    values: dict[str, Any] = {"view": view, "named": named, "signs_in": signs_in, "open": is_open(request)}
    return await show(
        request,
        "accounts/page.html",
        status=status,
        roles=ROLE_WORDS,
        typed=typed or {"name": "", "role": ""},
        wrong={"name": "", "role": ""} | dict(wrong or {}),
        **values,
    )

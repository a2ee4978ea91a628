"""Accounts and the audit under ``/api/v1/access``; for who has the scope ``admin``."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from aiohttp import web

from faultwire_consumer.actions.accounts import (
    AccountConflictError,
    AccountNotFoundError,
    add_without_password,
    change_role,
    disable_account,
    enable_account,
    sign_out_everywhere,
)
from faultwire_consumer.domain.access.scope import AccessScope, AccountRole
from faultwire_consumer.store.access.accounts import StoredAccount, find_account, list_accounts
from faultwire_consumer.store.access.audit import AuditFilter, AuditRow, list_audit
from faultwire_consumer.store.replica.store import reading_primary
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.inviting import make_link
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, Parameters, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, json_answer, page_answer
from faultwire_consumer.web.state import CLOCK, STORE

_PATH: Final = f"{API_PREFIX}/access"
_RAISED: Final = [AccountNotFoundError, AccountConflictError]

routes = AccessRoutes()


class InvitationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a link."""

    name: str
    role: AccountRole | None = None
    """Of a new account; one that stands keeps its own."""


class AccountRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for an account."""

    name: str
    role: AccountRole


class RoleRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a change of role."""

    role: AccountRole


class NothingMore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a change that its path says all of; it may be missing."""


class InvitationShape(msgspec.Struct, frozen=True, kw_only=True):
    """A link that sets a password, told this once."""

    name: str
    role: AccountRole | None
    link: str
    expires_at: str


class AccountList(msgspec.Struct, frozen=True, kw_only=True):
    """Every account."""

    accounts: tuple[StoredAccount, ...]


class AuditList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the audit."""

    entries: tuple[AuditRow, ...]
    next_cursor: str | None


@routes.get(f"{_PATH}/accounts", access=AccessScope.ADMIN)
@describe(answers=AccountList)
async def show_accounts(request: web.Request) -> web.Response:
    """Accounts by name, the disabled ones too."""
    with reading_primary():
        found = await list_accounts(request.app[STORE])
    return json_answer(AccountList(accounts=found))


@routes.post(f"{_PATH}/invitations", access=AccessScope.ADMIN)
@describe(takes=InvitationRequest, answers=InvitationShape, raises=[AccountConflictError])
async def invite(request: web.Request, asked: InvitationRequest) -> web.Response:
    """Make a link that sets a password, of a new account or of one that stands."""
    made = await make_link(request, asked.name, asked.role)
    shown = InvitationShape(
        name=made.use.name,
        role=made.use.role,
        link=made.address,
        expires_at=msgspec.to_builtins(made.use.expires_at),
    )
    return json_answer(shown)


@routes.post(f"{_PATH}/accounts", access=AccessScope.ADMIN)
@describe(takes=AccountRequest, answers=StoredAccount, raises=[AccountConflictError, AccountNotFoundError])
async def add(request: web.Request, asked: AccountRequest) -> web.Response:
    """Make an account without a password, for somebody whom a proxy knows."""
    source, now = source_of(request), request.app[CLOCK]()
    if not await add_without_password(request.app[STORE], asked.name, asked.role, source=source, now=now):
        raise AccountConflictError(f"{asked.name} has an account already")
    return await _account(request, asked.name)


@routes.post(f"{_PATH}/accounts/{{name}}/role", access=AccessScope.ADMIN)
@describe(takes=RoleRequest, answers=StoredAccount, raises=_RAISED)
async def give_role(request: web.Request, asked: RoleRequest) -> web.Response:
    """Give an account another role, which signs it out."""
    name, now = request.match_info["name"], request.app[CLOCK]()
    await change_role(request.app[STORE], name, asked.role, source=source_of(request), now=now)
    return await _account(request, name)


@routes.post(f"{_PATH}/accounts/{{name}}/disable", access=AccessScope.ADMIN)
@describe(takes=NothingMore, answers=StoredAccount, raises=_RAISED)
async def disable(request: web.Request, _: NothingMore) -> web.Response:
    """Sign an account out and let it in no more."""
    return await _switch(request, disable_account)


@routes.post(f"{_PATH}/accounts/{{name}}/enable", access=AccessScope.ADMIN)
@describe(takes=NothingMore, answers=StoredAccount, raises=_RAISED)
async def enable(request: web.Request, _: NothingMore) -> web.Response:
    """Let a disabled account in again."""
    return await _switch(request, enable_account)


@routes.post(f"{_PATH}/accounts/{{name}}/sign-out", access=AccessScope.ADMIN)
@describe(takes=NothingMore, answers=StoredAccount, raises=[AccountNotFoundError])
async def sign_out(request: web.Request, _: NothingMore) -> web.Response:
    """End every session of an account, in all browsers; it may sign in again."""
    return await _switch(request, sign_out_everywhere)


def _audit_filter(parameters: Parameters) -> AuditFilter:
    return AuditFilter(
        actor=parameters.texts("actor", "By this name, as ada or token:ci; any of several."),
        action=parameters.texts("action", "Of this kind, as session.opened; any of several."),
        object=parameters.texts("object", "Done to this account, token or incident; any of several."),
        since=parameters.moment("since", "Not before"),
    )


@routes.get(f"{_PATH}/audit", access=AccessScope.ADMIN)
@describe(reads=paged(_audit_filter), answers=AuditList)
async def show_audit(request: web.Request, asked: Paged[AuditFilter]) -> web.Response:
    """The audit, the newest entry first."""
    with cursor_errors():
        page = await list_audit(request.app[STORE], asked.wanted, limit=asked.limit, cursor=asked.cursor)
    return page_answer(request, AuditList(entries=page.rows, next_cursor=page.next_cursor))


async def _switch(request: web.Request, change: Callable[..., Awaitable[object]]) -> web.Response:
    name, now = request.match_info["name"], request.app[CLOCK]()
    await change(request.app[STORE], name, source=source_of(request), now=now)
    return await _account(request, name)


async def _account(request: web.Request, name: str) -> web.Response:
    with reading_primary():
        account = await find_account(request.app[STORE], name)
    if account is None:
        raise AccountNotFoundError(f"there is no account {name[:100]}")
    return json_answer(account)

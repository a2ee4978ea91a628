"""Tokens and DSNs, for admins: listed and revoked; and tokens made and shown once."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from aiohttp import web

from faultwire_consumer.actions.tokens import issue_token, revoke_token
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import TokenDraft
from faultwire_consumer.domain.access.token_shape import token_shape
from faultwire_consumer.domain.query.value import end_of
from faultwire_consumer.store.access.tokens import list_tokens
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.page.accounts.view import SCOPE_WORDS, split_services
from faultwire_consumer.web.page.form import SentForm, read_form
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.request import cursor_errors, read_parameters, root_of
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

PATH: Final = "/access/tokens"
_ROWS: Final = 50
_FIELDS: Final = ("name", "scopes", "services", "expires")
_SAID_AT: Final = ("name", "scopes", "services", "expires_at")
_FIELDS_MOST: Final = len(_FIELDS) + len(AccessScope) + 1
_NOTHING: Final = SentForm((("expires", "365d"),))
_NO_DSN: Final = SentForm((("expires", "never"),))
DSN_FIELDS: Final = ("service", "name", "key", "project", "origins", "expires")
_DSN_SAID_AT: Final = (*DSN_FIELDS, "expires_at")

routes = AccessRoutes()


@routes.get(PATH, access=AccessScope.ADMIN)
async def show_tokens(request: web.Request) -> web.Response:
    """Tokens and DSNs, the newest first, those that hold no longer too."""
    parameters = read_parameters(request)
    cursor = parameters.cursor()
    parameters.finish()
    return await tokens_page(request, cursor=cursor)


@routes.post(PATH, access=AccessScope.ADMIN)
async def make(request: web.Request) -> web.Response:
    """Make a token, and show it this once: the page is not kept, and no address leads to it."""
    form, now = await read_form(request, fields_max=_FIELDS_MOST), request.app[CLOCK]()
    form.refuse_others(_FIELDS)
    try:
        token, text = await issue_token(
            request.app[STORE],
            draft_of(form, now=now),
            source=source_of(request),
            now=now,
            draw=secrets.randbelow,
        )
    except ValidationError as error:
        wrong = {one.field: one.message for one in error.errors}
        return await tokens_page(request, typed=form, wrong=wrong, status=error.status)
    shape = token_shape(token, now, root=root_of(request))
    return await show(request, "accounts/issued.html", token=shape, text=text)


@routes.post(f"{PATH}/{{id}}/revoke", access=AccessScope.ADMIN)
async def revoke(request: web.Request) -> web.Response:
    """Revoke a token for good."""
    form = await read_form(request)
    form.refuse_others(())
    token = await revoke_token(
        request.app[STORE],
        request.match_info["id"],
        source=source_of(request),
        now=request.app[CLOCK](),
    )
    said = f"{token.prefix} of {token.name} is revoked; a worker that just let it in does so for 5 s more."
    return go_to(PATH, Notice(said))


def draft_of(form: SentForm, *, now: datetime) -> TokenDraft:
    """Return the token that a form asks for.

    Raises:
        ValidationError: a field cannot be read.
    """
    try:
        scopes = frozenset(AccessScope(one) for one in form.texts("scopes"))
    except ValueError:
        raise ValidationError(errors=[FieldError("scopes", f"of {', '.join(AccessScope)}")]) from None
    try:
        ends_at = end_of(form.text("expires"), now=now)
    except ValueError as error:
        raise ValidationError(errors=[FieldError("expires_at", str(error))]) from None
    services = split_services(form.text("services"))
    return TokenDraft(name=form.text("name").strip(), scopes=scopes, services=services, expires_at=ends_at)


async def tokens_page(
    request: web.Request,
    *,
    cursor: str | None = None,
    typed: SentForm = _NOTHING,
    wrong: Mapping[str, str] | None = None,
    dsn_typed: SentForm = _NO_DSN,
    dsn_wrong: Mapping[str, str] | None = None,
    status: int = 200,
) -> web.Response:
    """Show what stands, and both forms: as they were typed, with what is wrong at its field."""
    with cursor_errors():
        page = await list_tokens(request.app[STORE], limit=_ROWS, cursor=cursor)
    now, root = request.app[CLOCK](), root_of(request)
    values: dict[str, Any] = {"tokens": [token_shape(token, now, root=root) for token in page.rows]}
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return await show(
        request,
        "accounts/tokens.html",
        status=status,
        following=following if request.method == "GET" else None,
        is_later=cursor is not None,
        scopes=SCOPE_WORDS,
        typed={name: typed.text(name) for name in ("name", "services", "expires")},
        ticked=typed.texts("scopes"),
        wrong=dict.fromkeys(_SAID_AT, "") | dict(wrong or {}),
        dsn_typed={name: dsn_typed.text(name) for name in DSN_FIELDS},
        dsn_wrong=dict.fromkeys(_DSN_SAID_AT, "") | dict(dsn_wrong or {}),
        **values,
    )

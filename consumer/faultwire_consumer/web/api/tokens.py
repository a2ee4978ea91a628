"""Tokens under ``/api/v1/access/tokens``: issue, list, revoke; for who has the scope ``admin``."""

import secrets
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from faultwire_consumer.actions.tokens import TokenNotFoundError, issue_token, revoke_token
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import TokenDraft
from faultwire_consumer.domain.access.token_shape import IssuedToken, TokenList, TokenShape, token_shape
from faultwire_consumer.store.access.tokens import list_tokens
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, no_filter, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, json_answer, page_answer
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

_PATH: Final = f"{API_PREFIX}/access/tokens"

routes = AccessRoutes()


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a token."""

    name: str
    scopes: list[AccessScope]
    services: list[str] = []
    expires_at: datetime | None = None
    """With its zone; None for never."""


class TokenRevocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a revocation; it may be missing."""


@routes.get(_PATH, access=AccessScope.ADMIN)
@describe(reads=paged(no_filter), answers=TokenList)
async def list_(request: web.Request, asked: Paged[None]) -> web.Response:
    """Tokens, the newest first."""
    with cursor_errors():
        page = await list_tokens(request.app[STORE], limit=asked.limit, cursor=asked.cursor)
    now = request.app[CLOCK]()
    rows = tuple(token_shape(token, now) for token in page.rows)
    return page_answer(request, TokenList(tokens=rows, next_cursor=page.next_cursor))


@routes.post(_PATH, access=AccessScope.ADMIN)
@describe(takes=TokenRequest, answers=IssuedToken)
async def issue(request: web.Request, asked: TokenRequest) -> web.Response:
    """Make a token, and show it this once."""
    draft, source, now = _draft_of(asked), source_of(request), request.app[CLOCK]()
    token, text = await issue_token(request.app[STORE], draft, source=source, now=now, draw=secrets.randbelow)
    return json_answer(IssuedToken(token=text, access_token=token_shape(token, now)))


@routes.post(f"{_PATH}/{{id}}/revoke", access=AccessScope.ADMIN)
@describe(takes=TokenRevocation, answers=TokenShape, raises=[TokenNotFoundError])
async def revoke(request: web.Request, _: TokenRevocation) -> web.Response:
    """Revoke a token for good; one that was revoked stays as it is."""
    now = request.app[CLOCK]()
    token = await revoke_token(
        request.app[STORE], request.match_info["id"], source=source_of(request), now=now
    )
    return json_answer(token_shape(token, now))


def _draft_of(asked: TokenRequest) -> TokenDraft:
    if asked.expires_at is not None and asked.expires_at.tzinfo is None:
        raise ValidationError(
            errors=[FieldError("expires_at", "a time with its zone, as 2026-11-23T10:00:00Z")]
        )
    return TokenDraft(
        name=asked.name,
        scopes=frozenset(asked.scopes),
        services=tuple(asked.services),
        expires_at=asked.expires_at,
    )

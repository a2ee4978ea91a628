"""Tokens and DSNs under ``/api/v1/access/tokens``: issue, list, revoke; for who has the scope ``admin``."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web

from faultwire_consumer.actions.tokens import TokenNotFoundError, issue_dsn, issue_token, revoke_token
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import TokenDraft
from faultwire_consumer.domain.access.token_shape import IssuedToken, TokenList, TokenShape, token_shape
from faultwire_consumer.store.access.tokens import list_tokens
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Paged, no_filter, paged
from faultwire_consumer.web.request import API_PREFIX, cursor_errors, json_answer, page_answer, root_of
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

_PATH: Final = f"{API_PREFIX}/access/tokens"
_PLACES: Final = {"service": "services"} | {
    name: f"sentry_dsn.{name}" for name in ("key", "project", "origins")
}
"""Of what is said of a DSN, in the body of a request."""

routes = AccessRoutes()


class DsnRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of a request by which a DSN is made in place of a token."""

    key: str | None = None
    """An old DSN's public key, which is taken over; None for a new one."""
    project: int | None = None
    """An old DSN's project; None for the next number that is free."""
    origins: list[str] = []
    """Patterns of the pages that may send by it, as in https://*.shop.example; none: all."""


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a token or a DSN."""

    name: str
    scopes: list[AccessScope] = []
    """Of a token at least one; of a DSN ``ingest`` or none, which is the same."""
    services: list[str] = []
    """Patterns; of a DSN one service."""
    expires_at: datetime | None = None
    """With its zone; None for never."""
    sentry_dsn: DsnRequest | None = None
    """A DSN is made, for SDKs made for Sentry; None for a token."""


class TokenRevocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a revocation; it may be missing."""


@routes.get(_PATH, access=AccessScope.ADMIN)
@describe(reads=paged(no_filter), answers=TokenList)
async def list_(request: web.Request, asked: Paged[None]) -> web.Response:
    """Tokens, the newest first."""
    with cursor_errors():
        page = await list_tokens(request.app[STORE], limit=asked.limit, cursor=asked.cursor)
    now, root = request.app[CLOCK](), root_of(request)
    rows = tuple(token_shape(token, now, root=root) for token in page.rows)
    return page_answer(request, TokenList(tokens=rows, next_cursor=page.next_cursor))


@routes.post(_PATH, access=AccessScope.ADMIN)
@describe(takes=TokenRequest, answers=IssuedToken)
async def issue(request: web.Request, asked: TokenRequest) -> web.Response:
    """Make a token, and show it this once; or a DSN, which lists show again."""
    store, source, now = request.app[STORE], source_of(request), request.app[CLOCK]()
    text = None
    if asked.sentry_dsn is None:
        draft = _draft_of(asked)
        token, text = await issue_token(store, draft, source=source, now=now, draw=secrets.randbelow)
    else:
        with _places():
            dsn = _dsn_draft_of(asked, asked.sentry_dsn)
            token = await issue_dsn(store, dsn, source=source, now=now, draw=secrets.randbelow)
    shape = token_shape(token, now, root=root_of(request))
    return json_answer(IssuedToken(token=text, access_token=shape))


@routes.post(f"{_PATH}/{{id}}/revoke", access=AccessScope.ADMIN)
@describe(takes=TokenRevocation, answers=TokenShape, raises=[TokenNotFoundError])
async def revoke(request: web.Request, _: TokenRevocation) -> web.Response:
    """Revoke a token for good; one that was revoked stays as it is."""
    now = request.app[CLOCK]()
    token = await revoke_token(
        request.app[STORE], request.match_info["id"], source=source_of(request), now=now
    )
    return json_answer(token_shape(token, now, root=root_of(request)))


def _draft_of(asked: TokenRequest) -> TokenDraft:
    return TokenDraft(
        name=asked.name,
        scopes=frozenset(asked.scopes),
        services=tuple(asked.services),
        expires_at=_end_of(asked),
    )


def _dsn_draft_of(asked: TokenRequest, dsn: DsnRequest) -> DsnDraft:
    if set(asked.scopes) - {AccessScope.INGEST}:
        raise ValidationError(errors=[FieldError("scopes", "a DSN has the scope ingest and no other")])
    if len(asked.services) != 1:
        raise ValidationError(
            errors=[FieldError("services", "a DSN is of one service: name it, and no other")]
        )
    return DsnDraft(
        name=asked.name,
        service=asked.services[0],
        key=dsn.key,
        project=dsn.project,
        origins=tuple(dsn.origins),
        expires_at=_end_of(asked),
    )


@contextmanager
def _places() -> Iterator[None]:
    """Say what is wrong with a DSN at its place in the body."""
    try:
        yield
    except ValidationError as error:
        told = [FieldError(_PLACES.get(one.field, one.field), one.message) for one in error.errors]
        raise ValidationError(errors=told) from None


def _end_of(asked: TokenRequest) -> datetime | None:
    if asked.expires_at is not None and asked.expires_at.tzinfo is None:
        raise ValidationError(
            errors=[FieldError("expires_at", "a time with its zone, as 2026-11-23T10:00:00Z")]
        )
    return asked.expires_at

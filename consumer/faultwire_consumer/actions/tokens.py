"""Acts on tokens and DSNs: the one entry for the API and the page. Each is told to the audit."""

from collections.abc import Callable
from datetime import datetime

from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.token import AccessToken, TokenDraft
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.store.access import dsns, tokens
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.taxonomy import FieldError, NotFoundError, ValidationError


class TokenNotFoundError(NotFoundError):
    """No token has that id."""

    code = "TOKEN_NOT_FOUND"


async def issue_token(
    store: Store, draft: TokenDraft, *, source: AuditSource, now: datetime, draw: Callable[[int], int]
) -> tuple[AccessToken, str]:
    """Make a token, and return it with what its program shows: this is the only time that anybody sees it.

    Raises:
        ValidationError: none can be made of that; with the field, and what to write.
    """
    try:
        async with store.write() as tx:
            return await tokens.issue_token(tx, draft, source=source, now=now, draw=draw)
    except tokens.TokenDraftError as error:
        raise ValidationError(errors=[FieldError(error.fault.field, error.fault.message)]) from None


async def issue_dsn(
    store: Store, draft: DsnDraft, *, source: AuditSource, now: datetime, draw: Callable[[int], int]
) -> AccessToken:
    """Make a DSN, and return it; it holds no secret.

    Raises:
        ValidationError: none can be made of that, or its key or project is another one's; with the field,
            and what to write.
    """
    try:
        async with store.write() as tx:
            return await dsns.issue_dsn(tx, draft, source=source, now=now, draw=draw)
    except tokens.TokenDraftError as error:
        raise ValidationError(errors=[FieldError(error.fault.field, error.fault.message)]) from None


async def revoke_token(store: Store, number: str, *, source: AuditSource, now: datetime) -> AccessToken:
    """Revoke a token for good; one that was revoked stays as it is.

    Raises:
        TokenNotFoundError: no token has this number.
    """
    token_id, token = parse_incident_id(number) if number.isdigit() else None, None
    if token_id is not None:
        async with store.write() as tx:
            token = await tokens.revoke_token(tx, token_id, source=source, now=now)
    if token is None:
        raise TokenNotFoundError(f"there is no token {number[:100]}")
    return token

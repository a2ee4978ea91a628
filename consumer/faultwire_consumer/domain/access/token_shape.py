"""A token or DSN as lists show it, to the API's programs and on the command line alike."""

from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.access.dsn import dsn_of
from faultwire_consumer.domain.access.token import AccessToken, find_fault


class TokenShape(Struct, frozen=True, kw_only=True):
    """A token without what its program shows."""

    id: int
    name: str
    kind: str
    """``token``, or ``dsn``, which has no secret."""
    prefix: str
    scopes: tuple[str, ...]
    services: tuple[str, ...]
    state: str
    """``valid``, ``expired`` or ``revoked``."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_on: str | None
    """A day; within it a token is used as often as its program likes."""
    revoked_at: datetime | None
    dsn: str | None
    """The address that an SDK is given; none of a token."""
    project: int | None
    origins: tuple[str, ...]
    """Patterns of the pages that may send by a DSN; none: all."""


class TokenList(Struct, frozen=True, kw_only=True):
    """A page of tokens."""

    tokens: tuple[TokenShape, ...]
    next_cursor: str | None


class IssuedToken(Struct, frozen=True, kw_only=True):
    """A new token, and what its program shows, which is told this once."""

    token: str | None
    """None for a DSN: it holds no secret, and lists show it again."""
    access_token: TokenShape


def token_shape(token: AccessToken, now: datetime, *, root: str) -> TokenShape:
    """Show a token as it is now.

    Args:
        token: as the store has it.
        now: the time.
        root: where SDKs reach the worker.
    """
    key, project = token.public_key, token.project
    dsn = None if key is None or project is None else dsn_of(root, key, project)
    fault = find_fault(token, now)
    return TokenShape(
        id=token.id,
        name=token.name,
        kind="token" if dsn is None else "dsn",
        prefix=token.prefix,
        scopes=tuple(sorted(token.scopes)),
        services=token.services,
        state="valid" if fault is None else fault.value,
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        last_used_on=None if token.last_used_on is None else token.last_used_on.date().isoformat(),
        revoked_at=token.revoked_at,
        dsn=dsn,
        project=project,
        origins=token.origins,
    )

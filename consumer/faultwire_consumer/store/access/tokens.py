"""Tokens in the database, as digests: issued, looked up, listed and revoked."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Row, Select, insert, or_, select, update

from faultwire_consumer.domain.access.audit import AuditAction, AuditSource
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import (
    AccessToken,
    DraftFault,
    TokenDraft,
    digest_of,
    find_draft_fault,
    make_token,
    prefix_of,
)
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.access import access_tokens

_LISTING: Final = "access_tokens"
TOKEN_COLUMNS: Final = tuple(access_tokens.c[name] for name in AccessToken.__struct_fields__)
NAMED_MAX: Final = 20


class TokenDraftError(ValueError):
    """No token can be made of what was asked for; the fault says of which field, and what to write."""

    def __init__(self, fault: DraftFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


async def issue_token(
    tx: Transaction, draft: TokenDraft, *, source: AuditSource, now: datetime, draw: Callable[[int], int]
) -> tuple[AccessToken, str]:
    """Make a token, store its digest, and tell the audit.

    Several may have one name, so that a program can be given the next one before the last one goes.

    Args:
        tx: the transaction.
        draft: what it is asked to be.
        source: who asks.
        now: the time.
        draw: gives a number below the given one by chance that nobody can foresee.

    Returns:
        The token as it is listed, and what its program shows: this is the only time that anybody sees it.

    Raises:
        TokenDraftError: none can be made of that.
    """
    if (fault := find_draft_fault(draft, now)) is not None:
        raise TokenDraftError(fault)
    text = make_token(draw)
    values = {
        "name": draft.name,
        "prefix": prefix_of(text),
        "scopes": msgspec.json.encode(sorted(draft.scopes)).decode(),
        "services": msgspec.json.encode(draft.services).decode(),
        "created_at": now,
        "created_by": source.actor,
        "expires_at": draft.expires_at,
    }
    statement = insert(access_tokens).values(hash=digest_of(text), **values).returning(*TOKEN_COLUMNS)
    (row,) = await tx.execute(statement)
    told = f"{', '.join(sorted(draft.scopes))} {' '.join(draft.services)}".strip()
    await record_audit(tx, source.entry(AuditAction.TOKEN_CREATED, name_in_audit(row), at=now, detail=told))
    return token_of(row), text


async def find_token(store: Store, digest: bytes) -> AccessToken | None:
    """Return the token with that digest, whether it holds or not; asked of the primary, it is never late."""
    rows = await store.read(select(*TOKEN_COLUMNS).where(access_tokens.c.hash == digest))
    return token_of(rows[0]) if rows else None


async def find_named(store: Store, named: str) -> tuple[AccessToken, ...]:
    """Return the tokens, revoked or not, that have this name, this prefix or this number."""
    table = access_tokens.c
    said = [table.name == named, table.prefix == named]
    if named.isascii() and named.isdigit() and len(named) < 19:
        said.append(table.id == int(named))
    rows = await store.read(
        select(*TOKEN_COLUMNS).where(or_(*said)).order_by(table.id.desc()).limit(NAMED_MAX)
    )
    return tuple(token_of(row) for row in rows)


async def list_tokens(store: Store, *, limit: int, cursor: str | None = None) -> Page[AccessToken]:
    """List tokens, the newest first, those that hold no longer too.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    statement: Select[Any] = select(*TOKEN_COLUMNS)
    if cursor is not None:
        statement = statement.where(access_tokens.c.id < decode_cursor(_LISTING, cursor, int).key)
    rows = await store.read(statement.order_by(access_tokens.c.id.desc()).limit(limit + 1))
    return cut([token_of(row) for row in rows], limit=limit, listing=_LISTING, moment="created_at", key="id")


async def revoke_token(
    tx: Transaction, token_id: int, *, source: AuditSource, now: datetime
) -> AccessToken | None:
    """Revoke a token for good, and tell the audit.

    Returns:
        The token as it was revoked, now or before; None if there is none.
    """
    table = access_tokens.c
    revoked = await tx.execute(
        update(access_tokens)
        .where(table.id == token_id, table.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(table.name, table.prefix)
    )
    for row in revoked:
        await record_audit(tx, source.entry(AuditAction.TOKEN_REVOKED, name_in_audit(row), at=now))
    rows = await tx.execute(select(*TOKEN_COLUMNS).where(table.id == token_id))
    return token_of(rows[0]) if rows else None


async def note_use(store: Store, token_id: int, day: datetime) -> None:
    """Keep the day of a token's last use, unless a later one is kept."""
    table = access_tokens.c
    is_older = or_(table.last_used_on.is_(None), table.last_used_on < day)
    async with store.write() as tx:
        await tx.execute(update(access_tokens).where(table.id == token_id, is_older).values(last_used_on=day))


def name_in_audit(row: Row[Any]) -> str:
    """Return the name under which the audit tells of a row of tokens."""
    return f"{row.name} ({row.prefix})"


def token_of(row: Row[Any]) -> AccessToken:
    """Return a row of `TOKEN_COLUMNS` as a token."""
    values = values_of(row)
    known = [scope.value for scope in AccessScope]
    scopes = (name for name in msgspec.json.decode(values["scopes"], type=list[str]) if name in known)
    for name in ("services", "origins"):
        values[name] = msgspec.json.decode(values[name] or "[]", type=tuple[str, ...])
    return AccessToken(**values | {"scopes": frozenset(map(AccessScope, scopes))})

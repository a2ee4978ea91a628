"""DSNs in the database, which are tokens without a secret: made, and known to gateways by their keys."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, Row, func, insert, literal, or_, select, text, union, update

from faultwire_consumer.domain.access.audit import AuditAction, AuditSource
from faultwire_consumer.domain.access.dsn import KEYS_MAX, DsnKey, KeptKey, make_key, normal_key
from faultwire_consumer.domain.access.dsn_draft import DsnDraft, find_dsn_fault, find_taken_fault
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import AccessToken, digest_of, make_token, prefix_of
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.access.tokens import (
    TOKEN_COLUMNS,
    TokenDraftError,
    name_in_audit,
    token_of,
)
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.access import access_tokens

_COLUMNS: Final = tuple(
    access_tokens.c[name]
    for name in (
        "id", "name", "services", "public_key", "project", "origins", "expires_at", "revoked_at",
        "last_used_on",
    )
)  # fmt: skip
_REVOKED_MAX: Final = KEYS_MAX
_MAKING_LOCK: Final = 0x66775F6473  # "fw_ds": any number that no other lock of ours has


async def issue_dsn(
    tx: Transaction, draft: DsnDraft, *, source: AuditSource, now: datetime, draw: Callable[[int], int]
) -> AccessToken:
    """Make a DSN, and tell the audit.

    Args:
        tx: the transaction.
        draft: what it is asked to be.
        source: who asks.
        now: the time.
        draw: gives a number below the given one by chance that nobody can foresee.

    Raises:
        TokenDraftError: none can be made of that, or its key or project is another one's.
    """
    if (fault := find_dsn_fault(draft, now)) is not None:
        raise TokenDraftError(fault)
    await _take_turn(tx)
    key = normal_key(draft.key or "") or make_key(draw)
    if (fault := find_taken_fault(draft, key, await _list_standing(tx))) is not None:
        raise TokenDraftError(fault)
    project = draft.project if draft.project is not None else await _find_free_project(tx)
    nobodys = make_token(draw)  # it is shown to nobody, so that nobody gets in by it as by a token
    values = {
        "name": draft.token_name,
        "prefix": prefix_of(nobodys),
        "hash": digest_of(nobodys),
        "scopes": msgspec.json.encode([AccessScope.INGEST]).decode(),
        "services": msgspec.json.encode([draft.service]).decode(),
        "created_at": now,
        "created_by": source.actor,
        "expires_at": draft.expires_at,
        "public_key": key,
        "project": project,
        "origins": msgspec.json.encode(draft.patterns).decode(),
    }
    (row,) = await tx.execute(insert(access_tokens).values(**values).returning(*TOKEN_COLUMNS))
    told = f"DSN of {draft.service}, project {project}"
    await record_audit(tx, source.entry(AuditAction.TOKEN_CREATED, name_in_audit(row), at=now, detail=told))
    return token_of(row)


async def _take_turn(tx: Transaction) -> None:
    """Let one DSN at a time be made, so that what is free stays so until it is taken."""
    if tx.dialect == "postgresql":  # SQLite has one writer at a time anyway
        await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MAKING_LOCK})


async def _list_standing(tx: Transaction) -> list[AccessToken]:
    table = access_tokens.c
    stands = select(*TOKEN_COLUMNS).where(table.public_key.is_not(None), table.revoked_at.is_(None))
    return [token_of(row) for row in await tx.execute(stands.order_by(table.id))]


async def _find_free_project(tx: Transaction) -> int:
    """Return the smallest number that no DSN ever had: old applications may still name a revoked one's."""
    project = access_tokens.c.project
    taken = select(project).where(project.is_not(None))
    after = select(project + 1).where(project.is_not(None))
    numbers = union(select(literal(1, BigInteger).label("number")), after).subquery()
    free = numbers.c.number.not_in(taken)
    (row,) = await tx.execute(select(func.min(numbers.c.number).label("number")).where(free))
    return int(row.number)


async def list_keys(store: Store) -> tuple[KeptKey, ...]:
    """List the keys of all DSNs: every one that was not revoked, then those revoked last, each key once.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = access_tokens.c
    wanted = select(*_COLUMNS).where(table.public_key.is_not(None))
    order = (table.revoked_at.is_not(None), table.id.desc())
    rows = await store.read(wanted.order_by(*order).limit(KEYS_MAX + _REVOKED_MAX))
    found: dict[str, KeptKey] = {}
    for row in rows:
        found.setdefault(row.public_key, _kept(row))
    return tuple(found.values())


async def note_uses(store: Store, token_ids: Collection[int], day: datetime) -> None:
    """Keep the day of these tokens' last use, unless a later one is kept.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = access_tokens.c
    is_older = or_(table.last_used_on.is_(None), table.last_used_on < day)
    async with store.write() as tx:
        await tx.execute(
            update(access_tokens).where(table.id.in_(sorted(token_ids)), is_older).values(last_used_on=day)
        )


def _kept(row: Row[Any]) -> KeptKey:
    (service,) = msgspec.json.decode(row.services, type=tuple[str])
    key = DsnKey(
        public_key=row.public_key,
        project=row.project,
        service=service,
        token_id=row.id,
        token_name=row.name,
        allowed_origins=msgspec.json.decode(row.origins, type=tuple[str, ...]),
    )
    return KeptKey(
        key=key, expires_at=row.expires_at, revoked_at=row.revoked_at, last_used_on=row.last_used_on
    )

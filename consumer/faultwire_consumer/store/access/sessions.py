"""Sessions of browsers that are signed in: known by a hash alone, ended by deleting a row."""

import hashlib
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import and_, delete, insert, select, update

from faultwire_consumer.domain.access.session_lifetime import SESSION_IDLE, SESSION_MOST
from faultwire_consumer.store.access.accounts import ACCOUNT_COLUMNS, StoredAccount, account_of
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.access import accounts, sessions
from faultwire_shared.text import storable

AGENT_CHARACTERS_MAX: Final = 200


class StoredSession(Struct, frozen=True, kw_only=True):
    """A session with its account, which may be disabled by now."""

    account: StoredAccount
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


class OpenSession(Struct, frozen=True, kw_only=True):
    """A session as its own account sees it."""

    handle: str
    """The hash that it is known by, which opens nothing."""
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    agent: str
    """The browser, by its own word."""


def hash_secret(secret: str) -> bytes:
    """Return what is stored of a secret of 256 random bits: no slow hash is needed for one of these."""
    return hashlib.sha256(secret.encode()).digest()


async def open_session(
    tx: Transaction, secret: str, *, account_id: int, agent: str, now: datetime
) -> datetime:
    """Open a session for whoever shows the secret, and return its end."""
    ends_at = now + SESSION_MOST
    await tx.execute(
        insert(sessions).values(
            hash=hash_secret(secret),
            account_id=account_id,
            created_at=now,
            seen_at=now,
            expires_at=ends_at,
            agent=storable(agent)[:AGENT_CHARACTERS_MAX],
        )
    )
    return ends_at


async def find_session(store: Store, secret: str) -> StoredSession | None:
    """Return the session that a secret opens, whether or not it is over."""
    table = sessions.c
    rows = await store.read(
        select(*ACCOUNT_COLUMNS, table.created_at.label("opened_at"), table.seen_at, table.expires_at)
        .join_from(sessions, accounts, table.account_id == accounts.c.id)
        .where(table.hash == hash_secret(secret))
    )
    if not rows:
        return None
    row = rows[0]
    return StoredSession(
        account=account_of(row), created_at=row.opened_at, seen_at=row.seen_at, expires_at=row.expires_at
    )


async def list_sessions(
    store: Store, account_id: int, *, now: datetime, limit: int
) -> tuple[OpenSession, ...]:
    """List an account's sessions that are not over, those that were used last first."""
    table = sessions.c
    is_live = and_(table.expires_at > now, table.seen_at > now - SESSION_IDLE)
    rows = await store.read(
        select(table.hash, table.created_at, table.seen_at, table.expires_at, table.agent)
        .where(table.account_id == account_id, is_live)
        .order_by(table.seen_at.desc(), table.created_at.desc())
        .limit(limit)
    )
    return tuple(
        OpenSession(
            handle=row.hash.hex(),
            opened_at=row.created_at,
            seen_at=row.seen_at,
            expires_at=row.expires_at,
            agent=row.agent,
        )
        for row in rows
    )


async def close_sessions(
    tx: Transaction, account_id: int, *, handle: bytes | None = None, but: bytes | None = None
) -> int:
    """End sessions of an account, and return how many: one by its handle, or all but one."""
    table = sessions.c
    ended = delete(sessions).where(table.account_id == account_id)
    if handle is not None:
        ended = ended.where(table.hash == handle)
    if but is not None:
        ended = ended.where(table.hash != but)
    return len(await tx.execute(ended.returning(table.account_id)))


async def touch_session(tx: Transaction, secret: str, *, now: datetime) -> None:
    """Write down that a session is used; one that was ended meanwhile stays ended."""
    table = sessions.c
    is_older = table.seen_at < now
    await tx.execute(update(sessions).where(table.hash == hash_secret(secret), is_older).values(seen_at=now))


async def close_session(tx: Transaction, secret: str) -> bool:
    """End one session; return False if there was none."""
    rows = await tx.execute(
        delete(sessions).where(sessions.c.hash == hash_secret(secret)).returning(sessions.c.account_id)
    )
    return bool(rows)

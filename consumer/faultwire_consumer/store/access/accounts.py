"""Accounts of people: found, made and changed. What ends an account's sessions ends them here."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Row, Select, and_, delete, select, update

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, StoreReader, Transaction
from faultwire_consumer.store.schema.access import accounts, sessions

ACCOUNTS_MAX: Final = 10_000
"""What a list shows at once: a team has fewer by far."""


class StoredAccount(Struct, frozen=True, kw_only=True):
    """An account, without what its password is checked by."""

    id: int
    name: str
    role: AccountRole
    has_password: bool
    oidc_issuer: str | None
    oidc_subject: str | None
    created_at: datetime
    disabled_at: datetime | None


class NewAccount(Struct, frozen=True, kw_only=True):
    """An account that is to be made."""

    name: str
    role: AccountRole
    at: datetime
    password_hash: str | None = None
    oidc_issuer: str | None = None
    oidc_subject: str | None = None


ACCOUNT_COLUMNS: Final = (
    accounts.c.id,
    accounts.c.name,
    accounts.c.role,
    accounts.c.password_hash.is_not(None).label("has_password"),
    accounts.c.oidc_issuer,
    accounts.c.oidc_subject,
    accounts.c.created_at,
    accounts.c.disabled_at,
)
"""What `account_of` needs of a row."""
_FIELDS: Final = frozenset(StoredAccount.__struct_fields__)


async def has_accounts(store: Store) -> bool:
    """Return whether anybody can sign in at all."""
    return bool(await store.read(select(accounts.c.id).where(accounts.c.disabled_at.is_(None)).limit(1)))


async def list_accounts(store: StoreReader) -> tuple[StoredAccount, ...]:
    """List accounts by name, the disabled ones too."""
    rows = await store.read(select(*ACCOUNT_COLUMNS).order_by(accounts.c.name).limit(ACCOUNTS_MAX))
    return tuple(account_of(row) for row in rows)


async def find_account(store: Store, name: str) -> StoredAccount | None:
    """Return the account of that name."""
    return _one(await store.read(_named(name)))


async def find_password(store: Store, name: str) -> tuple[StoredAccount, str | None] | None:
    """Return the account of that name with the hash of its password, which goes nowhere else."""
    rows = await store.read(select(*ACCOUNT_COLUMNS, accounts.c.password_hash).where(accounts.c.name == name))
    return (account_of(rows[0]), rows[0].password_hash) if rows else None


async def lock_account(tx: Transaction, name: str) -> StoredAccount | None:
    """Return the account of that name, and keep others from changing it until the transaction ends."""
    return _one(await tx.execute(_named(name).with_for_update(of=accounts)))


async def lock_password(tx: Transaction, name: str) -> tuple[StoredAccount, str | None] | None:
    """Return the same as `find_password`, and keep others from changing it until the transaction ends."""
    wanted = select(*ACCOUNT_COLUMNS, accounts.c.password_hash).where(accounts.c.name == name)
    rows = await tx.execute(wanted.with_for_update(of=accounts))
    return (account_of(rows[0]), rows[0].password_hash) if rows else None


async def lock_subject(tx: Transaction, *, issuer: str, subject: str) -> StoredAccount | None:
    """Return, locked likewise, the account of somebody whom a provider knows."""
    table = accounts.c
    is_theirs = and_(table.oidc_issuer == issuer, table.oidc_subject == subject)
    return _one(await tx.execute(select(*ACCOUNT_COLUMNS).where(is_theirs).with_for_update(of=accounts)))


async def lock_admins(tx: Transaction) -> frozenset[int]:
    """Return the ids of the admins that can sign in, and keep others from changing them meanwhile."""
    is_able = and_(accounts.c.role == AccountRole.ADMIN.value, accounts.c.disabled_at.is_(None))
    rows = await tx.execute(select(accounts.c.id).where(is_able).order_by(accounts.c.id).with_for_update())
    return frozenset(row.id for row in rows)


async def add_account(tx: Transaction, new: NewAccount) -> int | None:
    """Add an account and return its id; None if that name, or that subject of a provider, has one."""
    rows = await tx.execute(
        INSERT[tx.dialect](accounts)
        .values(
            name=new.name,
            role=new.role.value,
            password_hash=new.password_hash,
            oidc_issuer=new.oidc_issuer,
            oidc_subject=new.oidc_subject,
            created_at=new.at,
        )
        .on_conflict_do_nothing()
        .returning(accounts.c.id)
    )
    return rows[0].id if rows else None


async def set_password(tx: Transaction, account_id: int, password_hash: str) -> None:
    """Set an account's password, and end its sessions."""
    await _change(tx, account_id, password_hash=password_hash)
    await end_sessions(tx, account_id)


async def rehash_password(tx: Transaction, account_id: int, *, before: str, after: str) -> None:
    """Write the same password down as it is hashed now; not if it was changed meanwhile."""
    is_same = and_(accounts.c.id == account_id, accounts.c.password_hash == before)
    await tx.execute(update(accounts).where(is_same).values(password_hash=after))


async def set_role(tx: Transaction, account_id: int, role: AccountRole) -> None:
    """Set an account's role, and end its sessions."""
    await _change(tx, account_id, role=role.value)
    await end_sessions(tx, account_id)


async def set_disabled(tx: Transaction, account_id: int, at: datetime | None) -> None:
    """Disable an account at a time, or enable it; its sessions end in either case."""
    await _change(tx, account_id, disabled_at=at)
    await end_sessions(tx, account_id)


async def end_sessions(tx: Transaction, account_id: int) -> int:
    """End every session of an account, in all browsers and at all workers; return how many there were."""
    ended = delete(sessions).where(sessions.c.account_id == account_id).returning(sessions.c.account_id)
    return len(await tx.execute(ended))


def account_of(row: Row[Any]) -> StoredAccount:
    """Return a row's account; the row may have more columns."""
    values = {name: value for name, value in values_of(row).items() if name in _FIELDS}
    return StoredAccount(**values | {"role": AccountRole(row.role), "has_password": bool(row.has_password)})


def _named(name: str) -> Select[Any]:
    return select(*ACCOUNT_COLUMNS).where(accounts.c.name == name)


def _one(rows: Sequence[Row[Any]]) -> StoredAccount | None:
    return account_of(rows[0]) if rows else None


async def _change(tx: Transaction, account_id: int, **values: Any) -> None:
    await tx.execute(update(accounts).where(accounts.c.id == account_id).values(**values))

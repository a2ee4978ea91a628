"""Secrets that are used once and soon: links that set a password, and sign-ins under way at a provider."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.access.sessions import hash_secret
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.access import invitations

_COLUMNS: Final = (
    *(invitations.c.name, invitations.c.role, invitations.c.detail),
    *(invitations.c.created_at, invitations.c.expires_at),
)


class TicketKind(StrEnum):
    """The use of a row."""

    INVITATION = "invitation"
    PROVIDER = "provider"


class SingleUse(Struct, frozen=True, kw_only=True):
    """A secret that works once."""

    name: str
    role: AccountRole | None
    """The role of an account that the link makes; None where it is decided otherwise."""
    detail: str
    created_at: datetime
    expires_at: datetime


async def keep_single_use(tx: Transaction, secret: str, kind: TicketKind, new: SingleUse) -> None:
    """Keep what a secret will stand for, by its hash alone."""
    await tx.execute(
        insert(invitations).values(
            hash=hash_secret(secret),
            kind=kind.value,
            name=new.name,
            role=new.role.value if new.role is not None else "",
            detail=new.detail,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )


async def drop_invitations(tx: Transaction, name: str) -> None:
    """End every link for a name: of several the last one is the one that was meant."""
    table = invitations.c
    is_theirs = and_(table.kind == TicketKind.INVITATION.value, table.name == name)
    await tx.execute(delete(invitations).where(is_theirs))


async def find_single_use(store: Store, secret: str, kind: TicketKind, *, now: datetime) -> SingleUse | None:
    """Return what a secret stands for, and leave it as it is; None for one that was used or is over."""
    rows = await store.read(select(*_COLUMNS).where(_is_usable(secret, kind, now)))
    return _single_use(rows[0]) if rows else None


async def count_single_use(tx: Transaction, kind: TicketKind, *, now: datetime) -> int:
    """Forget what is over of a kind, and return how many are left."""
    is_kind = invitations.c.kind == kind.value
    await tx.execute(delete(invitations).where(is_kind, invitations.c.expires_at <= now))
    rows = await tx.execute(select(func.count()).select_from(invitations).where(is_kind))
    return int(rows[0][0])


async def take_single_use(
    tx: Transaction, secret: str, kind: TicketKind, *, now: datetime
) -> SingleUse | None:
    """Use a secret up: of two who show it at once, one is given what it stands for."""
    rows = await tx.execute(delete(invitations).where(_is_usable(secret, kind, now)).returning(*_COLUMNS))
    return _single_use(rows[0]) if rows else None


def _is_usable(secret: str, kind: TicketKind, now: datetime) -> ColumnElement[bool]:
    table = invitations.c
    return and_(table.hash == hash_secret(secret), table.kind == kind.value, table.expires_at > now)


def _single_use(row: Row[Any]) -> SingleUse:
    return SingleUse(
        name=row.name,
        role=AccountRole(row.role) if row.role else None,
        detail=row.detail,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )

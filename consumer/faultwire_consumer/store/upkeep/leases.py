"""Leases: one worker does a chore for all, and another takes over when it is gone.

PostgreSQL's own clock decides, so that the workers' clocks need not agree; a SQLite file has one worker.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from msgspec import Struct
from sqlalchemy import ColumnElement, DateTime, Interval, and_, case, func, literal, or_, select, update

from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.events import UtcDateTime
from faultwire_consumer.store.schema.upkeep import leases
from faultwire_shared.clock import Clock

TERM_SECONDS: Final = 60.0
"""The time for which a worker that died still holds a chore."""
RENEW_SECONDS: Final = 15.0

T = TypeVar("T")


class LeaseLostError(Exception):
    """The lease has another holder by now; nothing more may be done under it."""


class LeaseTakenError(Exception):
    """Another holder has the lease now."""


class Lease(Struct, frozen=True):
    """A chore that is this holder's for now; every later holder gets a higher token."""

    name: str
    holder: str
    token: int


def new_holder() -> str:
    """Return a name that is unique to this process, and by which an operator can find it."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"


async def acquire_lease(
    store: Store, name: str, holder: str, *, now: datetime, seconds: float = TERM_SECONDS
) -> Lease | None:
    """Acquire a lease that is free or expired, or continue one's own; return None while another has it.

    Args:
        store: the store that has the leases.
        name: the chore's name.
        holder: the applicant's name; no two workers may have the same one.
        now: the time, for a database without a clock.
        seconds: the lease's duration.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    moment, end = _clock(store.name, now), _clock(store.name, now, ahead=seconds)
    table = leases.c
    insertion = INSERT[store.name](leases).values(name=name, holder=holder, token=1, expires_at=end)
    is_own = and_(table.holder == holder, table.expires_at > moment)
    statement = insertion.on_conflict_do_update(
        index_elements=[table.name],
        set_={
            "holder": holder,
            "token": case((is_own, table.token), else_=table.token + 1),
            "expires_at": end,
        },
        where=or_(is_own, table.expires_at <= moment),
    ).returning(table.token)
    async with store.write() as tx:
        rows = await tx.execute(statement)
    return Lease(name, holder, rows[0].token) if rows else None


async def renew_lease(store: Store, lease: Lease, *, now: datetime, seconds: float = TERM_SECONDS) -> bool:
    """Extend a lease; return False if it had ended.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    end = _clock(store.name, now, ahead=seconds)
    async with store.write() as tx:
        rows = await tx.execute(
            update(leases)
            .where(_is_held(store.name, lease, now))
            .values(expires_at=end)
            .returning(leases.c.token)
        )
    return bool(rows)


async def release_lease(store: Store, lease: Lease, *, now: datetime) -> None:
    """Release a lease, so that others can have it at once; its token is not used again.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    async with store.write() as tx:
        await tx.execute(
            update(leases).where(_is_held(store.name, lease, now)).values(expires_at=_clock(store.name, now))
        )


async def check_lease(tx: Transaction, lease: Lease, *, now: datetime) -> None:
    """Fail a transaction if its lease has another holder; until it ends, nobody else can acquire the lease.

    Raises:
        LeaseLostError: the lease has another holder, or has ended.
    """
    rows = await tx.execute(
        select(leases.c.token).where(_is_held(tx.dialect, lease, now)).with_for_update(read=True)
    )
    if not rows:
        raise LeaseLostError(f"another worker has the lease {lease.name!r}")


async def run_holding(store: Store, lease: Lease, work: Coroutine[Any, Any, T], *, clock: Clock) -> T:
    """Run work while the lease is renewed in parallel; the work is cancelled if that fails.

    Raises:
        LeaseLostError: the lease has another holder by now.
        StoreUnavailableError: the database cannot be used now.
    """
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=RENEW_SECONDS))[0]:
            if not await renew_lease(store, lease, now=clock()):
                raise LeaseLostError(f"another worker has the lease {lease.name!r}")
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait({task})


def _is_held(dialect: str, lease: Lease, now: datetime) -> ColumnElement[bool]:
    table = leases.c
    return and_(table.name == lease.name, table.token == lease.token, table.expires_at > _clock(dialect, now))


def _clock(dialect: str, now: datetime, *, ahead: float = 0.0) -> ColumnElement[datetime]:
    later = timedelta(seconds=ahead)
    if dialect == "postgresql":
        # Not now(), which does not advance in a transaction that waits for another's lock.
        return func.clock_timestamp(type_=DateTime(timezone=True)) + literal(later, Interval())
    return literal(now + later, UtcDateTime())

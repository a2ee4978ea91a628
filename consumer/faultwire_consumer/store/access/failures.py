"""Attempts to sign in that were not right, counted for all workers together."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import case, select, update

from faultwire_consumer.domain.access.sign_in_wait import (
    SignInCount,
    SignInSubject,
    count_attempt,
    remaining_wait,
)
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.access import sign_in_failures

_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class SignInKey(Struct, frozen=True):
    """An account's name as it was typed, or an address: what attempts are counted for."""

    subject: SignInSubject
    value: str

    @property
    def digest(self) -> bytes:
        """Return what is stored of it: a name that was typed may be somebody's password."""
        return hashlib.sha256(f"{self.subject}:{self.value}".encode("utf-8", "surrogatepass")).digest()


class Attempt(Struct, frozen=True):
    """One attempt: the wait that it was refused for, or the failures with it, by what it counts for."""

    wait: timedelta
    failures: dict[SignInSubject, int]


async def begin_attempt(tx: Transaction, keys: Sequence[SignInKey], *, now: datetime) -> Attempt:
    """Count an attempt as failed before its password is looked at; not while somebody has to wait.

    Addresses are locked before accounts, each by its row: of attempts at once, each sees those before it,
    and an address that waits leaves no row for the names that it tries.
    """
    known = {}
    for key in _in_order(keys):
        known[key] = await _lock(tx, key, now=now)
        if wait := remaining_wait(known[key], now=now):
            return Attempt(wait, {})
    failures = {}
    for key, count in known.items():
        more = count_attempt(key.subject, count, now=now)
        failures[key.subject] = more.failures
        await _write(tx, key, failures=more.failures, last_at=more.last_at, until=more.until)
    return Attempt(timedelta(), failures)


async def take_attempt_back(tx: Transaction, keys: Sequence[SignInKey]) -> None:
    """Take an attempt back that was right: the account's failures are forgotten, the address has one less.

    An address keeps its others: else one account of one's own would let any number of passwords be tried.
    """
    less = case((sign_in_failures.c.failures > 0, sign_in_failures.c.failures - 1), else_=0)
    for key in _in_order(keys):
        await _write(tx, key, failures=0 if key.subject is SignInSubject.ACCOUNT else less, until=_NEVER)


def _in_order(keys: Sequence[SignInKey]) -> Sequence[SignInKey]:
    return sorted(keys, key=lambda key: (key.subject is SignInSubject.ACCOUNT, key.digest))


async def _lock(tx: Transaction, key: SignInKey, *, now: datetime) -> SignInCount | None:
    """Return a subject's count; from now on there is a row for it, which is locked."""
    row = {"subject": key.digest, "failures": 0, "last_at": now, "until": _NEVER}
    await tx.execute(INSERT[tx.dialect](sign_in_failures).values(**row).on_conflict_do_nothing())
    table = sign_in_failures.c
    rows = await tx.execute(
        select(table.failures, table.last_at, table.until)
        .where(table.subject == key.digest)
        .with_for_update()
    )
    if not rows or not rows[0].failures:
        return None
    return SignInCount(rows[0].failures, rows[0].last_at, rows[0].until)


async def _write(tx: Transaction, key: SignInKey, **values: Any) -> None:
    await tx.execute(
        update(sign_in_failures).where(sign_in_failures.c.subject == key.digest).values(**values)
    )

"""Counters of rules with a threshold, shared by all workers and locked while they are added to."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import bindparam, delete, select, tuple_, update

from faultwire_consumer.domain.window import LATENESS, Trip, Window, count
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.events import fingerprints
from faultwire_consumer.store.schema.notify import windows

LENGTH_MAX: Final = timedelta(days=7)
_PRUNED: Final = 1000

_decoder: Final = msgspec.json.Decoder(Window)
_SAVE: Final = (
    update(windows)
    .where(
        windows.c.rule == bindparam("key_rule"),
        windows.c.scope == bindparam("key_scope"),
        windows.c.length_seconds == bindparam("key_length"),
    )
    .values(counts=bindparam("new_counts"))
)


class WindowScope(Struct, frozen=True, order=True):
    """The key of a window: its rule and its scope."""

    rule: str
    scope: str
    length_seconds: int


class Added(Struct):
    """The counts that a batch adds to one window, and the number at which the window trips."""

    number: int
    buckets: dict[int, int]


async def count_in_windows(
    tx: Transaction, added: Mapping[WindowScope, Added], *, now: datetime
) -> dict[WindowScope, tuple[Trip, ...]]:
    """Add to windows, in the order of their keys, and return those that reached their number by it."""
    if not added:
        return {}
    scopes = sorted(added)
    tripped, saved = {}, []
    before = await _lock(tx, scopes, now)
    for scope in scopes:
        new = added[scope]
        length = timedelta(seconds=scope.length_seconds)
        window, trips = count(before[scope], new.buckets, number=new.number, length=length)
        if trips:
            tripped[scope] = trips
        saved.append(
            {
                "key_rule": scope.rule,
                "key_scope": scope.scope,
                "key_length": scope.length_seconds,
                "new_counts": msgspec.json.encode(window).decode(),
            }
        )
    await tx.execute(_SAVE, saved)
    return tripped


async def _lock(tx: Transaction, scopes: Sequence[WindowScope], now: datetime) -> dict[WindowScope, Window]:
    empty = msgspec.json.encode(Window()).decode()
    insertion = INSERT[tx.dialect](windows).values(
        [
            {
                "rule": scope.rule,
                "scope": scope.scope,
                "length_seconds": scope.length_seconds,
                "counts": empty,
                "updated_at": now,
            }
            for scope in scopes
        ]
    )
    statement = insertion.on_conflict_do_update(
        index_elements=[windows.c.rule, windows.c.scope, windows.c.length_seconds],
        set_={"updated_at": insertion.excluded.updated_at},
    ).returning(windows.c.rule, windows.c.scope, windows.c.length_seconds, windows.c.counts)
    return {
        WindowScope(row.rule, row.scope, row.length_seconds): _decoder.decode(row.counts)
        for row in await tx.execute(statement)
    }


async def incidents_of(tx: Transaction, keys: Sequence[bytes]) -> dict[bytes, int]:
    """Return the incident of each fingerprint."""
    if not keys:
        return {}
    rows = await tx.execute(
        select(fingerprints.c.fingerprint, fingerprints.c.incident_id).where(
            fingerprints.c.fingerprint.in_(sorted(keys))
        )
    )
    return {row.fingerprint: row.incident_id for row in rows}


async def prune_windows(store: Store, *, now: datetime) -> None:
    """Delete windows that nothing was added to for longer than the longest window.

    Only unlocked rows are deleted, since workers lock several in an order of their own.
    """
    key = (windows.c.rule, windows.c.scope, windows.c.length_seconds)
    async with store.write() as tx:
        old = await tx.execute(
            select(*key)
            .where(windows.c.updated_at < now - LENGTH_MAX - LATENESS)
            .limit(_PRUNED)
            .with_for_update(skip_locked=True)
        )
        if old:
            await tx.execute(delete(windows).where(tuple_(*key).in_([tuple(row) for row in old])))

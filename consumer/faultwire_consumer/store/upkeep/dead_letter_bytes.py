"""Bounds what dead letters take: bodies of settled ones go first, then these themselves, then the oldest."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, and_, delete, func, select, update

from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.dead_letters import dead_letter_history, dead_letters
from faultwire_consumer.store.upkeep.space import PAUSE_SECONDS, ROW_BYTES, vacuum_dead_letters

_TABLE: Final = dead_letters.c
_BYTES: Final = func.length(_TABLE.body) + func.coalesce(func.length(_TABLE.edited_body), 0)
_SETTLED: Final = _TABLE.status.in_((DeadLetterStatus.DISCARDED.value, DeadLetterStatus.REPLAYED.value))
_WAITING: Final = _TABLE.status == DeadLetterStatus.WAITING.value
_BATCH: Final = 200

Sleep = Callable[[float], Awaitable[None]]


class Dropped(Struct):
    """The dead letters that were dropped, settled ones and such that waited, and bodies of others."""

    bodies: int = 0
    settled: int = 0
    waiting: int = 0
    bytes: int = 0


class _Step(Struct, frozen=True):
    """One kind of what goes, the oldest first, and the bytes that each frees besides its body."""

    name: str
    condition: ColumnElement[bool]
    row_bytes: int


_STEPS: Final = (
    _Step("bodies", and_(_SETTLED, _BYTES > 0), 0),
    _Step("settled", _SETTLED, ROW_BYTES),
    _Step("waiting", _WAITING, ROW_BYTES),
)


async def measure_dead_letters(store: Store) -> int:
    """Return about how many bytes the dead letters take.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select(func.coalesce(func.sum(_BYTES + ROW_BYTES), 0).label("bytes")))
    return int(rows[0].bytes)


async def bound_dead_letters(store: Store, max_bytes: int, *, sleep: Sleep = asyncio.sleep) -> Dropped:
    """Drop dead letters until they take no more than a number of bytes; return what went.

    Raises:
        StoreUnavailableError: the database cannot be used now; what is dropped by then stays dropped.
    """
    excess = await measure_dead_letters(store) - max_bytes
    dropped = Dropped()
    if excess <= 0:
        return dropped
    for step in _STEPS:
        while dropped.bytes < excess:
            going = _enough(await _oldest(store, step), step, excess - dropped.bytes)
            if not going:
                break
            async with store.write() as tx:
                await _drop(tx, step, [row.id for row in going])
            setattr(dropped, step.name, getattr(dropped, step.name) + len(going))
            dropped.bytes += sum(row.bytes + step.row_bytes for row in going)
            await sleep(PAUSE_SECONDS)
    await vacuum_dead_letters(store, live_bytes=max_bytes, sleep=sleep)
    return dropped


async def _oldest(store: Store, step: _Step) -> Sequence[Row[Any]]:
    return await store.read(
        select(_TABLE.id, _BYTES.label("bytes")).where(step.condition).order_by(_TABLE.id).limit(_BATCH)
    )


def _enough(rows: Sequence[Row[Any]], step: _Step, excess: int) -> list[Row[Any]]:
    going: list[Row[Any]] = []
    for row in rows:
        if excess <= 0:
            break
        going.append(row)
        excess -= row.bytes + step.row_bytes
    return going


async def _drop(tx: Transaction, step: _Step, ids: Sequence[int]) -> None:
    """Drop these, but for those that an operator or a delivery changed meanwhile."""
    these = and_(_TABLE.id.in_(ids), step.condition)
    if step.name == "bodies":
        await tx.execute(update(dead_letters).where(these).values(body=b"", edited_body=None))
        return
    held = await tx.execute(select(_TABLE.id).where(these).order_by(_TABLE.id).with_for_update())
    gone = [row.id for row in held]
    await tx.execute(delete(dead_letter_history).where(dead_letter_history.c.dead_letter_id.in_(gone)))
    await tx.execute(delete(dead_letters).where(_TABLE.id.in_(gone)))

"""Deleting old rows of what is over: notifications, dead letters, gaps, producers, hourly counters."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Column, ColumnElement, Row, Table, and_, delete, exists, or_, select, tuple_

from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.domain.sequence import GapState
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import (
    dead_letter_history,
    dead_letters,
    hourly,
    producers,
    sequence_gaps,
)
from faultwire_consumer.store.schema.notify import digest_lines, outbox, outbox_attempts, outbox_stages
from faultwire_consumer.store.upkeep.space import PAUSE_SECONDS

_BATCH: Final = 500
_OVER: Final = (NotificationState.SENT, NotificationState.STOPPED, NotificationState.GIVEN_UP)


class _Ended(Struct, frozen=True):
    """Rows of a table that are over, by their key, and the columns elsewhere that name them."""

    table: Table
    key: tuple[Column[Any], ...]
    condition: ColumnElement[bool]
    children: tuple[Column[Any], ...] = ()


async def delete_ended(
    store: Store,
    *,
    ended_before: datetime,
    hours_before: datetime,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Mapping[str, int]:
    """Delete what was over before a time; how many rows of which table. Nothing that waits, is due or open.

    Args:
        store: where.
        ended_before: for all but the hourly counters.
        hours_before: for those.
        sleep: waits between two batches.

    Raises:
        StoreUnavailableError: the database does not answer now; what is gone by then is gone.
    """
    gone = {}
    for one in _ended_before(ended_before, hours_before):
        gone[one.table.name] = await _delete(store, one, sleep)
    return gone


def _ended_before(ended: datetime, hours: datetime) -> list[_Ended]:
    alert, letter, gap, producer = outbox.c, dead_letters.c, sequence_gaps.c, producers.c
    named = (outbox_attempts.c.outbox_id, outbox_stages.c.outbox_id, digest_lines.c.outbox_id)
    over = and_(alert.state.in_([one.value for one in _OVER]), alert.finished_at < ended)
    settled = (DeadLetterStatus.REPLAYED.value, DeadLetterStatus.DISCARDED.value)
    filled = and_(gap.state == GapState.FILLED.value, gap.closed_at < ended, gap.event_id.is_(None))
    # A gap that is open, or that an incident tells of, keeps its producer.
    followed = exists().where(
        gap.producer_id == producer.producer_id,
        or_(gap.state == GapState.OPEN.value, gap.event_id.is_not(None)),
    )
    silent = and_(producer.last_seen_at < ended, producer.spool_depth == 0, ~followed)
    return [
        _Ended(hourly, (hourly.c.fingerprint, hourly.c.environment, hourly.c.hour), hourly.c.hour < hours),
        _Ended(outbox, (alert.id,), over, named),
        _Ended(
            dead_letters,
            (letter.id,),
            and_(letter.status.in_(settled), letter.last_seen_at < ended),
            (dead_letter_history.c.dead_letter_id,),
        ),
        _Ended(sequence_gaps, (gap.id,), filled),
        _Ended(producers, (producer.producer_id,), silent, (gap.producer_id,)),
    ]


async def _delete(store: Store, one: _Ended, sleep: Callable[[float], Awaitable[None]]) -> int:
    total = 0
    while rows := await store.read(select(*one.key).where(one.condition).limit(_BATCH)):
        async with store.write() as tx:
            # Asked again under a lock: an operator, or a delivery, may have been quicker.
            held = await tx.execute(
                select(*one.key).where(_among(one, rows), one.condition).with_for_update(of=one.table)
            )
            for child in one.children:
                await tx.execute(delete(child.table).where(child.in_([row[0] for row in held])))
            await tx.execute(delete(one.table).where(_among(one, held)))
        if not held:
            return total
        total += len(held)
        await sleep(PAUSE_SECONDS)
    return total


def _among(one: _Ended, rows: Sequence[Row[Any]]) -> ColumnElement[bool]:
    if len(one.key) == 1:
        return one.key[0].in_([row[0] for row in rows])
    return tuple_(*one.key).in_([tuple(row) for row in rows])

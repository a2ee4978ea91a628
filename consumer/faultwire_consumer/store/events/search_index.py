"""Texts and values of kept events: written in the transaction that keeps a body, deleted with the event."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, delete, insert, literal, select, text, union_all

from faultwire_consumer.domain.searched import SearchedEvent
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.pile import Shape, Write, insertion, write_of
from faultwire_consumer.store.contract.store import EventRow, Store, Transaction
from faultwire_consumer.store.schema.events import QUARANTINE_DAY
from faultwire_consumer.store.schema.search import event_texts, event_values, search_fill, search_queue

BATCH: Final = 500
"""The texts deleted in one transaction; each has about ten values."""
_PAUSE_SECONDS: Final = 0.02

TEXTS: Final = Shape(
    (
        (
            "texts",
            """
  INSERT INTO faultwire.event_texts (occurred_day, event_id, fingerprint, occurred_at, edge, text)
  SELECT * FROM unnest($1::date[], $2::text[], $3::bytea[], $4::timestamptz[], $5::text[], $6::text[])
  WHERE {after} ORDER BY 1, 2
  ON CONFLICT (occurred_day, event_id) DO NOTHING RETURNING id, event_id, fingerprint
""",
        ),
        (
            "text_values",
            """
  INSERT INTO faultwire.event_values (text_id, number, name, value, fingerprint)
  SELECT texts.id, v.number, v.name, v.value, texts.fingerprint
  FROM unnest($7::text[], $8::smallint[], $9::text[], $10::text[]) AS v(event_id, number, name, value)
  JOIN texts USING (event_id) RETURNING 1
""",
        ),
    ),
    parameters=10,
)
"""Both in one statement, as the ids of the texts then need not be asked for."""
QUEUE: Final = insertion("queue", search_queue, ("body",))
_RECORD_VALUES: Final = text("""
INSERT INTO event_values (text_id, number, name, value, fingerprint)
SELECT t.id, json_extract(v.value, '$[2]'), json_extract(v.value, '$[3]'), json_extract(v.value, '$[4]'),
  t.fingerprint
FROM json_each(:values) v JOIN event_texts t
  ON t.occurred_day = json_extract(v.value, '$[0]') AND t.event_id = json_extract(v.value, '$[1]')
WHERE true ON CONFLICT DO NOTHING
""")


class FoundBy(Struct, frozen=True):
    """An event, and what it is found by."""

    occurred_day: date
    event_id: str
    fingerprint: bytes
    occurred_at: datetime
    searched: SearchedEvent
    edge: str | None = None
    """The edge of which it has the body, where its row has none."""


def found_by(row: EventRow, searched: SearchedEvent) -> FoundBy:
    """Say what a batch's event is found by."""
    return FoundBy(row.occurred_day, row.event_id, row.fingerprint, row.occurred_at, searched)


async def record_found_by(tx: Transaction, found: Collection[FoundBy]) -> None:
    """Make events findable, each once: an event that is already is left as it is."""
    if not found:
        return
    ordered = sorted(found, key=lambda one: (one.occurred_day, one.event_id))
    if tx.pile is not None:
        await tx.pile.add(Write(TEXTS, _columns(ordered)))
        return
    await tx.execute(
        INSERT["sqlite"](event_texts).on_conflict_do_nothing(),
        [
            {
                "occurred_day": one.occurred_day,
                "event_id": one.event_id,
                "fingerprint": one.fingerprint,
                "occurred_at": one.occurred_at,
                "edge": one.edge,
                "text": one.searched.text,
            }
            for one in ordered
        ],
    )
    values = [
        (one.occurred_day.isoformat(), one.event_id, number, *pair)
        for one in ordered
        for number, pair in enumerate(one.searched.values)
    ]
    await tx.execute(_RECORD_VALUES, {"values": msgspec.json.encode(values).decode()})


async def queue_found_by(tx: Transaction, keys: Sequence[tuple[date, str]]) -> None:
    """Leave events to be made findable moments later, by their days and ids."""
    if not keys:
        return
    row = {"body": msgspec.json.encode(keys)}
    if tx.pile is not None:
        await tx.pile.add(write_of(QUEUE, ("body",), [row]))
    else:
        await tx.execute(insert(search_queue).values(row))


def _columns(ordered: Sequence[FoundBy]) -> list[list[Any]]:
    values = [(one.event_id, *pair) for one in ordered for pair in one.searched.values]
    return [
        [one.occurred_day for one in ordered],
        [one.event_id for one in ordered],
        [one.fingerprint for one in ordered],
        [one.occurred_at for one in ordered],
        [one.edge for one in ordered],
        [one.searched.text for one in ordered],
        [owner for owner, _, _ in values],
        [number for one in ordered for number in range(len(one.searched.values))],
        [name for _, name, _ in values],
        [value for _, _, value in values],
    ]


async def forget_events(tx: Transaction, day: date, event_ids: Collection[str]) -> None:
    """Delete what these events of a day are found by, in the transaction that deletes them."""
    await _forget(tx, event_texts.c.occurred_day == day, event_texts.c.event_id.in_(event_ids))


async def forget_texts(tx: Transaction, text_ids: Collection[int]) -> None:
    """Delete what events are found by, by the numbers of their texts."""
    await _forget(tx, event_texts.c.id.in_(text_ids))


async def _forget(tx: Transaction, *condition: ColumnElement[bool]) -> None:
    gone = select(event_texts.c.id).where(*condition)
    await tx.execute(delete(event_values).where(event_values.c.text_id.in_(gone)))
    await tx.execute(delete(event_texts).where(*condition))


async def forget_day(
    store: Store, day: date, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Delete what the events of a day were found by, which are gone.

    Raises:
        StoreUnavailableError: the database cannot be used now; what is deleted stays deleted.
    """
    await _forget_all(store, (event_texts.c.occurred_day == day,), sleep)


async def forget_before(
    store: Store, day: date, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Delete what events of earlier days than this were found by, the quarantine's apart.

    Raises:
        StoreUnavailableError: the database cannot be used now; what is deleted stays deleted.
    """
    days = event_texts.c.occurred_day
    await _forget_all(store, (days < day, days != QUARANTINE_DAY), sleep)


async def _forget_all(
    store: Store, condition: tuple[ColumnElement[bool], ...], sleep: Callable[[float], Awaitable[None]]
) -> None:
    while rows := await store.read(select(event_texts.c.id).where(*condition).limit(BATCH)):
        async with store.write() as tx:
            await forget_texts(tx, [row.id for row in rows])
        await sleep(_PAUSE_SECONDS)


async def is_search_complete(store: Store) -> bool:
    """Return True while every event with a body is findable: none is old and waits, or came in a flood.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    waiting = union_all(
        select(literal(1)).select_from(search_fill), select(literal(1)).select_from(search_queue)
    )
    return not await store.read(waiting.limit(1))

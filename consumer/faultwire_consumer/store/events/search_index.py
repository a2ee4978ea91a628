"""Texts and values of kept events: written in the transaction that keeps a body, deleted with the event."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Date,
    DateTime,
    LargeBinary,
    SmallInteger,
    Text,
    bindparam,
    delete,
    insert,
    literal,
    select,
    text,
    union_all,
)

from faultwire_consumer.domain.searched import SearchedEvent
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import EventRow, Store, Transaction
from faultwire_consumer.store.schema.events import QUARANTINE_DAY
from faultwire_consumer.store.schema.search import event_texts, event_values, search_fill, search_queue

BATCH: Final = 500
"""The texts deleted in one transaction; each has about ten values."""
_PAUSE_SECONDS: Final = 0.02

# In one statement, as a batch is stored: it saves a round trip, and the ids need not be asked for.
_RECORD: Final = text("""
WITH texts AS (
  INSERT INTO faultwire.event_texts (occurred_day, event_id, fingerprint, occurred_at, edge, text)
  SELECT * FROM unnest(:days, :ids, :fingerprints, :moments, :edges, :texts) ORDER BY 1, 2
  ON CONFLICT (occurred_day, event_id) DO NOTHING RETURNING id, event_id, fingerprint
)
INSERT INTO faultwire.event_values (text_id, number, name, value, fingerprint)
SELECT texts.id, v.number, v.name, v.value, texts.fingerprint
FROM unnest(:owners, :numbers, :names, :values) AS v(event_id, number, name, value)
JOIN texts USING (event_id)
""").bindparams(
    bindparam("days", type_=ARRAY(Date)),
    bindparam("ids", type_=ARRAY(Text)),
    bindparam("fingerprints", type_=ARRAY(LargeBinary)),
    bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
    bindparam("edges", type_=ARRAY(Text)),
    bindparam("texts", type_=ARRAY(Text)),
    bindparam("owners", type_=ARRAY(Text)),
    bindparam("numbers", type_=ARRAY(SmallInteger)),
    bindparam("names", type_=ARRAY(Text)),
    bindparam("values", type_=ARRAY(Text)),
)
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
    if tx.dialect == "postgresql":
        await tx.execute(_RECORD, _columns(ordered))
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
    if keys:
        await tx.execute(insert(search_queue).values(body=msgspec.json.encode(keys)))


def _columns(ordered: Sequence[FoundBy]) -> dict[str, list[Any]]:
    values = [(one.event_id, *pair) for one in ordered for pair in one.searched.values]
    return {
        "days": [one.occurred_day for one in ordered],
        "ids": [one.event_id for one in ordered],
        "fingerprints": [one.fingerprint for one in ordered],
        "moments": [one.occurred_at for one in ordered],
        "edges": [one.edge for one in ordered],
        "texts": [one.searched.text for one in ordered],
        "owners": [owner for owner, _, _ in values],
        "numbers": [number for one in ordered for number in range(len(one.searched.values))],
        "names": [name for _, name, _ in values],
        "values": [value for _, _, value in values],
    }


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

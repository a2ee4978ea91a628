"""Producers as operators read them: how far each has counted, what is missing, and what it lost."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select

from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.domain.producer.state import ProducerVerdict, judge_producer
from faultwire_consumer.store.audit.producers import DEAD_LETTERED
from faultwire_consumer.store.contract.paging import Page, cut, decode_cursor, older_than
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import producers, sequence_gaps

_LISTING: Final = "producers"


class Producer(Struct, frozen=True, kw_only=True):
    """One client in one process, as known from its numbers and its reports."""

    producer_id: str
    service: str
    host: str
    started_at: datetime | None
    first_seen_at: datetime
    last_seen_at: datetime
    last_report_at: datetime | None
    last_sequence: int
    spool_depth: int
    sdk: str | None
    """Name and version of its client; None before its first report."""
    unfollowed: int
    missing: int
    """Numbers that did not arrive, without an explanation."""
    dead_lettered: int
    """Numbers whose events are among the broker's dead letters."""
    lost: Mapping[str, int]
    via: str | None
    """The program that reports in its place; None: it reports itself."""
    unnumbered: int
    """Events that came without a number, by its reports."""
    dropped: Mapping[str, int]
    """Items that are no events by kind, by its reports."""


def verdict_of(producer: Producer, now: datetime) -> ProducerVerdict:
    """Return the state of a process, and the reason for it."""
    return judge_producer(
        last_seen_at=producer.last_seen_at,
        last_report_at=producer.last_report_at,
        spool_depth=producer.spool_depth,
        now=now,
    )


_ROW: Final = tuple(
    producers.c[name] for name in Producer.__struct_fields__ if name not in ("missing", "dead_lettered")
)


async def list_producers(
    store: Store, *, service: Sequence[str] = (), limit: int, cursor: str | None = None
) -> Page[Producer]:
    """List producers, the last seen first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
    """
    table = producers.c
    statement = select(*_ROW)
    if service:
        statement = statement.where(table.service.in_(service))
    if cursor is not None:
        position = decode_cursor(_LISTING, cursor, str)
        statement = statement.where(older_than(position, table.last_seen_at, table.producer_id))
    order = table.last_seen_at.desc(), table.producer_id.desc()
    rows = [values_of(row) for row in await store.read(statement.order_by(*order).limit(limit + 1))]
    missing, dead = await _count_gaps(store, [row["producer_id"] for row in rows])
    found = [
        Producer(
            **row
            | {
                "lost": msgspec.json.decode(row["lost"], type=dict[str, int]),
                "dropped": msgspec.json.decode(row["dropped"], type=dict[str, int]),
                "missing": missing[row["producer_id"]],
                "dead_lettered": dead[row["producer_id"]],
            }
        )
        for row in rows
    ]
    return cut(found, limit=limit, listing=_LISTING, moment="last_seen_at", key="producer_id")


async def _count_gaps(store: Store, ids: Sequence[str]) -> tuple[Counter[str], Counter[str]]:
    """Count each producer's numbers that are missing, and those that are among the dead letters."""
    gap = sequence_gaps.c
    add_up = func.total if store.name == "sqlite" else func.sum  # as in `count_missing`
    rows = await store.read(
        select(gap.producer_id, gap.state, gap.reason, add_up(gap.last - gap.first + 1).label("numbers"))
        .where(gap.producer_id.in_(ids), gap.state != GapState.FILLED.value)
        .group_by(gap.producer_id, gap.state, gap.reason)
    )
    missing: Counter[str] = Counter()
    dead: Counter[str] = Counter()
    for row in rows:
        if row.state == GapState.OPEN.value:
            missing[row.producer_id] += int(row.numbers)
        elif row.reason == DEAD_LETTERED:
            dead[row.producer_id] += int(row.numbers)
    return missing, dead

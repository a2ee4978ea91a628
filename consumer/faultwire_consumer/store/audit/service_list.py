"""Producers by service: what all processes of one add up to, and which services went quiet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import BigInteger, ColumnElement, DateTime, Select, and_, case, extract, func, or_, select
from sqlalchemy import type_coerce as coerce

from faultwire_consumer.domain.producer.sequence import GapState
from faultwire_consumer.domain.producer.state import SAYS_WITHIN, ProducerVerdict, judge_producer
from faultwire_consumer.store.audit.producers import DEAD_LETTERED
from faultwire_consumer.store.audit.service_clients import (
    ServiceClient,
    add_up,
    read_clients,
    read_counts,
    sdks_of,
)
from faultwire_consumer.store.contract.paging import ListCursor, Page, cut, decode_cursor, older_than
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import producers, sequence_gaps
from faultwire_shared.producer_report import SEQUENCE_MAX

QUIET_FOR: Final = timedelta(days=7)
"""A service that was last heard from earlier is history, and counts as quiet no more."""
_LISTING: Final = "services"
_SECOND: Final = 1_000_000


class ServiceProducers(Struct, frozen=True, kw_only=True):
    """All processes of a service that number their events; it stands as the one that was seen last."""

    service: str
    verdict: ProducerVerdict
    processes: int
    """Those that report themselves; of what others report for, nobody knows how many there are."""
    quiet: int
    """Processes that are quiet."""
    last_seen_at: datetime
    numbered: int
    """Events that they numbered, as far as is known."""
    missing: int
    dead_lettered: int
    unfollowed: int
    lost: Mapping[str, int]
    spool_depth: int
    sdks: tuple[str, ...]
    """Names and versions of their clients, the last seen first; five at most."""
    unnumbered: int
    """Events that came without a number, as those through the gateway do."""
    dropped: Mapping[str, int]
    """Items that are no events by kind."""
    clients: tuple[ServiceClient, ...]


async def list_services(
    store: Store, *, service: Sequence[str] = (), limit: int, now: datetime, cursor: str | None = None
) -> Page[ServiceProducers]:
    """List services by their producers, the last heard from first.

    Raises:
        BadCursorError: the cursor does not belong to this list.
        StoreUnavailableError: the database cannot be used now.
    """
    position = decode_cursor(_LISTING, cursor, str) if cursor is not None else None
    rows = await store.read(select_services(store.name, service, position, limit + 1, now))
    names = [row.service for row in rows]
    newest = await _read_newest(store, names, [row.last_seen_at for row in rows])
    missing, dead = await _count_gaps(store, names)
    counts = await read_counts(store, names)
    clients = await read_clients(store, names, counts)
    totals = {name: add_up(counts, name) for name in names}
    found = [
        ServiceProducers(
            service=row.service,
            verdict=judge_producer(**newest[row.service], now=now),
            processes=int(row.processes),
            quiet=int(row.quiet),
            last_seen_at=row.last_seen_at,
            numbered=_whole(row.numbered),
            missing=missing[row.service],
            dead_lettered=dead[row.service],
            unfollowed=_whole(row.unfollowed),
            lost=totals[row.service].lost,
            spool_depth=_whole(row.spool_depth),
            sdks=sdks_of(clients[row.service]),
            unnumbered=_whole(row.unnumbered),
            dropped=totals[row.service].dropped,
            clients=clients[row.service],
        )
        for row in rows
    ]
    return cut(found, limit=limit, listing=_LISTING, moment="last_seen_at", key="service")


def select_services(
    database: str, services: Sequence[str], position: ListCursor | None, limit: int, now: datetime
) -> Select[Any]:
    """Select a page of services, added up over their processes."""
    table, total = producers.c, func.total if database == "sqlite" else func.sum
    seen = func.max(table.last_seen_at, type_=table.last_seen_at.type)
    statement = select(
        table.service,
        seen.label("last_seen_at"),
        func.sum(case((table.via.is_(None), 1), else_=0)).label("processes"),
        func.sum(case((is_quiet(database, now), 1), else_=0)).label("quiet"),
        *(
            total(column).label(name)
            for name, column in (
                ("numbered", table.last_sequence),
                ("unfollowed", table.unfollowed),
                ("spool_depth", table.spool_depth),
                ("unnumbered", table.unnumbered),
            )
        ),
    ).group_by(table.service)
    if services:
        statement = statement.where(table.service.in_(services))
    if position is not None:
        statement = statement.having(older_than(position, seen, table.service))
    return statement.order_by(seen.desc(), table.service.desc()).limit(limit)


async def count_quiet_services(store: Store, *, now: datetime) -> int:
    """Count the services that went quiet within the last days, and are quiet now.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    rows = await store.read(select_quiet_services(store.name, now))
    return int(rows[0].total)


def select_quiet_services(database: str, now: datetime) -> Select[Any]:
    """Select the number of services whose process that was seen last is quiet."""
    table = producers.c
    newest = (
        select(table.service, func.max(table.last_seen_at, type_=table.last_seen_at.type).label("at"))
        .where(table.last_seen_at >= now - QUIET_FOR)
        .group_by(table.service)
        .subquery()
    )
    return (
        select(func.count(table.service.distinct()).label("total"))
        .join_from(
            newest,
            producers,
            and_(table.last_seen_at == newest.c.at, table.service == newest.c.service),
        )
        .where(is_quiet(database, now))
    )


def is_quiet(database: str, now: datetime) -> ColumnElement[bool]:
    """Return `judge_producer` saying quiet, in SQL, for a row of producers."""
    table = producers.c
    seconds: ColumnElement[Any]
    if database == "sqlite":
        seen, said = (coerce(column, BigInteger) for column in (table.last_seen_at, table.last_report_at))
        seconds = (seen - said) / _SECOND
    else:
        zoned = DateTime(timezone=True)
        seconds = extract("epoch", coerce(table.last_seen_at, zoned) - coerce(table.last_report_at, zoned))
    owes = or_(
        table.last_report_at.is_(None),
        table.spool_depth > 0,
        seconds > SAYS_WITHIN.total_seconds(),
    )
    return and_(table.last_seen_at < now - SAYS_WITHIN, owes)


async def _read_newest(
    store: Store, names: Sequence[str], moments: Sequence[datetime]
) -> dict[str, dict[str, Any]]:
    """Return what is judged of each service: the process of it that was seen last."""
    table = producers.c
    judged = (table.last_seen_at, table.last_report_at, table.spool_depth)
    rows = await store.read(
        select(table.service, *judged)
        .where(table.last_seen_at.in_(sorted(set(moments))), table.service.in_(names))
        .order_by(table.last_seen_at, table.producer_id)
    )
    found = [values_of(row) for row in rows]
    return {row.pop("service"): row for row in found}


async def _count_gaps(store: Store, names: Sequence[str]) -> tuple[Counter[str], Counter[str]]:
    """Count each service's numbers that are missing, and those that are among the dead letters."""
    gap, add_up = sequence_gaps.c, func.total if store.name == "sqlite" else func.sum
    rows = await store.read(
        select(producers.c.service, gap.state, gap.reason, add_up(gap.last - gap.first + 1).label("numbers"))
        .join_from(sequence_gaps, producers, producers.c.producer_id == gap.producer_id)
        .where(producers.c.service.in_(names), gap.state != GapState.FILLED.value)
        .group_by(producers.c.service, gap.state, gap.reason)
    )
    missing: Counter[str] = Counter()
    dead: Counter[str] = Counter()
    for row in rows:
        if row.state == GapState.OPEN.value:
            missing[row.service] += int(row.numbers)
        elif row.reason == DEAD_LETTERED:
            dead[row.service] += int(row.numbers)
    return missing, dead


def _whole(total: float) -> int:
    """A sum as a number; of a producer that numbers at random it may be beyond what is stored."""
    return min(int(total), SEQUENCE_MAX)

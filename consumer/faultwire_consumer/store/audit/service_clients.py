"""Clients of services by name and version: when each was last heard, what it sent, dropped and lost."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct, field
from sqlalchemy import case, func, or_, select

from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import producers
from faultwire_shared.producer_report import SEQUENCE_MAX

SDKS_SHOWN: Final = 5
CLIENTS_SHOWN: Final = 50
"""Of a service: those that were seen last."""
_ROWS_READ: Final = 5_000
"""Producers with losses or dropped items whose counts are added up: those that were seen last."""


class ServiceClient(Struct, frozen=True, kw_only=True):
    """One version of a client library, in all processes of a service."""

    sdk: str
    """Its name and version."""
    via: str | None
    """The program that reports in its place; None: it reports itself."""
    last_seen_at: datetime
    processes: int
    """Those that report themselves."""
    numbered: int
    unnumbered: int
    dropped: Mapping[str, int]
    lost: Mapping[str, int]


class ProducerCounts(Struct, kw_only=True):
    """Losses by reason, and items that are no events by kind; the most first."""

    lost: Mapping[str, int] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)


ClientKey = tuple[str, str | None, str | None]
"""A service, a client's name and version if it said them, and who reports in its place."""


async def read_counts(store: Store, services: Sequence[str]) -> dict[ClientKey, ProducerCounts]:
    """Read what the clients of services lost and dropped.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table = producers.c
    rows = await store.read(
        select(table.service, table.sdk, table.via, table.lost, table.dropped)
        .where(table.service.in_(services), or_(table.lost != "{}", table.dropped != "{}"))
        .order_by(table.last_seen_at.desc())
        .limit(_ROWS_READ)
    )
    lost: defaultdict[ClientKey, Counter[str]] = defaultdict(Counter)
    dropped: defaultdict[ClientKey, Counter[str]] = defaultdict(Counter)
    for row in rows:
        key = row.service, row.sdk, row.via
        lost[key].update(msgspec.json.decode(row.lost, type=dict[str, int]))
        dropped[key].update(msgspec.json.decode(row.dropped, type=dict[str, int]))
    return {key: ProducerCounts(lost=_sum(lost[key]), dropped=_sum(dropped[key])) for key in lost}


async def read_clients(
    store: Store, services: Sequence[str], counts: Mapping[ClientKey, ProducerCounts]
) -> defaultdict[str, tuple[ServiceClient, ...]]:
    """Read the clients of services that said what they are, the last seen first.

    Args:
        store: the store to read from.
        services: their names.
        counts: what `read_counts` gave for them.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    table, total = producers.c, func.total if store.name == "sqlite" else func.sum
    seen = func.max(table.last_seen_at, type_=table.last_seen_at.type)
    rows = await store.read(
        select(
            table.service,
            table.sdk,
            table.via,
            seen.label("last_seen_at"),
            func.sum(case((table.via.is_(None), 1), else_=0)).label("processes"),
            total(table.last_sequence).label("numbered"),
            total(table.unnumbered).label("unnumbered"),
        )
        .where(table.service.in_(services), table.sdk.is_not(None))
        .group_by(table.service, table.sdk, table.via)
        .order_by(seen.desc(), table.sdk.desc())
        .limit(_ROWS_READ)
    )
    found: defaultdict[str, tuple[ServiceClient, ...]] = defaultdict(tuple)
    for row in rows:
        if len(found[row.service]) == CLIENTS_SHOWN:
            continue
        said = counts.get((row.service, row.sdk, row.via), ProducerCounts())
        found[row.service] += (
            ServiceClient(
                sdk=row.sdk,
                via=row.via,
                last_seen_at=row.last_seen_at,
                processes=int(row.processes),
                numbered=min(int(row.numbered), SEQUENCE_MAX),
                unnumbered=min(int(row.unnumbered), SEQUENCE_MAX),
                dropped=said.dropped,
                lost=said.lost,
            ),
        )
    return found


def add_up(counts: Mapping[ClientKey, ProducerCounts], service: str) -> ProducerCounts:
    """Add up what the clients of a service lost and dropped."""
    own = [found for (name, _, _), found in counts.items() if name == service]
    return ProducerCounts(lost=_sum(*(one.lost for one in own)), dropped=_sum(*(one.dropped for one in own)))


def sdks_of(clients: Sequence[ServiceClient]) -> tuple[str, ...]:
    """Return the names and versions of clients, the last seen first; five at most."""
    return tuple(dict.fromkeys(client.sdk for client in clients))[:SDKS_SHOWN]


def _sum(*counters: Mapping[str, int]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return {name: min(count, SEQUENCE_MAX) for name, count in total.most_common()}

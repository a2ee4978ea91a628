"""Storage of merges and unmerges: fingerprints change their incident, and the totals follow.

Whoever calls has the incidents locked, in the order of their ids. A worker that saw the fingerprints where
they were before finds ``moves`` changed once it has a lock, counts nothing, and tries its batch again.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import structs
from sqlalchemy import ColumnElement, Select, func, select, update

from faultwire_consumer.domain.incident_totals import (
    IncidentTotals,
    KeptFigures,
    combine_totals,
    split_totals,
)
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store, StoreReader, Transaction
from faultwire_consumer.store.outbox.pending_move import merge_pending, split_pending
from faultwire_consumer.store.schema.events import events, fingerprints, hourly, incidents

_HOPS: Final = 100
"""Merges one after the other that are followed; each needs an operator."""
_TOTALS: Final = tuple(incidents.c[name] for name in IncidentTotals.__struct_fields__)


async def find_holder(store: StoreReader, incident_id: int) -> int | None:
    """Return the incident that has the events of one that was merged; None if it was not."""
    holder, table = incident_id, incidents.c
    for _ in range(_HOPS):
        rows = await store.read(select(table.merged_into).where(table.id == holder))
        if not rows or rows[0].merged_into is None:
            break
        holder = rows[0].merged_into
    return holder if holder != incident_id else None


async def read_holders(store: Store, ids: Collection[int]) -> list[int]:
    """Return the incidents that incidents were merged into; a holder may have been merged itself."""
    table = incidents.c
    rows = await store.read(
        select(table.merged_into).where(table.id.in_(sorted(ids)), table.merged_into.is_not(None))
    )
    return [row.merged_into for row in rows]


async def merge_incidents(tx: Transaction, target: int, sources: Collection[int]) -> None:
    """Give the fingerprints of incidents to another one, with all that was counted of them."""
    totals = await _load_totals(tx, [target, *sources])
    others = [totals[source] for source in sorted(sources)]
    table = fingerprints.c
    await tx.execute(
        update(fingerprints)
        .where(table.incident_id.in_(sorted(sources)))
        .values(home_id=func.coalesce(table.home_id, table.incident_id), incident_id=target)
    )
    await _save(tx, target, combine_totals(totals[target], others))
    for source in sorted(sources):
        merged = {"merged_into": target, "merged_count": totals[source].count, "count": 0}
        await _save(tx, source, None, merged)
    await merge_pending(
        tx, target, {source: totals[source].count for source in sources}, totals[target].count
    )


async def unmerge_incident(tx: Transaction, target: int, source: int, *, now: datetime) -> bool:
    """Take what came with a merged incident back from the one that has it; False if nothing is left."""
    homes = await _homes(tx, target, source)
    here = fingerprints.c.incident_id == target
    key = fingerprints.c.fingerprint
    going = select(key).where(here, fingerprints.c.home_id.in_(sorted(homes)))
    moved_keys = [row.fingerprint for row in await tx.execute(going)]
    if not moved_keys:
        return False
    rest = [row.fingerprint for row in await tx.execute(select(key).where(here))]
    left_keys = sorted(set(rest) - set(moved_keys))
    totals = await _load_totals(tx, [target, source])
    moved = await _figures(tx, moved_keys, with_severity=True)
    was_worst = max(totals[source].severity, moved.severity or 0) >= totals[target].severity
    left = await _figures(tx, left_keys, with_severity=was_worst)
    staying, going_totals = split_totals(totals[target], totals[source], moved=moved, left=left)
    await _take_home(tx, moved_keys, source, now)
    await _save(tx, target, staying)
    await _save(tx, source, going_totals, {"merged_into": None, "merged_count": None})
    await split_pending(tx, target, source, going_totals.count)
    return True


async def _take_home(tx: Transaction, keys: Sequence[bytes], source: int, now: datetime) -> None:
    table = fingerprints.c
    chosen = table.fingerprint.in_(sorted(keys))
    await tx.execute(update(fingerprints).where(chosen).values(incident_id=source, pinned_at=now))
    # What had been merged into it before stays its guest.
    await tx.execute(update(fingerprints).where(chosen, table.home_id == source).values(home_id=None))


async def _homes(tx: Transaction, target: int, source: int) -> set[int]:
    """Return the incident and those that had been merged into it before it was merged itself."""
    rows = await tx.execute(
        select(incidents.c.id, incidents.c.merged_into).where(
            incidents.c.id.in_(select(fingerprints.c.home_id).where(fingerprints.c.incident_id == target))
        )
    )
    parents = {row.id: row.merged_into for row in rows}
    return {source, *(one for one in parents if _leads_to(parents, one, source))}


def _leads_to(parents: Mapping[int, int | None], start: int, end: int) -> bool:
    at: int | None = start
    for _ in range(_HOPS):
        if at == end or at is None:
            break
        at = parents.get(at)
    return at == end


async def _load_totals(tx: Transaction, ids: Sequence[int]) -> dict[int, IncidentTotals]:
    """Load totals; those of a merged incident are as they were when it was merged."""
    rows = await tx.execute(
        select(incidents.c.id, incidents.c.merged_count, *_TOTALS).where(incidents.c.id.in_(sorted(ids)))
    )
    found = {}
    for row in rows:
        values = values_of(row)
        incident_id, merged = values.pop("id"), values.pop("merged_count")
        found[incident_id] = IncidentTotals(**values | ({} if merged is None else {"count": merged}))
    return found


async def _save(
    tx: Transaction, incident_id: int, totals: IncidentTotals | None, more: Mapping[str, Any] | None = None
) -> None:
    values = (structs.asdict(totals) if totals is not None else {}) | dict(more or {})
    await tx.execute(
        update(incidents).where(incidents.c.id == incident_id).values(**values, moves=incidents.c.moves + 1)
    )


async def _figures(tx: Transaction, keys: Sequence[bytes], *, with_severity: bool) -> KeptFigures:
    """Read what is kept of fingerprints; their severity and bodies need a look at each event."""
    hours = (await tx.execute(_select_hours(keys)))[0]
    edges = (await tx.execute(_select_edges(keys)))[0]
    releases = await tx.execute(_select_last_release(keys))
    looked = (await tx.execute(_select_bodies(keys)))[0] if with_severity else None
    return KeptFigures(
        count=int(hours.total),
        first_hour=hours.first_hour,
        last_hour=hours.last_hour,
        first_at=edges.first_at,
        last_at=edges.last_at,
        severity=looked.severity if looked is not None else None,
        bodies=looked.bodies if looked is not None else 0,
        body_kept_at=looked.body_kept_at if looked is not None else None,
        last_release=releases[0].release if releases else None,
    )


def _of(column: ColumnElement[bytes], keys: Sequence[bytes]) -> ColumnElement[bool]:
    # An unmerge leaves at least one on each side; no key would match nothing.
    return column.in_(sorted(keys))


def _select_hours(keys: Sequence[bytes]) -> Select[Any]:
    hour = hourly.c.hour
    return select(
        func.coalesce(func.sum(hourly.c.count), 0).label("total"),
        func.min(hour, type_=hour.type).label("first_hour"),
        func.max(hour, type_=hour.type).label("last_hour"),
    ).where(_of(hourly.c.fingerprint, keys))


def _select_edges(keys: Sequence[bytes]) -> Select[Any]:
    at = events.c.occurred_at
    return select(
        func.min(at, type_=at.type).label("first_at"), func.max(at, type_=at.type).label("last_at")
    ).where(_of(events.c.fingerprint, keys))


def _select_last_release(keys: Sequence[bytes]) -> Select[Any]:
    return (
        select(events.c.release)
        .where(_of(events.c.fingerprint, keys), events.c.release.is_not(None))
        .order_by(events.c.occurred_at.desc())
        .limit(1)
    )


def _select_bodies(keys: Sequence[bytes]) -> Select[Any, Any, Any]:
    kept, at = events.c.doc.is_not(None), events.c.occurred_at
    return select(
        func.max(events.c.severity).label("severity"),
        func.count().filter(kept).label("bodies"),
        func.max(at, type_=at.type).filter(kept).label("body_kept_at"),
    ).where(_of(events.c.fingerprint, keys))

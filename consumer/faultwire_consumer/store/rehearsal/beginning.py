"""The beginning of a rehearsal: every incident that it will touch, as it was then, with its own number.

An incident that began later is registered and not yet counted, so that its first event opens it. Counts
are those of today less everything that came in since, each pair of them read in one statement.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field
from sqlalchemy import Select, exists, func, insert, select

from faultwire_consumer.domain.incident import Status, TransitionReason
from faultwire_consumer.domain.incident_terms import encode_terms, read_terms
from faultwire_consumer.domain.lifecycle.retelling import ToldState, standing_after
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.acts import read_passages
from faultwire_consumer.store.rehearsal.chunk import CHUNK, chunks
from faultwire_consumer.store.rehearsal.counters import Came, Counters
from faultwire_consumer.store.rehearsal.events import Span
from faultwire_consumer.store.rehearsal.merges import Family, find_family
from faultwire_consumer.store.schema.events import (
    events,
    fingerprints,
    history,
    hourly,
    incidents,
    sightings,
)

_LOWEST: Final = 1
_KEPT: Final = (
    *("id", "service", "title", "culprit", "category", "code", "search_text", "first_seen_at"),
    *("status", "episode", "resolved_at", "terms", "assignee", "merged_into", "severity", "count"),
)


class Begun(Struct):
    """Figures of what a rehearsal began with."""

    incidents: int = 0
    standing: int = 0
    """Incidents that had begun, and were neither resolved nor merged."""
    pruned: int = 0
    """Incidents that had begun and changed since, whose history does not reach back to that."""
    numbers: set[int] = field(default_factory=set)
    """Of all incidents that are there."""


class Beginning:
    """Copies from a store what a rehearsal begins with.

    Args:
        source: the store with the history; it is only read.
        span: the rehearsed time.
    """

    def __init__(self, source: Store, span: Span) -> None:
        self._source = source
        self._span = span
        self._counters = Counters(source, span)
        self._counts: dict[int, int] = {}
        """Counts of incidents at the beginning, with what had been merged into them."""
        self._own: dict[int, int] = {}
        self._came_to: dict[int, Came] = {}
        self._keys: dict[int, set[bytes]] = {}

    async def copy_to(self, scratch: Sequence[Store], acted_on: Collection[int]) -> Begun:
        """Write into scratch stores the incidents of the span's events, and those that were acted on.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        await self._counters.read_events()
        ids = await self._incidents_of(self._counters.came) | set(acted_on)
        family = await find_family(self._source, ids, start=self._span.start)
        ids |= family.members
        begun = Begun()
        prepared = [await self._copy_fingerprints(chunk, family) for chunk in chunks(sorted(ids))]
        rows = [row async for row in self._incidents(sorted(ids), family, begun)]
        for store in scratch:
            await _insert(store, rows, [one for chunk in prepared for one in chunk])
        for chunk in chunks(sorted(ids)):
            keys = sorted({key for one in chunk for key in self._keys.get(one, ())})
            hours, sights = await self._counters.read_hours(keys), await self._counters.read_sights(keys)
            for store in scratch:
                await _insert_all(store, [(hourly, hours), (sightings, sights)])
        await self._copy_releases(scratch, rows)
        return begun

    async def _incidents_of(self, keys: Iterable[bytes]) -> set[int]:
        found: set[int] = set()
        for chunk in chunks(sorted(keys)):
            statement = select(fingerprints.c.incident_id, fingerprints.c.home_id).where(
                fingerprints.c.fingerprint.in_(chunk)
            )
            for row in await self._source.read(statement):
                found |= {row.incident_id, row.home_id or row.incident_id}
        return found

    async def _copy_fingerprints(self, ids: Sequence[int], family: Family) -> list[dict[str, Any]]:
        """Return the fingerprints of incidents where they belonged then, and add up what they had."""
        table = fingerprints.c
        # What was at home here and went elsewhere belongs to a relative, which is asked for too.
        rows = await self._source.read(select(fingerprints).where(table.incident_id.in_(ids)))
        copied = []
        for row in rows:
            values = values_of(row)
            at_home = row.home_id or row.incident_id
            holder = family.holder_of(at_home)
            values |= {"incident_id": holder, "home_id": at_home if holder != at_home else None}
            values["counted_since"] = None
            copied.append(values)
            self._keys.setdefault(holder, set()).add(bytes(row.fingerprint))
            came = self._counters.came.get(bytes(row.fingerprint))
            if came is not None:
                both = self._came_to.setdefault(row.incident_id, Came())
                both.severity = max(both.severity, came.severity)
                both.counts[""] = both.counts.get("", 0) + came.total
        totals = await self._counters.totals([bytes(row.fingerprint) for row in rows])
        for values in copied:
            n = totals.get(bytes(values["fingerprint"]), 0)
            for sums, one in (
                (self._counts, values["incident_id"]),
                (self._own, values["home_id"] or values["incident_id"]),
            ):
                sums[one] = sums.get(one, 0) + n
        return copied

    async def _copy_releases(self, scratch: Sequence[Store], rows: Sequence[Mapping[str, Any]]) -> None:
        """Have the releases of whole services known, by one incident of each: their order may decide."""
        one_of = {row["service"]: row["id"] for row in rows if self._keys.get(row["id"])}
        first = func.min(sightings.c.created_at, type_=sightings.c.created_at.type)
        for service, incident_id in sorted(one_of.items()):
            known = await self._source.read(
                select(sightings.c.release, first.label("at"))
                .join(fingerprints, fingerprints.c.fingerprint == sightings.c.fingerprint)
                .join(incidents, incidents.c.id == fingerprints.c.incident_id)
                .where(incidents.c.service == service, sightings.c.created_at < self._span.start)
                .group_by(sightings.c.release)
                .order_by(first.desc())
                .limit(CHUNK)
            )
            key = min(self._keys[incident_id])
            # No event has an empty environment: this tells of no place where the incident was seen.
            sights = [
                {"fingerprint": key, "environment": "", "release": row.release, "created_at": row.at}
                for row in known
            ]
            for store in scratch:
                await _insert_all(store, [(sightings, sights)])

    async def _incidents(
        self, ids: Sequence[int], family: Family, begun: Begun
    ) -> AsyncIterator[dict[str, Any]]:
        for chunk in chunks(ids):
            rows = await self._source.read(self._select_incidents(chunk))
            changed = await self._changed_since(chunk)
            passages = await read_passages(self._source, sorted(changed), before=self._span.start)
            worst = await self._severities(rows)
            for row in rows:
                count = self._count_of(row, family)
                standing = _now(row)
                if row.id in changed:
                    told = passages.get(row.id, [])
                    standing = standing_after(told, count=count)
                    begun.pruned += bool(count) and not any(
                        one.reason == TransitionReason.OPENED for one in told
                    )
                begun.incidents += bool(count)
                begun.standing += (
                    bool(count) and standing.status is not Status.RESOLVED and standing.merged_into is None
                )
                begun.numbers.add(row.id)
                merged = self._own.get(row.id, 0) if standing.merged_into is not None else None
                severity = worst.get(row.id, row.severity) if count else _LOWEST
                yield _row(row, standing, count=count, severity=severity, merged=merged)

    def _count_of(self, row: Any, family: Family) -> int:
        if row.id in family.members:
            return 0 if row.id in family.into else self._counts.get(row.id, 0)
        came = self._came_to.get(row.id)
        return max(0, int(row.count) - int(row.later) - (came.total if came is not None else 0))

    def _select_incidents(self, ids: Sequence[int]) -> Select[Any]:
        later = (
            select(fingerprints.c.incident_id, func.sum(events.c.count).label("n"))
            .join_from(events, fingerprints, fingerprints.c.fingerprint == events.c.fingerprint)
            .where(events.c.received_at >= self._span.end)
            .group_by(fingerprints.c.incident_id)
            .subquery()
        )
        return (
            select(*(incidents.c[name] for name in _KEPT), func.coalesce(later.c.n, 0).label("later"))
            .join_from(incidents, later, later.c.incident_id == incidents.c.id, isouter=True)
            .where(incidents.c.id.in_(ids))
            .order_by(incidents.c.id)
        )

    async def _changed_since(self, ids: Sequence[int]) -> set[int]:
        rows = await self._source.read(
            select(history.c.incident_id)
            .distinct()
            .where(history.c.incident_id.in_(ids), history.c.at >= self._span.start)
        )
        return {row.incident_id for row in rows}

    async def _severities(self, rows: Sequence[Any]) -> dict[int, int]:
        """Return the severities of incidents before the span, where it may have raised them."""
        asking = [
            row.id
            for row in rows
            if (came := self._came_to.get(row.id)) is not None and came.severity >= row.severity
        ]
        earlier = (
            exists()
            .where(events.c.fingerprint == fingerprints.c.fingerprint)
            .where(events.c.severity >= incidents.c.severity, events.c.received_at < self._span.start)
        )
        same = await self._source.read(
            select(incidents.c.id)
            .distinct()
            .join_from(incidents, fingerprints, fingerprints.c.incident_id == incidents.c.id)
            .where(incidents.c.id.in_(sorted(asking)), earlier)
        )
        left = set(asking) - {row.id for row in same}
        if not left:
            return {}
        found = await self._source.read(
            select(fingerprints.c.incident_id, func.max(events.c.severity).label("severity"))
            .join_from(fingerprints, events, events.c.fingerprint == fingerprints.c.fingerprint)
            .where(fingerprints.c.incident_id.in_(sorted(left)), events.c.received_at < self._span.start)
            .group_by(fingerprints.c.incident_id)
        )
        return {row.incident_id: row.severity for row in found}


def _now(row: Any) -> ToldState:
    return ToldState(
        status=Status(row.status),
        episode=row.episode,
        resolved_at=row.resolved_at,
        terms=read_terms(row.terms),
        assignee=row.assignee,
        merged_into=row.merged_into,
    )


def _row(row: Any, standing: ToldState, *, count: int, severity: int, merged: int | None) -> dict[str, Any]:
    """Return an incident as it was; one that nothing had come of is registered alone."""
    kept = {name: getattr(row, name) for name in _KEPT}
    mute = standing.terms.mute
    return kept | {
        "status": standing.status.value,
        "episode": standing.episode,
        "resolved_at": standing.resolved_at,
        "terms": encode_terms(standing.terms),
        "muted_at": mute.at if mute is not None else None,
        "assignee": standing.assignee,
        "merged_into": standing.merged_into,
        "merged_count": merged,
        "severity": severity,
        "count": count,
        "last_seen_at": row.first_seen_at,
        "began_at": None,
    }


async def _insert(
    store: Store, incident_rows: Sequence[Mapping[str, Any]], keys: Sequence[Mapping[str, Any]]
) -> None:
    await _insert_all(store, [(incidents, incident_rows), (fingerprints, keys)])


async def _insert_all(store: Store, tables: Sequence[tuple[Any, Sequence[Mapping[str, Any]]]]) -> None:
    for table, rows in tables:
        for start in range(0, len(rows), CHUNK):
            async with store.write() as tx:
                await tx.execute(insert(table), rows[start : start + CHUNK])

"""Counters of fingerprints as they were at the beginning of a rehearsal: today's, less what came in since."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, field
from sqlalchemy import Select, func, select

from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.chunk import chunks
from faultwire_consumer.store.rehearsal.events import Span
from faultwire_consumer.store.schema.events import events, hourly, sightings


class Came(Struct):
    """All that came in of a fingerprint during the rehearsed time."""

    severity: int = 0
    """The highest rank."""
    counts: dict[str, int] = field(default_factory=dict)
    """By environment."""

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self.counts.values())


class Counters:
    """Reads counters.

    Args:
        source: the store with the history.
        span: the rehearsed time.
    """

    def __init__(self, source: Store, span: Span) -> None:
        self._source = source
        self._span = span
        self.came: dict[bytes, Came] = {}

    async def read_events(self) -> None:
        """Add up what came in during the span."""
        rows = await self._source.read(
            select(
                events.c.fingerprint,
                events.c.environment,
                func.sum(events.c.count).label("n"),
                func.max(events.c.severity).label("severity"),
            )
            .where(self._span.condition)
            .group_by(events.c.fingerprint, events.c.environment)
        )
        for row in rows:
            came = self.came.setdefault(bytes(row.fingerprint), Came())
            came.severity = max(came.severity, row.severity)
            came.counts[row.environment] = int(row.n)

    async def totals(self, keys: Sequence[bytes]) -> dict[bytes, int]:
        """Return what fingerprints had counted, by their hourly counters."""
        found: dict[bytes, int] = {}
        for chunk in chunks(keys):
            for row in await self._source.read(self._select_hours(chunk)):
                key = bytes(row.fingerprint)
                found[key] = found.get(key, 0) + self._before(row)
        return found

    def _before(self, row: Any) -> int:
        came = self.came.get(bytes(row.fingerprint))
        since = came.counts.get(row.environment, 0) if came is not None else 0
        return max(0, int(row.total) - int(row.later) - since)

    def _select_hours(self, keys: Sequence[bytes]) -> Select[Any]:
        """Select the counters of fingerprints by environment, beside what came in after the span."""
        spot = (events.c.fingerprint, events.c.environment)
        later = (
            select(*spot, func.sum(events.c.count).label("n"))
            .where(events.c.received_at >= self._span.end)
            .group_by(*spot)
            .subquery()
        )
        table, hour = hourly.c, hourly.c.hour
        return (
            select(
                table.fingerprint,
                table.environment,
                func.sum(table.count).label("total"),
                func.coalesce(func.max(later.c.n), 0).label("later"),
                func.min(hour, type_=hour.type).label("first_hour"),
                func.max(hour, type_=hour.type).filter(hour < self._span.start).label("last_hour"),
            )
            .join_from(
                hourly,
                later,
                (later.c.fingerprint == table.fingerprint) & (later.c.environment == table.environment),
                isouter=True,
            )
            .where(table.fingerprint.in_(keys))
            .group_by(table.fingerprint, table.environment)
        )

    async def read_hours(self, keys: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return one counter for each fingerprint and environment: at the last hour in which it was seen."""
        rows = []
        for chunk in chunks(keys):
            for row in await self._source.read(self._select_hours(chunk)):
                count = self._before(row)
                if count:
                    place = {"fingerprint": row.fingerprint, "environment": row.environment}
                    rows.append(place | {"hour": row.last_hour or row.first_hour, "count": count})
        return rows

    async def read_sights(self, keys: Sequence[bytes]) -> list[dict[str, Any]]:
        """Return where fingerprints had been seen."""
        rows: list[Any] = []
        for chunk in chunks(keys):
            rows += await self._source.read(
                select(sightings).where(
                    sightings.c.fingerprint.in_(chunk), sightings.c.created_at < self._span.start
                )
            )
        return [values_of(row) for row in rows]

"""A store with events of many days, and the pipeline that puts more into it."""

import json
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.domain.outcome import Outcome
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import QUARANTINE_DAY, events, hourly, incidents
from faultwire_shared.codec import BATCH_TYPE
from faultwire_shared.event import ErrorSeverity

SEVERITIES: Final = tuple(ErrorSeverity)


def pipeline_of(store: Store, clock: FixedClock) -> Pipeline:
    async def sleep(_: float) -> None:
        return None

    return Pipeline(store, metrics=Metrics(), clock=clock, sleep=sleep)


async def ingest(pipeline: Pipeline, found: Sequence[dict[str, Any]]) -> list[Outcome]:
    """Put events through in one batch; an outcome for each."""
    deliveries = [
        read_delivery(json.dumps(found[start : start + 50]).encode(), BATCH_TYPE, origin="test", handle=None)
        for start in range(0, len(found), 50)
    ]
    return [outcome for outcomes in await pipeline.ingest(deliveries) for outcome in outcomes]


def event_of(day: datetime, severity: ErrorSeverity = ErrorSeverity.HIGH, **fields: Any) -> dict[str, Any]:
    """An event of a day; every severity is an incident of its own."""
    known = {"severity": severity.value, "message": f"a {severity} one failed", "scrubbed": True}
    return wire_event(now=day, **(known | fields))


async def fill(
    store: Store, clock: FixedClock, *, days: Sequence[int], each: int = 1, padding: int = 0
) -> list[dict[str, Any]]:
    """Events of all severities that came in on their own day, so many days ago; what was put in.

    Padding is of bytes that no compression makes fewer.
    """
    now, given = clock.now, []
    for ago in sorted(days, reverse=True):
        clock.now = now - timedelta(days=ago)
        batch = [
            event_of(clock.now, severity, context={"padding": random.randbytes(padding // 2).hex()})
            for severity in SEVERITIES
            for _ in range(each)
        ]
        await ingest(pipeline_of(store, clock), batch)
        given += batch
    clock.now = now
    return given


async def kept(store: Store) -> dict[str, list[int]]:
    """How many rows of each severity, from low to critical, a day has; the quarantine's by its name."""
    rows = await store.read(
        select(events.c.occurred_day, events.c.severity, func.count().label("rows")).group_by(
            events.c.occurred_day, events.c.severity
        )
    )
    found: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda one: one.occurred_day):
        day = "quarantine" if row.occurred_day == QUARANTINE_DAY else f"{row.occurred_day:%m-%d}"
        found.setdefault(day, [0, 0, 0, 0])[row.severity - 1] = row.rows
    return found


async def totals(store: Store) -> tuple[int, int]:
    """What all incidents, and all hourly counters, have counted."""
    by_incident = await store.read(select(func.coalesce(func.sum(incidents.c.count), 0)))
    by_hour = await store.read(select(func.coalesce(func.sum(hourly.c.count), 0)))
    return int(by_incident[0][0]), int(by_hour[0][0])

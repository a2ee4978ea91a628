"""Looks up what an incident's terms ask for: a batch's events one by one, their releases, a mute's window."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from faultwire_consumer.domain.incident import Touched
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.judgement import Evidence, Occurrence, asks_for_events, releases_in
from faultwire_consumer.domain.window import bucket_of, is_late
from faultwire_consumer.store.contract.store import EventRow, Transaction
from faultwire_consumer.store.events.release_sights import read_first_sights
from faultwire_consumer.store.outbox.windows import Added, WindowScope, count_in_windows, incidents_of

MUTE_RULE = "mute:until"
"""The name under which a mute's window is kept; no rule of a policy can have it."""

_Rows = Mapping[int, Sequence[EventRow]]


async def gather_evidence(
    tx: Transaction,
    touched: Collection[Touched],
    rows: Collection[EventRow],
    duplicates: Collection[str],
    *,
    now: datetime,
) -> dict[int, Evidence]:
    """Look up what the terms of a batch's incidents are judged by; nothing, for nearly every batch.

    Args:
        tx: the batch's transaction, which has its incidents locked.
        touched: the incidents to decide on.
        rows: the batch's events.
        duplicates: the ids of those that were stored before.
        now: time at which the batch is judged.
    """
    asking = asks_for_events(touched)
    if not asking:
        return {}
    fresh = [row for row in rows if row.event_id not in duplicates]
    incident_of = await incidents_of(tx, [row.fingerprint for row in fresh])
    by_incident = {
        one.incident_id: [row for row in fresh if incident_of.get(row.fingerprint) == one.incident_id]
        for one in asking
    }
    full = await _fill_windows(tx, asking, by_incident, now)
    found = {}
    for one in asking:
        its = by_incident[one.incident_id]
        occurrences = [Occurrence(row.event_id, row.ended_at, row.release, row.environment) for row in its]
        named = releases_in(one, occurrences)
        first_seen = await read_first_sights(tx, its[0].service, named) if its else {}
        found[one.incident_id] = Evidence(
            occurrences=occurrences, first_seen=first_seen, is_window_full=one.incident_id in full
        )
    return found


async def _fill_windows(
    tx: Transaction, asking: Collection[Touched], by_incident: _Rows, now: datetime
) -> frozenset[int]:
    """Count in the windows of mutes; return the incidents whose mute waits no longer."""
    added: dict[WindowScope, Added] = {}
    incident_of: dict[WindowScope, int] = {}
    for one in asking:
        mute = one.terms.mute
        if mute is None or mute.within_seconds is None or mute.count is None:
            continue
        length = timedelta(seconds=mute.within_seconds)
        buckets: dict[int, int] = {}
        for row in by_incident[one.incident_id]:
            if row.ended_at > mute.at and not is_late(row.ended_at, now=now):
                bucket = bucket_of(row.ended_at, length)
                buckets[bucket] = buckets.get(bucket, 0) + row.count
        if buckets:
            # Each mute counts anew.
            text = f"{incident_name(one.incident_id)}:{mute.at.isoformat()}"
            scope = WindowScope(MUTE_RULE, text, mute.within_seconds)
            added[scope], incident_of[scope] = Added(mute.count, buckets), one.incident_id
    tripped = await count_in_windows(tx, added, now=now)
    return frozenset(incident_of[scope] for scope, trips in tripped.items() if trips)

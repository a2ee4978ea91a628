"""Counts a batch's events, or its new incidents, in the windows of the rules that have a threshold."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.rules import Per, Rule, scope_of
from faultwire_consumer.domain.window import bucket_of, is_late
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.ingest.rules.notification import threshold_notifications
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification
from faultwire_consumer.store.outbox.windows import Added, WindowScope, count_in_windows, incidents_of


class _Counted(Struct):
    """A batch's addition to one window of a rule, and an event as the example."""

    rule: Rule
    added: Added
    example: Decoded


async def count_thresholds(
    tx: Transaction,
    rules: Sequence[Rule],
    events: Sequence[Decoded],
    opened: Sequence[Decoded],
    *,
    now: datetime,
    muted: Collection[int] = (),
) -> list[NewNotification]:
    """Count, and build notifications of each window that reached its number.

    Args:
        tx: the transaction of the batch.
        rules: the rules with a threshold.
        events: those that the batch stored for the first time.
        opened: one of those events for each incident that the batch opened.
        now: time at which the batch is judged.
        muted: incidents that are muted; a window of such a one alone counts, and tells nobody.
    """
    matching = [
        (rule, event)
        for rule in rules
        for event in _subjects(rule, events, opened)
        if not is_late(event.row.ended_at, now=now) and rule.where.match(event.facts())
    ]
    if not matching:
        return []
    incident_of = await incidents_of(tx, [event.row.fingerprint for _, event in matching])
    counted = _gather(matching, incident_of)
    tripped = await count_in_windows(tx, {scope: each.added for scope, each in counted.items()}, now=now)
    return [
        notification
        for scope, trips in tripped.items()
        if not _is_muted(counted[scope], incident_of, muted)
        for trip in trips
        for notification in threshold_notifications(
            counted[scope].rule,
            scope.scope,
            trip,
            example=counted[scope].example,
            incident_id=incident_of[counted[scope].example.row.fingerprint],
            now=now,
        )
    ]


def _is_muted(one: _Counted, incident_of: Mapping[bytes, int], muted: Collection[int]) -> bool:
    is_alone = one.rule.threshold is not None and one.rule.threshold.per is Per.INCIDENT
    return is_alone and incident_of[one.example.row.fingerprint] in muted


def _subjects(rule: Rule, events: Sequence[Decoded], opened: Sequence[Decoded]) -> Sequence[Decoded]:
    return opened if rule.threshold is not None and rule.threshold.counts_incidents else events


def _gather(
    matching: Iterable[tuple[Rule, Decoded]], incident_of: Mapping[bytes, int]
) -> dict[WindowScope, _Counted]:
    counted: dict[WindowScope, _Counted] = {}
    for rule, event in matching:
        threshold = rule.threshold
        if threshold is None:
            continue
        incident_id = incident_of[event.row.fingerprint] if threshold.per is Per.INCIDENT else 0
        text = scope_of(threshold.per, event.facts(), incident_id)
        scope = WindowScope(rule.name, text, int(threshold.length.total_seconds()))
        addition = counted.setdefault(scope, _Counted(rule, Added(threshold.number, {}), event))
        bucket = bucket_of(event.row.ended_at, threshold.length)
        more = 1 if threshold.counts_incidents else event.row.count
        addition.added.buckets[bucket] = addition.added.buckets.get(bucket, 0) + more
        addition.example = event
    return counted

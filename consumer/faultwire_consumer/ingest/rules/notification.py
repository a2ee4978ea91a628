"""Verdicts as notifications: one for each receiver, with its key and its due time."""

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from faultwire_consumer.domain.incident import Touched
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.table import spell_duration
from faultwire_consumer.domain.rules import STARTS, AtOnce, Escalation, Facts, Rule, Verdict, Within
from faultwire_consumer.domain.silence.matcher import encode_facts
from faultwire_consumer.domain.window import Trip
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.store.outbox.enqueue import NewNotification

LATE_GATHERING: Final = timedelta(seconds=30)
"""Time for which notifications of late events are gathered: their own time has passed when they come."""


def incident_notifications(
    verdict: Verdict, touched: Touched, *, facts: Facts, episode: int, first_at: datetime, now: datetime
) -> Iterator[NewNotification]:
    """Build a rule's notifications of an incident.

    Args:
        verdict: the rule, and what happened.
        touched: the incident.
        facts: what silences are matched with.
        episode: of the incident, after the batch.
        first_at: time of the incident's first event in the batch.
        now: time at which the batch was judged.
    """
    rule, happened = verdict.rule, verdict.happened
    mark = f"-{happened.mark}" if happened.mark else ""
    what = f"{incident_name(touched.incident_id)}:{episode}:{happened.reason}{mark}"
    reminds = rule.remind_every is not None and happened.reason in STARTS
    known = encode_facts(facts)
    grown = f"{int(happened.mark):,} events" if happened.reason is NotificationReason.GROWTH else ""
    notices = [
        NewNotification(
            idempotency_key=f"{rule.name}:{what}:{receiver}",
            receiver=receiver,
            rule=rule.name,
            reason=happened.reason,
            incident_id=touched.incident_id,
            episode=episode,
            severity=touched.severity,
            event_id=touched.newest_event_id,
            detail=grown,
            urgent=isinstance(rule.sending, AtOnce),
            remind_seconds=int(rule.remind_every.total_seconds()) if reminds and rule.remind_every else None,
            created_at=now,
            due_at=due_at(rule, first_at=first_at, now=now),
            facts=known,
            count_before=touched.count_before,
        )
        for receiver in rule.receivers
    ]
    yield from notices
    if rule.escalation is not None and happened.reason in STARTS:
        yield from _escalations(rule.escalation, notices[0], what)


def _escalations(escalation: Escalation, notice: NewNotification, what: str) -> Iterator[NewNotification]:
    """Build what goes to a rule's second circle, unless somebody acknowledges before it is due.

    It waits in the outbox from the beginning: no chore has to remember it.
    """
    for receiver in escalation.receivers:
        yield replace(
            notice,
            idempotency_key=f"{notice.rule}:{what}-{NotificationReason.ESCALATED}:{receiver}",
            receiver=receiver,
            reason=NotificationReason.ESCALATED,
            detail=f"nobody acknowledged it within {spell_duration(escalation.after)}",
            urgent=True,  # nothing gathers it before its time
            remind_seconds=None,
            due_at=notice.due_at + escalation.after,
        )


def threshold_notifications(
    rule: Rule, scope: str, trip: Trip, *, example: Decoded, incident_id: int, now: datetime
) -> Iterator[NewNotification]:
    """Build a rule's notifications of a window that reached its number; the example is the event that did."""
    digest = hashlib.sha256(scope.encode()).hexdigest()[:16]
    known = encode_facts(example.facts())
    what = f"{digest}:{int(trip.started_at.timestamp())}:{NotificationReason.THRESHOLD}"
    for receiver in rule.receivers:
        yield NewNotification(
            idempotency_key=f"{rule.name}:{what}:{receiver}",
            receiver=receiver,
            rule=rule.name,
            reason=NotificationReason.THRESHOLD,
            incident_id=incident_id,
            severity=example.row.severity,
            event_id=example.row.event_id,
            detail=_detail_of(rule, scope, trip),
            urgent=isinstance(rule.sending, AtOnce),
            created_at=now,
            due_at=due_at(rule, first_at=example.row.occurred_at, now=now),
            facts=known,
        )


def due_at(rule: Rule, *, first_at: datetime, now: datetime) -> datetime:
    """Return the due time: now, or the end of the rule's gathering time since the first occurrence.

    Events that come late, from a spool, a backlog or an import, are gathered for half a minute: otherwise
    each of their batches would be a message. What can still be on time is not made late by that.
    """
    if not isinstance(rule.sending, Within):
        return now
    began = min(first_at, now)
    gathered = began + rule.sending.gathering
    if gathered > now:
        return gathered
    later = now + min(LATE_GATHERING, rule.sending.gathering)
    still_on_time = began + rule.sending.limit * 9 / 10
    return min(later, still_on_time) if now < still_on_time else later


def _detail_of(rule: Rule, scope: str, trip: Trip) -> str:
    threshold = rule.threshold
    if threshold is None:
        raise AssertionError("only a rule with a threshold trips")
    what = "new incidents" if threshold.counts_incidents else "events"
    where = f" of {threshold.per} {scope}" if scope else ""
    return f"{trip.total:,} {what}{where} within {threshold.length}; the rule says {threshold.number:,}"

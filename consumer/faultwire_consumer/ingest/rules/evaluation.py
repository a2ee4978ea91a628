"""Evaluates the rules for a batch: notifications for the outbox, and incidents for the next digests."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from faultwire_consumer.domain.incident import Touched, Transition
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import InDigest, Rule, happened_to, verdicts_on
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.ingest.rules.digest_memo import DigestMemo
from faultwire_consumer.ingest.rules.environments import Arrival, EnvironmentWatch
from faultwire_consumer.ingest.rules.notification import incident_notifications
from faultwire_consumer.ingest.rules.threshold import count_thresholds
from faultwire_consumer.store.contract.store import Counted, Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.outbox.pending import NewPending, add_pending


class BatchNotifications(Struct):
    """The notifications of a batch, gathered in its transaction and confirmed after the commit."""

    now: datetime
    events: list[Decoded]
    """Events that were stored for the first time."""
    touched: Sequence[Touched]
    newest: Mapping[str, Decoded]
    """Events by id, among them each touched incident's newest."""
    notifications: list[NewNotification] = field(default_factory=list)
    pending: list[NewPending] = field(default_factory=list)
    settled: list[bytes] = field(default_factory=list)
    first_due: datetime | None = None
    arrived: list[bytes] = field(default_factory=list)
    """Where incidents were seen, for the watch of environments."""


class Evaluator:
    """A policy, and what is remembered about the digests to come; shared by a process's pipelines."""

    def __init__(self, policy: Policy, *, wake: Callable[[], None] = lambda: None) -> None:
        """Prepare.

        Args:
            policy: its rules are evaluated.
            wake: called after a commit that has something to send.
        """
        self.growth = policy.grows
        self._on_incidents = tuple(rule for rule in policy.rules if rule.on)
        self._with_threshold = tuple(rule for rule in policy.rules if rule.threshold is not None)
        self._memo = DigestMemo(policy.digests)
        self._environments = EnvironmentWatch(self._on_incidents)
        self._wake = wake

    async def count(
        self, tx: Transaction, fresh: Mapping[str, Decoded], counted: Counted, *, now: datetime
    ) -> BatchNotifications:
        """Count in windows: a step of its own, because their rows come early in the lock order."""
        events = [event for event_id, event in fresh.items() if event_id not in counted.duplicates]
        batch = BatchNotifications(now, events, counted.touched, fresh)
        if self._with_threshold:
            opened = [fresh[touched.newest_event_id] for touched in counted.touched if touched.first_sight]
            batch.notifications += await count_thresholds(tx, self._with_threshold, events, opened, now=now)
        return batch

    async def evaluate(
        self, tx: Transaction, batch: BatchNotifications, transitions: Iterable[Transition]
    ) -> None:
        """Evaluate the rules for the incidents, and write all notifications and pending rows."""
        by_incident = {transition.incident_id: transition for transition in transitions}
        self._judge(batch, by_incident)
        if self._environments.rules and batch.events:
            await self._judge_environments(tx, batch, by_incident)
        if self._memo.rules:
            self._continue(batch)
        if batch.pending:
            added: dict[bytes, int] = {}
            for event in batch.events:
                added[event.row.fingerprint] = added.get(event.row.fingerprint, 0) + event.row.count
            await add_pending(tx, batch.pending, added, now=batch.now)
        await enqueue(tx, batch.notifications)

    def confirm(self, batch: BatchNotifications) -> None:
        """Remember what a committed batch need not write again, and wake the dispatcher."""
        self._memo.settle(batch.settled, first_due=batch.first_due, now=batch.now)
        self._environments.settle(batch.arrived)
        if batch.notifications:
            self._wake()

    def _judge(self, batch: BatchNotifications, transitions: Mapping[int, Transition]) -> None:
        first_at: dict[bytes, datetime] = {}
        for touched in batch.touched:
            transition = transitions.get(touched.incident_id)
            happened = happened_to(touched, transition, self.growth)
            if happened:
                first_at = first_at or _first_of(batch.events)
                episode = touched.episode if transition is None else transition.episode
                newest = batch.newest[touched.newest_event_id]
                news = Arrival(replace(touched, episode=episode), newest, happened)
                self._decide(batch, news, self._on_incidents, first_at)

    async def _judge_environments(
        self, tx: Transaction, batch: BatchNotifications, transitions: Mapping[int, Transition]
    ) -> None:
        arrivals = await self._environments.arrivals(
            tx, batch.events, batch.touched, transitions, batch.arrived
        )
        first_at = _first_of(batch.events) if arrivals else {}
        for arrival in arrivals:
            self._decide(batch, arrival, self._environments.rules, first_at)

    def _decide(
        self,
        batch: BatchNotifications,
        news: Arrival,
        rules: Sequence[Rule],
        first_at: Mapping[bytes, datetime],
    ) -> None:
        touched, newest = news.touched, news.event
        for verdict in verdicts_on(rules, news.happened, newest.facts(touched.severity)):
            if isinstance(verdict.rule.sending, InDigest):
                due_at = self._memo.due_at(batch.now)[verdict.rule.name]
                batch.pending.append(_pending(verdict.rule, newest, verdict.happened.reason, due_at))
                continue
            first = first_at[newest.row.fingerprint]
            batch.notifications += incident_notifications(
                verdict, touched, episode=touched.episode, first_at=first, now=batch.now
            )

    def _continue(self, batch: BatchNotifications) -> None:
        due_at = self._memo.due_at(batch.now)
        unsettled = self._memo.unsettled(batch.events)
        batch.first_due = self._memo.first_due
        batch.settled.extend(unsettled)
        for event in unsettled.values():
            facts = event.facts()
            batch.pending += [
                _pending(rule, event, NotificationReason.CONTINUED, due_at[rule.name])
                for rule in self._memo.rules
                if rule.where.match(facts)
            ]


def _pending(rule: Rule, event: Decoded, reason: NotificationReason, due_at: datetime) -> NewPending:
    return NewPending(
        rule=rule.name,
        receivers=rule.receivers,
        fingerprint=event.row.fingerprint,
        due_at=due_at,
        reason=reason,
        severity=event.row.severity,
        event_id=event.row.event_id,
    )


def _first_of(events: Iterable[Decoded]) -> dict[bytes, datetime]:
    """Return the time of each fingerprint's first event."""
    first: dict[bytes, datetime] = {}
    for event in events:
        row = event.row
        first[row.fingerprint] = min(row.occurred_at, first.get(row.fingerprint, row.occurred_at))
    return first

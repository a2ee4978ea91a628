"""Asks the rules what a batch means: notifications for the outbox, and incidents for the next digests."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field

from faultwire_consumer.domain.incident import Touched, Transition
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy import Policy
from faultwire_consumer.domain.rules import Happened, InDigest, Rule, happened_to, verdicts_on
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.ingest.rules.digest_memo import DigestMemo
from faultwire_consumer.ingest.rules.notification import incident_notifications
from faultwire_consumer.ingest.rules.threshold import count_thresholds
from faultwire_consumer.store.contract.store import Counted, Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.outbox.pending import NewPending, add_pending


class BatchNotifications(Struct):
    """What a batch has to tell, gathered in its transaction and confirmed after the commit."""

    now: datetime
    events: list[Decoded]
    """What was stored for the first time."""
    touched: Sequence[Touched]
    newest: Mapping[str, Decoded]
    """Events by id, where a touched incident's newest is found."""
    alerts: list[NewNotification] = field(default_factory=list)
    pending: list[NewPending] = field(default_factory=list)
    settled: list[Hashable] = field(default_factory=list)
    first_due: datetime | None = None


class Evaluator:
    """A policy, and what is remembered of the digests to come; shared by a process's pipelines."""

    def __init__(self, policy: Policy, *, wake: Callable[[], None] = lambda: None) -> None:
        """Prepare.

        Args:
            policy: whose rules are asked.
            wake: called after a commit that has something to send.
        """
        self.growth = policy.grows
        self._on_incidents = tuple(rule for rule in policy.rules if rule.on)
        self._with_threshold = tuple(rule for rule in policy.rules if rule.threshold is not None)
        self._memo = DigestMemo(policy.digests)
        self._wake = wake

    async def count(
        self, tx: Transaction, fresh: Mapping[str, Decoded], counted: Counted, *, now: datetime
    ) -> BatchNotifications:
        """Count in windows: a step of its own, for their rows come early in the lock order."""
        events = [event for event_id, event in fresh.items() if event_id not in counted.duplicates]
        told = BatchNotifications(now, events, counted.touched, fresh)
        if self._with_threshold:
            opened = [fresh[one.newest_event_id] for one in counted.touched if one.first_sight]
            told.alerts += await count_thresholds(tx, self._with_threshold, events, opened, now=now)
        return told

    async def tell(
        self, tx: Transaction, told: BatchNotifications, transitions: Iterable[Transition]
    ) -> None:
        """Ask the rules about the incidents, and write everything that is to be told."""
        self._judge(told, {one.incident_id: one for one in transitions})
        if self._memo.rules:
            self._continue(told)
        if told.pending:
            added: dict[bytes, int] = {}
            for event in told.events:
                added[event.row.fingerprint] = added.get(event.row.fingerprint, 0) + event.row.count
            await add_pending(tx, told.pending, added, now=told.now)
        await enqueue(tx, told.alerts)

    def confirm(self, told: BatchNotifications) -> None:
        """The batch is committed: remember what need not be written again, and wake who sends."""
        self._memo.settle(told.settled, first_due=told.first_due, now=told.now)
        if told.alerts:
            self._wake()

    def _judge(self, told: BatchNotifications, transitions: Mapping[int, Transition]) -> None:
        first_at: dict[bytes, datetime] = {}
        for touched in told.touched:
            transition = transitions.get(touched.incident_id)
            happened = happened_to(touched, transition, self.growth)
            if happened:
                first_at = first_at or _first_of(told.events)
                episode = touched.episode if transition is None else transition.episode
                self._decide(told, touched, happened, episode, first_at)

    def _decide(
        self,
        told: BatchNotifications,
        touched: Touched,
        happened: Sequence[Happened],
        episode: int,
        first_at: Mapping[bytes, datetime],
    ) -> None:
        newest = told.newest[touched.newest_event_id]
        for verdict in verdicts_on(self._on_incidents, happened, newest.facts(touched.severity)):
            if isinstance(verdict.rule.sending, InDigest):
                due_at = self._memo.due_at(told.now)[verdict.rule.name]
                told.pending.append(_pending(verdict.rule, newest, verdict.happened.reason, due_at))
                continue
            first = first_at[newest.row.fingerprint]
            told.alerts += incident_notifications(
                verdict, touched, episode=episode, first_at=first, now=told.now
            )

    def _continue(self, told: BatchNotifications) -> None:
        due_at = self._memo.due_at(told.now)
        unsettled = self._memo.unsettled(told.events)
        told.first_due = self._memo.first_due
        told.settled.extend(unsettled)
        for event in unsettled.values():
            facts = event.facts()
            told.pending += [
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
    """When the first event of each fingerprint occurred."""
    first: dict[bytes, datetime] = {}
    for event in events:
        row = event.row
        first[row.fingerprint] = min(row.occurred_at, first.get(row.fingerprint, row.occurred_at))
    return first

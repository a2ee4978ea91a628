"""Evaluates the rules for a batch: notifications for the outbox, and incidents for the next digests."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from faultwire_consumer.domain.incident import Touched, Transition
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.policy import DigestOf, Policy
from faultwire_consumer.domain.policy.routing import Routing, routing_of
from faultwire_consumer.domain.rules import InDigest, Rule, Verdict, happened_to, verdicts_on
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.ingest.rules.digest_memo import DigestMemo
from faultwire_consumer.ingest.rules.environments import Arrival, EnvironmentWatch
from faultwire_consumer.ingest.rules.notification import incident_notifications
from faultwire_consumer.ingest.rules.owner import route_to_owners
from faultwire_consumer.ingest.rules.threshold import count_thresholds
from faultwire_consumer.store.contract.store import Counted, Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.outbox.pending import NewPending, add_pending


class _Rules(Struct, frozen=True):
    """A policy's rules, sorted by what asks for them, and what is remembered of the digests to come."""

    on_incidents: tuple[Rule, ...]
    with_threshold: tuple[Rule, ...]
    growth: tuple[int, ...]
    digests: tuple[Rule, ...]
    memo: DigestMemo
    environments: EnvironmentWatch
    routing: Routing
    hears: Mapping[str, str]
    """What receivers ask for beside what rules send them, by name."""


class BatchNotifications(Struct):
    """The notifications of a batch, gathered in its transaction and confirmed after the commit."""

    rules: _Rules
    """The rules of its beginning, to its end: another policy may come into use meanwhile."""
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
        self._rules = _sorted_rules(policy)
        self._wake = wake

    @property
    def growth(self) -> tuple[int, ...]:
        """The counts that are reported as growth of an incident."""
        return self._rules.growth

    def use(self, policy: Policy) -> None:
        """Evaluate another policy's rules, for the batches that begin from now on."""
        self._rules = _sorted_rules(policy)

    async def count(
        self,
        tx: Transaction,
        fresh: Mapping[str, Decoded],
        counted: Counted,
        *,
        now: datetime,
        transitions: Iterable[Transition] = (),
    ) -> BatchNotifications:
        """Count in windows: a step of its own, because their rows come early in the lock order."""
        events = [event for event_id, event in fresh.items() if event_id not in counted.duplicates]
        batch = BatchNotifications(self._rules, now, events, counted.touched, fresh)
        rules = batch.rules.with_threshold
        if rules:
            opened = [fresh[touched.newest_event_id] for touched in counted.touched if touched.first_sight]
            muted = _muted(counted.touched, transitions)
            batch.notifications += await count_thresholds(tx, rules, events, opened, now=now, muted=muted)
        return batch

    async def evaluate(
        self, tx: Transaction, batch: BatchNotifications, transitions: Iterable[Transition]
    ) -> None:
        """Evaluate the rules for the incidents, and write all notifications and pending rows."""
        by_incident = {transition.incident_id: transition for transition in transitions}
        _judge(batch, by_incident)
        if batch.rules.environments.rules and batch.events:
            await _judge_environments(tx, batch, by_incident)
        if batch.rules.memo.rules:
            _continue(batch)
        if batch.pending:
            added: dict[bytes, int] = {}
            for event in batch.events:
                added[event.row.fingerprint] = added.get(event.row.fingerprint, 0) + event.row.count
            await add_pending(tx, batch.pending, added, known=_known_to(batch), now=batch.now)
        if batch.rules.routing.rules:
            batch.notifications = await route_to_owners(tx, batch.rules.routing, batch.notifications)
        hears, notifications = batch.rules.hears, batch.notifications
        if hears:
            notifications = [replace(one, hears=hears.get(one.receiver)) for one in notifications]
        await enqueue(tx, notifications)

    def confirm(self, batch: BatchNotifications) -> None:
        """Remember what a committed batch need not write again, and wake the dispatcher."""
        batch.rules.memo.settle(batch.settled, first_due=batch.first_due, now=batch.now)
        batch.rules.environments.settle(batch.arrived)
        if batch.notifications:
            self._wake()


def _known_to(batch: BatchNotifications) -> dict[bytes, tuple[int, int]]:
    """Return what the batch itself says of incidents: an id and a count before it, by a fingerprint."""
    return {
        batch.newest[one.newest_event_id].row.fingerprint: (one.incident_id, one.count_before)
        for one in batch.touched
    }


def _muted(touched: Iterable[Touched], transitions: Iterable[Transition]) -> frozenset[int]:
    """Return the incidents that are muted once the batch is committed."""
    muted = {one.incident_id for one in touched if one.terms.mute is not None}
    return frozenset(muted - {one.incident_id for one in transitions if one.terms.mute is None})


def _sorted_rules(policy: Policy) -> _Rules:
    on_incidents = tuple(rule for rule in policy.rules if rule.on)
    return _Rules(
        on_incidents=on_incidents,
        with_threshold=tuple(rule for rule in policy.rules if rule.threshold is not None),
        growth=policy.grows,
        digests=policy.digests,
        memo=DigestMemo(policy.digests),
        environments=EnvironmentWatch(on_incidents),
        routing=routing_of(policy),
        hears=policy.hears,
    )


def _judge(batch: BatchNotifications, transitions: Mapping[int, Transition]) -> None:
    first_at: dict[bytes, datetime] = {}
    for touched in batch.touched:
        transition = transitions.get(touched.incident_id)
        happened = happened_to(touched, transition, batch.rules.growth)
        if happened:
            first_at = first_at or _first_of(batch.events)
            newest, after = batch.newest[touched.newest_event_id], touched
            if transition is not None:
                after = replace(touched, episode=transition.episode, terms=transition.terms)
            news = Arrival(after, newest, happened)
            _decide(batch, news, batch.rules.on_incidents, first_at)


async def _judge_environments(
    tx: Transaction, batch: BatchNotifications, transitions: Mapping[int, Transition]
) -> None:
    watch = batch.rules.environments
    arrivals = await watch.arrivals(tx, batch.events, batch.touched, transitions, batch.arrived)
    first_at = _first_of(batch.events) if arrivals else {}
    for arrival in arrivals:
        _decide(batch, arrival, watch.rules, first_at)


def _decide(
    batch: BatchNotifications,
    news: Arrival,
    rules: Sequence[Rule],
    first_at: Mapping[bytes, datetime],
) -> None:
    touched, newest = news.touched, news.event
    facts = newest.facts(touched.severity)
    for verdict in verdicts_on(rules, news.happened, facts):
        if isinstance(verdict.rule.sending, InDigest):
            due_at = batch.rules.memo.due_at(batch.now)
            batch.pending += _pending(verdict.rule, newest, verdict.happened.reason, due_at)
            continue
        if touched.terms.mute is not None:
            _tell_later(batch, verdict, newest)
        first = first_at[newest.row.fingerprint]
        batch.notifications += incident_notifications(
            verdict, touched, facts=facts, episode=touched.episode, first_at=first, now=batch.now
        )


def _tell_later(batch: BatchNotifications, verdict: Verdict, newest: Decoded) -> None:
    """Put a muted incident into each receiver's next digest, which says what the mute held back."""
    due_at = batch.rules.memo.due_at(batch.now)
    for receiver in verdict.rule.receivers:
        digests = [rule for rule in batch.rules.digests if receiver in rule.receivers]
        if digests:
            soonest = min(digests, key=lambda rule: due_at[rule.name, receiver])
            batch.pending += [
                replace(one, receivers=(receiver,))
                for one in _pending(soonest, newest, verdict.happened.reason, due_at)
                if receiver in one.receivers
            ]


def _continue(batch: BatchNotifications) -> None:
    due_at = batch.rules.memo.due_at(batch.now)
    unsettled = batch.rules.memo.unsettled(batch.events)
    batch.first_due = batch.rules.memo.first_due
    batch.settled.extend(unsettled)
    for event in unsettled.values():
        facts = event.facts()
        for rule in batch.rules.memo.rules:
            if rule.where.match(facts):
                batch.pending += _pending(rule, event, NotificationReason.CONTINUED, due_at)


def _pending(
    rule: Rule, event: Decoded, reason: NotificationReason, due_at: Mapping[DigestOf, datetime]
) -> Iterator[NewPending]:
    """Yield what is pending for each hour at which some of the rule's receivers have their digest."""
    receivers: dict[datetime, list[str]] = {}
    for receiver in rule.receivers:
        receivers.setdefault(due_at[rule.name, receiver], []).append(receiver)
    for hour, those in receivers.items():
        yield NewPending(
            rule=rule.name,
            receivers=tuple(those),
            fingerprint=event.row.fingerprint,
            due_at=hour,
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

"""The straight line of the product: from deliveries to committed rows, one transaction per batch."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

from msgspec import Struct, structs

from faultwire_consumer.domain.body_budget import BODIES_PER_INCIDENT, Body
from faultwire_consumer.domain.incident import Transition
from faultwire_consumer.domain.incident_limit import NEW_INCIDENTS_PER_MINUTE
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.judgement import evidence_of, judge
from faultwire_consumer.domain.outcome import Duplicate, Noted, Outcome, Stored, StoreReason
from faultwire_consumer.ingest.bisect import BisectingStore
from faultwire_consumer.ingest.body_budget import BodyBudget
from faultwire_consumer.ingest.kept_texts import read_kept, record_kept
from faultwire_consumer.ingest.read.audit import heard_in
from faultwire_consumer.ingest.read.candidate import (
    Candidate,
    Decoded,
    ReceivedReport,
    Rejected,
    candidates_of,
    reject,
)
from faultwire_consumer.ingest.read.dead_letter import bare_letter, report_dead_letters
from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.ingest.registration import Registration
from faultwire_consumer.ingest.retention_boundary import RetentionBoundary
from faultwire_consumer.ingest.rules.evaluation import BatchNotifications, Evaluator
from faultwire_consumer.ingest.rules.terms import gather_evidence
from faultwire_consumer.ingest.taken_id import reject_taken
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.producers import record_heard
from faultwire_consumer.store.contract.store import (
    Counted,
    EventRow,
    Store,
    StoreBusyError,
    Transaction,
    UnknownFingerprintsError,
)
from faultwire_consumer.store.dead_letters.record import record_dead_letters
from faultwire_consumer.store.events.bodies import keep_bodies
from faultwire_consumer.store.events.transition import apply_transitions
from faultwire_shared.clock import Clock, utc_now
from faultwire_shared.failpoint import failpoint
from faultwire_shared.logging.logs import get_logger

_SLICE_EVENTS: Final = 50
"""Events decoded in one go, in about a millisecond; a turn of the loop costs as much as one of them."""
_NOTHING: Final = Counted(frozenset(), ())

log = get_logger(__name__)


class _Sorted(Struct):
    """A batch taken apart: each event's row once, and the dead letters."""

    fresh: dict[str, Decoded]
    unreadable: list[Rejected]


class Pipeline:
    """Ingests batches into a store; remembers which fingerprints the store already knows.

    Without an evaluator there are no rules, and no notifications. ``stored`` is called after each batch
    that brought events. A ``grouper`` of one's own gives events the fingerprints that they had.
    """

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        evaluator: Evaluator | None = None,
        bodies_per_incident: int = BODIES_PER_INCIDENT,
        new_incidents_per_minute: int = NEW_INCIDENTS_PER_MINUTE,
        stored: Callable[[], None] = lambda: None,
        clock: Clock = utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        grouper: Grouper | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._stored = stored
        self._evaluator = evaluator
        self._bisecting: BisectingStore[Candidate] = BisectingStore(
            self._store_known, _dead_letter_of, sleep=sleep
        )
        self._past = RetentionBoundary(store, clock=clock)
        self._grouper = grouper or Grouper()
        self._scrubber = BodyScrubber()
        self._budget = BodyBudget(bodies_per_incident)
        self._registration = Registration(store, self._budget, per_minute=new_incidents_per_minute)

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        """Decode, group, store and judge; return the outcomes of each delivery's events, in order.

        Never raises because of what the deliveries hold: a poison event becomes a dead letter, alone.
        """
        started, received_at = time.monotonic(), self._clock()
        read = await self._read(deliveries, received_at)
        failpoint("worker.decoded")
        outcomes = iter(await self._bisecting.store(list(chain.from_iterable(read))))
        settled = [[next(outcomes) for _ in candidates] for candidates in read]
        self._metrics.batch_seconds.observe(time.monotonic() - started)
        self._metrics.batch_events.observe(sum(len(candidates) for candidates in read))
        return settled

    async def expect(self, delivery: Delivery) -> Sequence[Candidate]:
        """Read a delivery as `ingest` would, and write nothing; duplicates are not seen.

        Raises:
            StoreUnavailableError: retention's floors have to be read, and the database does not answer.
        """
        (candidates,) = await self._read([delivery], self._clock())
        return await self._past.sieve(candidates)

    async def _read(self, deliveries: Sequence[Delivery], received_at: datetime) -> list[list[Candidate]]:
        """Decode and group; the loop's other tasks, such as a critical event's, run in between."""
        read, events = [], 0
        for delivery in deliveries:
            read.append(
                candidates_of(
                    delivery, grouper=self._grouper, scrubber=self._scrubber, received_at=received_at
                )
            )
            events += len(delivery.events)
            if events >= _SLICE_EVENTS:
                events = 0
                await asyncio.sleep(0)
        return read

    async def _store_known(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        try:
            return await self._store_batch(candidates)
        except UnknownFingerprintsError as error:
            self._registration.forget()
            raise StoreBusyError(f"fingerprints vanished from the store: {error}") from None

    async def _store_batch(self, candidates: Sequence[Candidate]) -> list[Outcome]:
        candidates = await self._past.sieve(candidates)
        batch = _sort(candidates)
        await self._store.prepare_days(frozenset(event.row.occurred_day for event in batch.fresh.values()))
        registered = await self._registration.register(batch.fresh, now=self._clock())
        batch.fresh = registered.fresh
        spending = self._budget.spend(batch.fresh.values())
        rows = spending.rows
        kept = read_kept(rows)
        failpoint("worker.registered")
        async with self._store.write() as tx:
            failpoint("worker.begun")
            if registered.has_news:
                await tx.register(registered.fingerprints, registered.places)
            await self._past.verify(tx, rows)
            growth = self._evaluator.growth if self._evaluator else ()
            counted = _NOTHING
            if rows:
                counted = await tx.record_events(rows, growth, bodies_max=self._budget.bodies_most)
            failpoint("worker.events_recorded")
            transitions = await self._judge(tx, rows, counted)
            notifications = await self._count_windows(tx, batch, counted, transitions)
            candidates = await reject_taken(tx, candidates, batch.fresh, counted.duplicates)
            batch.unreadable = [one for one in candidates if isinstance(one, Rejected)]
            await apply_transitions(tx, transitions)
            explaining = _bodies_of(transitions, rows, counted)
            await keep_bodies(tx, explaining)
            await record_kept(tx, kept, rows, counted, regardless=[row for _, row in explaining])
            failpoint("worker.transitions_applied")
            if self._evaluator and notifications:
                await self._evaluator.evaluate(tx, notifications, transitions)
            failpoint("worker.alerts_enqueued")
            news = await record_heard(tx, heard_in(candidates), now=self._clock())
            await record_dead_letters(tx, [rejected.dead_letter for rejected in batch.unreadable])
            failpoint("worker.dead_letters_recorded")
            failpoint("worker.committing")
        failpoint("worker.committed")
        self._registration.confirm(registered, now=self._clock())
        if rows:
            self._stored()
        if self._evaluator and notifications:
            self._evaluator.confirm(notifications)
        for reason, events in self._budget.confirm(spending, counted).items():
            self._metrics.bodies.labels(reason=reason).inc(events)
        self._metrics.events_overflowed.inc(len(registered.overflowed - counted.duplicates))
        self._report(rows, counted, batch.unreadable, transitions)
        self._metrics.count_ignored(news.ignored)
        self._metrics.standing.count_lost(news.lost)
        self._metrics.producer_reports.inc(sum(isinstance(each, ReceivedReport) for each in candidates))
        return _outcomes(candidates, counted.duplicates)

    async def _count_windows(
        self, tx: Transaction, batch: _Sorted, counted: Counted, transitions: Sequence[Transition]
    ) -> BatchNotifications | None:
        if self._evaluator is None or not batch.fresh:
            return None
        return await self._evaluator.count(
            tx, batch.fresh, counted, now=self._clock(), transitions=transitions
        )

    async def _judge(self, tx: Transaction, rows: Sequence[EventRow], counted: Counted) -> list[Transition]:
        """Decide on the incidents; mutes count in windows, whose rows come early in the lock order."""
        now = self._clock()
        found = await gather_evidence(tx, counted.touched, rows, counted.duplicates, now=now)
        judged = (judge(one, now=now, evidence=evidence_of(found, one)) for one in counted.touched)
        return _with_releases([transition for transition in judged if transition is not None], rows)

    def _report(
        self,
        rows: Sequence[EventRow],
        counted: Counted,
        unreadable: Sequence[Rejected],
        transitions: Sequence[Transition],
    ) -> None:
        committed_at = self._clock()
        self._metrics.events_stored.inc(len(rows) - len(counted.duplicates))
        taken = sum(one.dead_letter.reason == StoreReason.ID_TAKEN for one in unreadable)
        self._metrics.events_duplicate.inc(max(0, len(counted.duplicates) - taken))
        ages = [
            (committed_at - (row.occurred_at if row.last_at is None else row.ended_at)).total_seconds()
            for row in rows
        ]
        self._metrics.event_age_seconds.observe(ages)
        self._count_flow(rows, counted, transitions, ages)
        report_dead_letters([rejected.dead_letter for rejected in unreadable], metrics=self._metrics)
        for transition in transitions:
            name = f"incident.{transition.reason}"
            log.info(
                name,
                incident=incident_name(transition.incident_id),
                event_id=transition.event_id,
            )

    def _count_flow(
        self,
        rows: Sequence[EventRow],
        counted: Counted,
        transitions: Sequence[Transition],
        ages: Sequence[float],
    ) -> None:
        if ages:
            self._metrics.lanes.note_newest(time.time() - max(0.0, min(ages)))
        known = counted.duplicates
        self._metrics.services.events.add(Counter(row.service for row in rows if row.event_id not in known))
        if transitions:
            severities = {touched.incident_id: touched.severity for touched in counted.touched}
            for one in transitions:
                self._metrics.standing.count_transition(one.reason, severities[one.incident_id])


def _with_releases(transitions: list[Transition], rows: Sequence[EventRow]) -> list[Transition]:
    """Return the transitions with the releases of their events; most batches have none at all."""
    if not transitions:
        return transitions
    releases = {row.event_id: row.release for row in rows}
    return [structs.replace(one, release=releases.get(one.event_id or "")) for one in transitions]


def _dead_letter_of(candidate: Candidate, why: str) -> Candidate | None:
    """Build the dead letter to be stored in place of a candidate that the database rejects."""
    if not isinstance(candidate, Rejected):
        return reject(candidate, why)
    bare = bare_letter(candidate.dead_letter, why)
    if bare is None:
        return None
    outcome = structs.replace(candidate.outcome, detail=bare.detail, event_id=None)
    return Rejected(bare, outcome, candidate.sender)


def _sort(candidates: Sequence[Candidate]) -> _Sorted:
    batch = _Sorted({}, [])
    for candidate in candidates:
        if isinstance(candidate, Rejected):
            batch.unreadable.append(candidate)
        elif isinstance(candidate, Decoded):
            batch.fresh.setdefault(candidate.row.event_id, candidate)
    return batch


def _bodies_of(
    transitions: Iterable[Transition], rows: Iterable[EventRow], counted: Counted
) -> list[tuple[int, EventRow]]:
    """List events that changed an incident and whose body, which explains the change, the budget left out."""
    changed = {transition.event_id: transition.incident_id for transition in transitions}
    if not changed:
        return []
    return [
        (changed[row.event_id], row)
        for row in rows
        if row.event_id in changed and (row.body is not Body.KEPT or row.event_id in counted.cut)
    ]


def _outcomes(candidates: Sequence[Candidate], duplicates: frozenset[str]) -> list[Outcome]:
    seen = set(duplicates)
    outcomes: list[Outcome] = []
    for candidate in candidates:
        if isinstance(candidate, Rejected):
            outcomes.append(candidate.outcome)
            continue
        if isinstance(candidate, ReceivedReport):
            outcomes.append(Noted(candidate.report.producer_id))
            continue
        event_id = candidate.row.event_id
        outcomes.append(Duplicate(event_id) if event_id in seen else Stored(event_id))
        seen.add(event_id)
    return outcomes

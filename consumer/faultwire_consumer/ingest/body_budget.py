"""Spends each incident's budget of bodies, and remembers what was spent on what."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.body_budget import (
    BODIES_PER_INCIDENT,
    Body,
    BodyCandidate,
    BodyReason,
    BudgetSpent,
    Decision,
    ceiling_of,
    decide_bodies,
)
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.store.contract.store import Counted, EventRow

REMEMBERED: Final = 20_000
"""Fingerprints; of others the store is asked again. About 1 KB each, 10 with many hosts and releases."""
FRESH: Final = timedelta(hours=12)
"""Then the store is asked again: other workers spend too, and retention gives back."""


class Spending(Struct, frozen=True):
    """What a batch would spend: it counts only once the batch is committed."""

    rows: list[EventRow]
    sights: Mapping[bytes, list[BodyCandidate]]
    decisions: Mapping[str, Decision]


class _Known(Struct):
    spent: BudgetSpent
    asked_at: datetime


class BodyBudget:
    """Decides for batches whose bodies are kept, within a budget for each incident.

    Several of them share a database: the store has the last word, and what it says is learnt.
    """

    def __init__(self, limit: int = BODIES_PER_INCIDENT, *, remembered: int = REMEMBERED) -> None:
        self.bodies_most = ceiling_of(limit)
        self._limit = limit
        self._remembered = remembered
        self._known: dict[bytes, _Known] = {}

    def unknown_in(self, fingerprints: Iterable[bytes], *, now: datetime) -> set[bytes]:
        """Those of which the store has to be asked."""
        oldest = now - FRESH
        return {
            fingerprint
            for fingerprint in fingerprints
            if (known := self._known.get(fingerprint)) is None or known.asked_at < oldest
        }

    def learn(self, fingerprints: Mapping[bytes, BudgetSpent], *, now: datetime) -> None:
        """Take over what the store says; which releases and hosts were seen it does not know."""
        for fingerprint, spent in fingerprints.items():
            before = self._known.pop(fingerprint, None)
            if before is not None:
                spent.releases, spent.hosts = before.spent.releases, before.spent.hosts
            self._known[fingerprint] = _Known(spent, now)

    def forget(self) -> None:
        """Know nothing any more."""
        self._known.clear()

    def spend(self, events: Iterable[Decoded]) -> Spending:
        """Decide for a batch's events, each once.

        Of a fingerprint that another batch just made this one forget, all is kept that the store lets.
        """
        rows: list[EventRow] = []
        sights: dict[bytes, list[BodyCandidate]] = {}
        for event in events:
            row = event.row
            rows.append(row)
            sight = BodyCandidate(row.event_id, row.occurred_at, row.release, event.host)
            sights.setdefault(row.fingerprint, []).append(sight)
        decisions: dict[str, Decision] = {}
        for fingerprint, its in sights.items():
            known = self._known.get(fingerprint)
            decisions.update(decide_bodies(known.spent if known else BudgetSpent(), its, self._limit))
        kept = Body.KEPT
        for number, row in enumerate(rows):
            body = decisions[row.event_id].body
            if body is not kept:
                rows[number] = replace(row, body=body)
        return Spending(rows, sights, decisions)

    def confirm(self, spending: Spending, counted: Counted) -> dict[BodyReason, int]:
        """The batch is committed: remember what it spent; how many events were decided for which reason."""
        reasons: dict[BodyReason, int] = {}
        for fingerprint, sights in spending.sights.items():
            stored = sights
            if counted.duplicates:
                stored = [sight for sight in sights if sight.event_id not in counted.duplicates]
            known = self._known.pop(fingerprint, None)
            if known is not None:
                self._known[fingerprint] = known  # now the last one to be forgotten
            if stored:
                _account(
                    known.spent if known else BudgetSpent(), stored, spending.decisions, counted.cut, reasons
                )
        for fingerprint, bodies in counted.bodies.items():
            if (told := self._known.get(fingerprint)) is not None:
                told.spent.bodies = bodies
        self._forget_oldest()
        return reasons

    def _forget_oldest(self) -> None:
        while len(self._known) > self._remembered:
            del self._known[next(iter(self._known))]


def _account(
    spent: BudgetSpent,
    stored: Sequence[BodyCandidate],
    decisions: Mapping[str, Decision],
    cut: frozenset[str],
    reasons: dict[BodyReason, int],
) -> None:
    spent.count(stored)
    kept, like, run = Body.KEPT, BodyReason.SPENT, 0
    for sight in stored:
        decision = decisions[sight.event_id]
        reason = BodyReason.SPENT if sight.event_id in cut else decision.reason
        if decision.body is kept and reason is decision.reason:
            spent.keep(sight)
        if reason is not like:  # a dict asks an enum's member for its hash, which is slow: by runs
            reasons[like] = reasons.get(like, 0) + run
            like, run = reason, 0
        run += 1
    reasons[like] = reasons.get(like, 0) + run

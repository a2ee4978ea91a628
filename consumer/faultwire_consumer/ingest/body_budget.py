"""Spends each incident's budget of bodies, and remembers what it was spent on."""

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
"""Fingerprints that are remembered: about 1 KB each, 10 with many hosts and releases; for others the store
is asked again."""
FRESH: Final = timedelta(hours=12)
"""Age at which the store is asked again: other workers spend too, and retention gives back."""


class Spending(Struct, frozen=True):
    """A batch's spending, which counts only once the batch is committed."""

    rows: list[EventRow]
    candidates: Mapping[bytes, list[BodyCandidate]]
    decisions: Mapping[str, Decision]


class _Known(Struct):
    spent: BudgetSpent
    asked_at: datetime


class BodyBudget:
    """Decides which of a batch's bodies are kept, within a budget for each incident.

    Several workers share a database: the store has the last word, and its answers are learned.
    """

    def __init__(self, limit: int = BODIES_PER_INCIDENT, *, remembered: int = REMEMBERED) -> None:
        self.bodies_most = ceiling_of(limit)
        self._limit = limit
        self._remembered = remembered
        self._known: dict[bytes, _Known] = {}

    def unknown_in(self, fingerprints: Iterable[bytes], *, now: datetime) -> set[bytes]:
        """Return the fingerprints that the store has to be asked about."""
        oldest = now - FRESH
        return {
            fingerprint
            for fingerprint in fingerprints
            if (known := self._known.get(fingerprint)) is None or known.asked_at < oldest
        }

    def learn(self, fingerprints: Mapping[bytes, BudgetSpent], *, now: datetime) -> None:
        """Adopt the store's figures; it does not know which releases and hosts were seen."""
        for fingerprint, spent in fingerprints.items():
            before = self._known.pop(fingerprint, None)
            if before is not None:
                spent.releases, spent.hosts = before.spent.releases, before.spent.hosts
            self._known[fingerprint] = _Known(spent, now)

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()

    def spend(self, events: Iterable[Decoded]) -> Spending:
        """Decide on a batch's events, each once.

        If another batch has just pushed a fingerprint out of memory, the store's limit alone decides.
        """
        rows: list[EventRow] = []
        groups: dict[bytes, list[BodyCandidate]] = {}
        for event in events:
            row = event.row
            rows.append(row)
            candidate = BodyCandidate(row.event_id, row.occurred_at, row.release, event.host)
            groups.setdefault(row.fingerprint, []).append(candidate)
        decisions: dict[str, Decision] = {}
        for fingerprint, candidates in groups.items():
            known = self._known.get(fingerprint)
            decisions.update(decide_bodies(known.spent if known else BudgetSpent(), candidates, self._limit))
        kept = Body.KEPT
        for number, row in enumerate(rows):
            body = decisions[row.event_id].body
            if body is not kept:
                rows[number] = replace(row, body=body)
        return Spending(rows, groups, decisions)

    def confirm(self, spending: Spending, counted: Counted) -> dict[BodyReason, int]:
        """Remember what a committed batch spent; return the number of events decided by each reason."""
        reasons: dict[BodyReason, int] = {}
        for fingerprint, candidates in spending.candidates.items():
            stored = candidates
            if counted.duplicates:
                stored = [each for each in candidates if each.event_id not in counted.duplicates]
            known = self._known.pop(fingerprint, None)
            if known is not None:
                self._known[fingerprint] = known  # now the last one to be forgotten
            if stored:
                _account(
                    known.spent if known else BudgetSpent(), stored, spending.decisions, counted.cut, reasons
                )
        for fingerprint, bodies in counted.bodies.items():
            if (known := self._known.get(fingerprint)) is not None:
                known.spent.bodies = bodies
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
    for candidate in stored:
        decision = decisions[candidate.event_id]
        reason = BodyReason.SPENT if candidate.event_id in cut else decision.reason
        if decision.body is kept and reason is decision.reason:
            spent.keep(candidate)
        if reason is not like:  # hashing an enum member for a dict is slow: count in runs
            reasons[like] = reasons.get(like, 0) + run
            like, run = reason, 0
        run += 1
    reasons[like] = reasons.get(like, 0) + run

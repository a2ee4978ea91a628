"""Inhibition: while an open incident explains others, notifications of those are stopped. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.rules import Conditions, Facts
from faultwire_shared.event import ErrorSeverity

SAME: Final = ("service", "category", "code")
"""Facts that an inhibition can ask to be the same of both incidents."""
ASKED_OF_INCIDENTS: Final = ("severity", "category", "service", "code")
"""Conditions that an incident as a whole can meet; the others are its events'."""


class Inhibition(Struct, frozen=True, kw_only=True):
    """An incident of one kind explains those of another."""

    name: str
    when: Conditions
    """Met by the open incident that explains others."""
    mutes: Conditions
    """Met by what notifications tell of."""
    rule: str | None = None
    """The only rule whose notifications it stops; None: of all."""
    same: tuple[str, ...] = ()
    """Facts that both have in common."""
    seen_within: timedelta
    """Time since its last event for which an incident explains others, though nobody resolved it."""
    also_critical: bool = False


class StandingIncident(Struct, frozen=True, kw_only=True):
    """An incident that is not resolved, as far as inhibitions ask for it."""

    id: int
    severity: ErrorSeverity
    category: str
    service: str
    code: str
    last_seen_at: datetime

    def facts(self) -> Facts:
        """Return what conditions test; of an incident as a whole there is no more."""
        return Facts(
            severity=self.severity,
            category=self.category,
            service=self.service,
            environment="",
            release="",
            code=self.code,
            type="",
            tags={},
        )


class Inhibitors(Struct, frozen=True):
    """A policy's inhibitions with the incidents that may explain others by them."""

    inhibitions: Sequence[Inhibition]
    standing: Sequence[StandingIncident]
    """Those seen last first."""

    def find(self, facts: Facts, *, rule: str, incident_id: int, now: datetime) -> str | None:
        """Return the name of the open incident that explains what a notification tells; None if none does.

        No incident explains itself, and what could explain others by an inhibition is never stopped by it,
        so two of a kind cannot silence each other. Critical is stopped only where the inhibition says so.
        """
        for inhibition in self.inhibitions:
            if not _concerns(inhibition, facts, rule):
                continue
            for one in self.standing:
                if one.id != incident_id and _explains(inhibition, one, facts, now):
                    return incident_name(one.id)
        return None


def _concerns(inhibition: Inhibition, facts: Facts, rule: str) -> bool:
    if inhibition.rule is not None and inhibition.rule != rule:
        return False
    if facts.severity is ErrorSeverity.CRITICAL and not inhibition.also_critical:
        return False
    return inhibition.mutes.match(facts) and not inhibition.when.match(facts)


def _explains(inhibition: Inhibition, one: StandingIncident, facts: Facts, now: datetime) -> bool:
    if one.last_seen_at < now - inhibition.seen_within:
        return False
    its = one.facts()
    is_same = all(getattr(its, name) == getattr(facts, name) for name in inhibition.same)
    return is_same and inhibition.when.match(its)

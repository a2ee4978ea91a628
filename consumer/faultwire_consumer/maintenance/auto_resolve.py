"""Resolves incidents that were quiet for as many days as a rule asks for; no rule does unless it says so."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.decision import grow_quiet
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import Facts, Rule
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.quiet import PAGE, QuietIncident, list_quiet, was_seen_since
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "auto_resolve"

log = get_logger(__name__)


class AutoResolver:
    """Resolves what was quiet, by the policy in use; what occurs later regresses as after any resolve."""

    def __init__(self, store: Store, policy: Callable[[], Policy], *, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock

    async def resolve(self) -> None:
        """Go through the quiet incidents once.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        rules = [rule for rule in self._policy().rules if rule.auto_resolve_days is not None]
        if not rules:
            return
        now = self._clock()
        shortest = min(_days(rule) for rule in rules)
        last_id = 0
        while True:
            page = await list_quiet(self._store, seen_before=now - shortest, after_id=last_id)
            for quiet in page:
                await self._judge(quiet, rules, now)
            if len(page) < PAGE:
                return
            last_id = page[-1].incident_id

    async def _judge(self, quiet: QuietIncident, rules: list[Rule], now: datetime) -> None:
        """Resolve one incident by the first rule that matches it and has waited long enough."""
        facts = _facts_of(quiet)
        for rule in rules:
            bound = now - _days(rule)
            if quiet.last_seen_at > bound or not rule.where.match(facts):
                continue
            async with self._store.write() as tx:
                incident = await load_incident_state(tx, quiet.incident_id)
                if incident is None or await was_seen_since(tx, quiet.incident_id, bound):
                    return
                days = rule.auto_resolve_days or 0
                decision = grow_quiet(incident, rule=rule.name, days=days, now=now)
                if decision is not None:
                    await apply_transitions(tx, [decision])
            if decision is not None:
                log.info("incident.auto_resolved", incident=incident_name(quiet.incident_id), rule=rule.name)
            return


def _days(rule: Rule) -> timedelta:
    return timedelta(days=rule.auto_resolve_days or 0)


def _facts_of(quiet: QuietIncident) -> Facts:
    """Return the facts of an incident as a whole; a rule with quiet days asks for no others."""
    return Facts(
        severity=quiet.severity,
        category=quiet.category,
        service=quiet.service,
        environment="",
        release="",
        code=quiet.code,
        type="",
        tags={},
    )

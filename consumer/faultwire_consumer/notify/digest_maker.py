"""Makes digests at their hours: one for each period, and one for all the periods that were missed."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import InDigest, Rule
from faultwire_consumer.domain.schedule import Schedule
from faultwire_consumer.store.contract.store import (
    RowsRejectedError,
    Store,
    StoreSlowError,
    StoreUnavailableError,
)
from faultwire_consumer.store.outbox.digest_rows import DigestScope
from faultwire_consumer.store.outbox.digests import (
    DueDigest,
    digest_key,
    is_made,
    list_due_digests,
    make_digest,
    told_until,
)
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

POLL_SECONDS: Final = 2.0
EMPTY_GRACE: Final = timedelta(hours=1)
"""Time after its hour in which an empty digest is still made; later it would tell of yesterday."""
_REMEMBERED: Final = 1000
_INSTANT: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)

log = get_logger(__name__)


class DigestMaker:
    """Makes digests of pending rows whose hour has come. Any number of workers may do so at once."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        *,
        clock: Clock,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._rules = _by_name(policy)
        self._made: set[str] = set()

    def use(self, policy: Policy) -> None:
        """Make digests at the hours of another policy."""
        self._rules = _by_name(policy)

    async def run(self) -> None:
        """Make due digests every few seconds until cancelled; retry while the database is away."""
        while True:
            try:
                await self.run_once()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="digests", why=str(error))
            await asyncio.sleep(POLL_SECONDS)

    async def run_once(self) -> int:
        """Make the digests that are due; return their number.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        now, made = self._clock(), 0
        for due in await list_due_digests(self._store, now=now):
            made += await self._try_to_make(due, now)
        for due in self._empty_dues(now):
            made += await self._try_to_make(due, now, even_empty=True)
        if made:
            self._wake()
        return made

    async def _try_to_make(self, due: DueDigest, now: datetime, *, even_empty: bool = False) -> bool:
        """Make a digest; one that the database does not take keeps no other from being made."""
        try:
            return await self._make(due, now, even_empty=even_empty)
        except (StoreSlowError, RowsRejectedError) as error:
            log.warning("digest.failed", rule=due.rule, receiver=due.receiver, why=str(error))
            return False

    async def _make(self, due: DueDigest, now: datetime, *, even_empty: bool = False) -> bool:
        """Make a digest unless it is made already: rows that came after it wait for the next one."""
        until = self._until(due, now)
        key = digest_key(due, until)
        if key in self._made:
            return False
        is_new = False
        if not await is_made(self._store, key):
            scope = await self._scope(due, until)
            is_new = await make_digest(self._store, scope, now=now, even_empty=even_empty)
            if not is_new:
                return False
        self._remember(key)
        return is_new

    def _empty_dues(self, now: datetime) -> Iterator[DueDigest]:
        """Yield the digests that are wanted although nothing is pending, for a while after their hours."""
        for rule in self._rules.values():
            if isinstance(rule.sending, InDigest) and rule.sending.sends_empty:
                for receiver in rule.receivers:
                    due_at = rule.sending.schedule_for(receiver).last_until(now)
                    if now - due_at <= EMPTY_GRACE:
                        yield DueDigest(rule.name, receiver, due_at, due_at)

    async def _scope(self, due: DueDigest, until: datetime) -> DigestScope:
        rule = self._rules.get(due.rule)
        return DigestScope(
            rule=due.rule,
            receiver=due.receiver,
            since=await since_of(self._store, due, self._schedule_of(due)),
            until=until,
            due_until=until,
            where=rule.where if rule is not None else None,
        )

    def _remember(self, key: str) -> None:
        if len(self._made) >= _REMEMBERED:
            self._made.clear()
        self._made.add(key)

    def _until(self, due: DueDigest, now: datetime) -> datetime:
        """Return the end of the digest's period: the last one that is due by now.

        Rows keep the hour that they were written for: if a rule's hour changed, or the rule is
        gone, they are sent at the old one.
        """
        schedule = self._schedule_of(due)
        return due.last_due if schedule is None else max(due.last_due, schedule.last_until(now))

    def _schedule_of(self, due: DueDigest) -> Schedule | None:
        rule = self._rules.get(due.rule)
        return schedule_of(rule, due.receiver) if rule is not None else None


async def since_of(store: Store, due: DueDigest, schedule: Schedule | None) -> datetime:
    """Return the beginning of a digest's period: the end of the one before the first that was missed.

    A change of the hour or the zone makes one period longer or shorter, so the end of the digest before
    says more than the schedule, unless there was none in that period.

    Args:
        store: the store that has the outbox.
        due: the digest.
        schedule: the hours of its rule for its receiver; None if the rule is gone.

    Raises:
        StoreUnavailableError: the database does not answer now.
    """
    if schedule is None:
        return due.first_due - _DAY
    since = schedule.last_until(due.first_due - _INSTANT)
    told = await told_until(store, due)
    is_near = told is not None and schedule.last_until(since - _INSTANT) < told < due.first_due
    return told if told is not None and is_near else since


def schedule_of(rule: Rule, receiver: str) -> Schedule:
    """Return the hours of a digest rule for one of its receivers.

    Raises:
        TypeError: the rule sends no digests.
    """
    if not isinstance(rule.sending, InDigest):
        raise TypeError(f"rule {rule.name} sends no digests")
    return rule.sending.schedule_for(receiver)


def _by_name(policy: Policy) -> dict[str, Rule]:
    return {rule.name: rule for rule in policy.digests}

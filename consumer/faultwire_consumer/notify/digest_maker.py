"""Makes digests at their hours: one for each period, and one for all the periods that were missed."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import InDigest
from faultwire_consumer.domain.schedule import Schedule
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.outbox.digests import (
    DueDigest,
    digest_key,
    is_made,
    list_due_digests,
    make_digest,
)
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

POLL_SECONDS: Final = 2.0
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
        self._schedules = _schedules_of(policy)
        self._made: set[str] = set()

    def use(self, policy: Policy) -> None:
        """Make digests at the hours of another policy."""
        self._schedules = _schedules_of(policy)

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
            since, until = self._period(due, now)
            key = digest_key(due, until)
            if key in self._made:
                continue  # rows that came after it wait for the next one
            if await is_made(self._store, key):
                self._remember(key)
            elif await make_digest(self._store, due, since=since, until=until, now=now):
                self._remember(key)
                made += 1
        if made:
            self._wake()
        return made

    def _remember(self, key: str) -> None:
        if len(self._made) >= _REMEMBERED:
            self._made.clear()
        self._made.add(key)

    def _period(self, due: DueDigest, now: datetime) -> tuple[datetime, datetime]:
        """Return the period from the digest before the first missed one to the last one due by now.

        Rows keep the hour that they were written for: if a rule's hour changed, or the rule is
        gone, they are sent at the old one.
        """
        schedule = self._schedules.get(due.rule)
        if schedule is None:
            return due.first_due - _DAY, due.last_due
        return schedule.last_until(due.first_due - _INSTANT), max(due.last_due, schedule.last_until(now))


def _schedules_of(policy: Policy) -> dict[str, Schedule]:
    return {rule.name: rule.sending.schedule for rule in policy.rules if isinstance(rule.sending, InDigest)}

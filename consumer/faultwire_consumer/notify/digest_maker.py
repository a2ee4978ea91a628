"""Makes digests at their hours: one for each period, and one for all the periods that were missed."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import InDigest
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
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
        self._digests = _digests_of(policy)
        self._made: set[str] = set()

    def use(self, policy: Policy) -> None:
        """Make digests at the hours of another policy."""
        self._digests = _digests_of(policy)

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
            until = self._until(due, now)
            key = digest_key(due, until)
            if key in self._made:
                continue  # rows that came after it wait for the next one
            if await is_made(self._store, key):
                self._remember(key)
            elif await self._make(due, until, now):
                self._remember(key)
                made += 1
        if made:
            self._wake()
        return made

    async def _make(self, due: DueDigest, until: datetime, now: datetime) -> bool:
        return await make_digest(self._store, due, since=await self._since(due), until=until, now=now)

    def _remember(self, key: str) -> None:
        if len(self._made) >= _REMEMBERED:
            self._made.clear()
        self._made.add(key)

    def _until(self, due: DueDigest, now: datetime) -> datetime:
        """Return the end of the digest's period: the last one that is due by now.

        Rows keep the hour that they were written for: if a rule's hour changed, or the rule is
        gone, they are sent at the old one.
        """
        sending = self._digests.get(due.rule)
        if sending is None:
            return due.last_due
        return max(due.last_due, sending.schedule_for(due.receiver).last_until(now))

    async def _since(self, due: DueDigest) -> datetime:
        """Return the beginning of the period: the end of the one before the first that was missed.

        A change of the hour or the zone makes one period longer or shorter, so the end of the digest before
        says more than the schedule, unless there was none in that period.
        """
        sending = self._digests.get(due.rule)
        if sending is None:
            return due.first_due - _DAY
        schedule = sending.schedule_for(due.receiver)
        since = schedule.last_until(due.first_due - _INSTANT)
        told = await told_until(self._store, due)
        is_near = told is not None and schedule.last_until(since - _INSTANT) < told < due.first_due
        return told if told is not None and is_near else since


def _digests_of(policy: Policy) -> dict[str, InDigest]:
    return {rule.name: rule.sending for rule in policy.rules if isinstance(rule.sending, InDigest)}

"""The dispatcher: what is due in the outbox goes to its senders, each receiver in its own time.

Woken by the commits of its own process, so that a critical notification starts within moments of
them, it looks every half second besides, for what other workers wrote. A receiver has two loops, one
for what is urgent: neither another receiver that is slow nor its own digests are in the way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from faultwire_consumer.domain.sending import NotificationState, StageDecision, StageReason
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.attempt import Attempter
from faultwire_consumer.notify.claim import Claimed, claim
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.outbox.claim import (
    Address,
    StageEntry,
    list_due,
    list_orphans,
    record_stages,
    stop,
)
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

LOOK_SECONDS: Final = 0.5
LEASE_SECONDS: Final = 60.0
AT_ONCE: Final = 8
"""Attempts that run side by side for one receiver."""
CALM_SECONDS: Final = 30.0
"""A loop that ran so long met a new trouble with the database, and not the one before."""
ORPHAN_AGE: Final = timedelta(hours=1)
"""So long workers may run with different policies before one of them gives up on a receiver."""

log = get_logger(__name__)


class Dispatcher:
    """Sends what the outbox holds, for any number of receivers."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        *,
        metrics: Metrics,
        clock: Clock,
        lease_seconds: float = LEASE_SECONDS,
        public_url: str | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._senders = senders
        self._metrics = metrics
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._attempter = Attempter(
            store,
            metrics=metrics,
            clock=clock,
            lease_seconds=lease_seconds,
            public_url=public_url,
            rng=rng or random.Random(),  # noqa: S311 - spreads waits, keeps no secret
        )
        self._draining = False
        self._running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._ready = {Address(name, urgent): asyncio.Event() for name in senders for urgent in (True, False)}

    def wake(self) -> None:
        """Something was committed that may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled. What is being sent then has a lease, and is sent again after it."""
        async with asyncio.TaskGroup() as group:
            for address, ready in self._ready.items():
                group.create_task(self._serve(address, ready))
            await self._surviving(self._look)

    async def turn(self) -> int:
        """Send everything that is due now; how many attempts that took.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        attempts = 0
        while True:
            due = [one for one in await list_due(self._store, now=self._clock()) if one in self._ready]
            claimed = [(address, one) for address in due for one in await self._claim(address, AT_ONCE)]
            if not claimed:
                return attempts
            await asyncio.gather(*(self._attempt(address, one) for address, one in claimed))
            attempts += len(claimed)

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, and let what is being sent end."""
        self._draining = True
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def give_up_orphans(self) -> int:
        """Give up what waits for receivers that the policy does not know; how many.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        now = self._clock()
        async with self._store.write() as tx:
            ids = await list_orphans(tx, sorted(self._senders), older_than=ORPHAN_AGE, now=now)
            if ids:
                await stop(tx, ids, NotificationState.GIVEN_UP, StageReason.RECEIVER_UNKNOWN, now=now)
            await record_stages(
                tx,
                [
                    StageEntry(
                        outbox_id=one,
                        at=now,
                        stage="receiver",
                        decision=StageDecision.GIVEN_UP,
                        reason=StageReason.RECEIVER_UNKNOWN,
                    )
                    for one in ids
                ],
            )
        self._metrics.notifications_given_up.labels(reason=StageReason.RECEIVER_UNKNOWN.value).inc(len(ids))
        return len(ids)

    async def _look(self) -> None:
        """Tell the receivers' loops what is due, now and again."""
        while True:
            self._woken.clear()  # before the look: what is committed during it wakes again
            for address in await list_due(self._store, now=self._clock()):
                if address in self._ready:
                    self._ready[address].set()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _serve(self, address: Address, ready: asyncio.Event) -> None:
        own: set[asyncio.Task[None]] = set()

        def end(task: asyncio.Task[None]) -> None:
            own.discard(task)
            self._running.discard(task)
            ready.set()

        async with asyncio.TaskGroup() as group:

            async def serve() -> None:
                while True:
                    await ready.wait()
                    ready.clear()
                    for claimed in await self._claim(address, AT_ONCE - len(own)):
                        task = group.create_task(self._attempt(address, claimed))
                        own.add(task)
                        self._running.add(task)
                        task.add_done_callback(end)

            await self._surviving(serve)

    async def _surviving(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run a loop again after a wait whenever the database was away, longer while it stays away."""
        delays, now = full_jitter_delays(0.5, 10.0), asyncio.get_running_loop().time
        while True:
            started = now()
            try:
                await loop()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="dispatcher", why=str(error))
                if now() - started > CALM_SECONDS:
                    delays = full_jitter_delays(0.5, 10.0)
                await asyncio.sleep(next(delays))

    async def _claim(self, address: Address, most: int) -> list[Claimed]:
        if not most or self._draining:
            return []
        claimed, decided = await claim(
            self._store, address, now=self._clock(), most=most, lease_seconds=self._lease_seconds
        )
        for _, one, stopped in decided.stopped:
            self._metrics.notifications_stopped.labels(reason=stopped.reason.value).inc()
            log.info("notification.stopped", idempotency_key=one.idempotency_key, reason=stopped.reason)
        return claimed

    async def _attempt(self, address: Address, claimed: Claimed) -> None:
        try:
            await self._attempter.attempt(claimed, self._senders[address.receiver])
        except StoreUnavailableError as error:
            # Its lease ends by itself, and it is sent again under the same key.
            log.warning("store.lost", lane="dispatcher", why=str(error))

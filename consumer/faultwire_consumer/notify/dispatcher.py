"""The dispatcher: due notifications go from the outbox to their senders, each receiver at its own pace.

It is woken by the commits of its own process, so that a critical notification starts within moments of
them, and polls every half second for what other workers wrote. A receiver has two loops, one for urgent
notifications: neither another, slow receiver nor its own digests are in the way.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from faultwire_consumer.domain.rules import Rule
from faultwire_consumer.domain.sending import NotificationState, StageDecision, StageReason
from faultwire_consumer.domain.silence.weekly import WeeklyWindow
from faultwire_consumer.domain.telling.inhibition import Inhibition
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.attempt import Attempter
from faultwire_consumer.notify.claim import Claimed, claim
from faultwire_consumer.notify.own_watch import OwnWatch
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.traced import TracedAttempts
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

POLL_SECONDS: Final = 0.5
LEASE_SECONDS: Final = 60.0
AT_ONCE: Final = 8
"""Concurrent attempts for one receiver."""
CALM_SECONDS: Final = 30.0
"""After a loop has run this long, trouble with the database is new and not the same as before."""
ORPHAN_AGE: Final = timedelta(hours=1)
"""Time for which workers may run with different policies before one of them gives up on a receiver."""

log = get_logger(__name__)


class Dispatcher:
    """Sends the outbox's notifications, for any number of receivers."""

    def __init__(
        self,
        store: Store,
        senders: Mapping[str, Sender],
        *,
        metrics: Metrics,
        clock: Clock,
        lease_seconds: float = LEASE_SECONDS,
        digests: Sequence[Rule] = (),
        quiet: Mapping[str, Sequence[WeeklyWindow]] | None = None,
        inhibitions: Sequence[Inhibition] = (),
        public_url: str | None = None,
        watch: OwnWatch | None = None,
        rng: random.Random | None = None,
        traced: TracedAttempts | None = None,
    ) -> None:
        self._store = store
        self._senders = senders
        self._metrics = metrics
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._digests = digests
        self._quiet = quiet or {}
        self._inhibitions = inhibitions
        self._attempter = Attempter(
            store,
            metrics=metrics,
            clock=clock,
            lease_seconds=lease_seconds,
            public_url=public_url,
            watch=watch or OwnWatch(),
            rng=rng or random.Random(),  # noqa: S311 - spreads waits, keeps no secret
            traced=traced,
        )
        self._draining = False
        self._running: set[asyncio.Task[Any]] = set()
        """Claims and attempts: what is claimed, and attempted by nobody, waits for the end of its lease."""
        self._woken = asyncio.Event()
        self._ready = {Address(name, urgent): asyncio.Event() for name in senders for urgent in (True, False)}

    @property
    def receivers(self) -> Collection[str]:
        """The names of the receivers that it sends to."""
        return self._senders.keys()

    def wake(self) -> None:
        """Note that something was committed that may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Send until cancelled. A notification being sent at that moment is sent again after its lease."""
        async with asyncio.TaskGroup() as group:
            for address, ready in self._ready.items():
                group.create_task(self._serve(address, ready))
            await self._surviving(self._poll)

    async def run_once(self) -> int:
        """Send everything that is due now; return the number of attempts.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        attempts = 0
        while True:
            due = await list_due(self._store, now=self._clock())
            addresses = [address for address in due if address in self._ready]
            claims = [
                (address, claimed) for address in addresses for claimed in await self._claim(address, AT_ONCE)
            ]
            if not claims:
                return attempts
            await asyncio.gather(*(self._attempt(address, claimed) for address, claimed in claims))
            attempts += len(claims)

    async def drain(self, seconds: float) -> None:
        """Claim nothing more, and let running claims and their attempts end."""
        self._draining = True
        now = asyncio.get_running_loop().time
        ends_at = now() + seconds
        while self._running and now() < ends_at:
            await asyncio.wait(self._running, timeout=ends_at - now())

    async def give_up_orphans(self) -> int:
        """Give up notifications for receivers that the policy does not know; return their number.

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
                        outbox_id=outbox_id,
                        at=now,
                        stage="receiver",
                        decision=StageDecision.GIVEN_UP,
                        reason=StageReason.RECEIVER_UNKNOWN,
                    )
                    for outbox_id in ids
                ],
            )
        self._metrics.notifications_given_up.labels(reason=StageReason.RECEIVER_UNKNOWN.value).inc(len(ids))
        return len(ids)

    async def _poll(self) -> None:
        """Wake the loops of receivers with due notifications, again and again."""
        while True:
            self._woken.clear()  # before the query: a commit during it wakes again
            for address in await list_due(self._store, now=self._clock()):
                if address in self._ready:
                    self._ready[address].set()
            try:
                async with asyncio.timeout(POLL_SECONDS):
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
                    claiming = asyncio.create_task(self._claim(address, AT_ONCE - len(own)))
                    self._running.add(claiming)
                    claiming.add_done_callback(self._running.discard)
                    for claimed in await claiming:
                        task = group.create_task(self._attempt(address, claimed))
                        own.add(task)
                        self._running.add(task)
                        task.add_done_callback(end)

            await self._surviving(serve)

    async def _surviving(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Restart a loop after a wait, which grows while its trouble goes on: the database's, or a row's."""
        delays, now = full_jitter_delays(0.5, 10.0), asyncio.get_running_loop().time
        while True:
            started = now()
            try:
                await loop()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="dispatcher", why=str(error))
            except Exception:
                log.exception("dispatcher.failed")
            if now() - started > CALM_SECONDS:
                delays = full_jitter_delays(0.5, 10.0)
            await asyncio.sleep(next(delays))

    async def _claim(self, address: Address, maximum: int) -> list[Claimed]:
        if not maximum or self._draining:
            return []
        claimed, decided = await claim(
            self._store,
            address,
            now=self._clock(),
            maximum=maximum,
            lease_seconds=self._lease_seconds,
            digests=self._digests,
            quiet=self._quiet.get(address.receiver, ()),
            inhibitions=self._inhibitions,
        )
        for _, due, stopped in decided.stopped:
            self._metrics.notifications_stopped.labels(reason=stopped.reason.value).inc()
            log.info("notification.stopped", idempotency_key=due.idempotency_key, reason=stopped.reason)
        for outbox_id in decided.unreadable:
            self._metrics.notifications_given_up.labels(reason=StageReason.UNREADABLE.value).inc()
            log.error("notification.unreadable", notification=outbox_id)
        return claimed

    async def _attempt(self, address: Address, claimed: Claimed) -> None:
        try:
            await self._attempter.attempt(claimed, self._senders[address.receiver], urgent=address.urgent)
        except StoreUnavailableError as error:
            # Its lease expires on its own, and it is sent again under the same key.
            log.warning("store.lost", lane="dispatcher", why=str(error))
        except Exception as error:
            log.exception("notification.unreadable", notification=claimed.outbox_id)
            await self._give_up(address, claimed, error)

    async def _give_up(self, address: Address, claimed: Claimed, error: Exception) -> None:
        """Give up one notification; whatever comes of that, it must not end its neighbours."""
        try:
            await self._attempter.give_up(claimed, self._senders[address.receiver], error)
        except StoreUnavailableError as away:
            log.warning("store.lost", lane="dispatcher", why=str(away))
        except Exception:
            log.exception("dispatcher.failed")

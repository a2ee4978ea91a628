"""A policy on its stage: the worker's own engine over a scratch store, by the rehearsed time."""

from collections.abc import Callable, Sequence
from datetime import datetime

from faultwire_consumer.domain.body_budget import BODIES_MIN
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sent
from faultwire_consumer.rehearsal.acting import Acting, ActStep
from faultwire_consumer.rehearsal.clock import RehearsedClock
from faultwire_consumer.rehearsal.grouping import PlayedEvent, StoredGroups
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.acts import SilenceStep
from faultwire_consumer.store.rehearsal.told import next_due
from faultwire_shared.codec import EVENT_TYPE

ORIGIN = "rehearsal"


class SilentSender:
    """A receiver that takes everything and tells nobody."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """Its receiver's name."""
        return self._name

    async def send(self, _: Notification) -> Outcome:
        """Take a notification."""
        return Sent()

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


class Stage:
    """Plays events and acts to one policy, and sends what comes due in between.

    Args:
        store: a scratch store, with what the history began with.
        policy: the rules.
        clock: the rehearsed time, the store's own too.
        is_over: asked between sends; once it says so, time stands still.
    """

    def __init__(
        self, store: Store, policy: Policy, clock: RehearsedClock, *, is_over: Callable[[], bool]
    ) -> None:
        self.store = store
        self._clock = clock
        self._is_over = is_over
        self._groups = StoredGroups()
        self._due: datetime | None = None
        """The next time at which something comes due; None: none is known."""
        self._is_woken = False
        metrics = Metrics()
        senders = {one.name: SilentSender(one.name) for one in policy.receivers}
        self._pipeline = Pipeline(
            store,
            metrics=metrics,
            evaluator=Evaluator(policy, wake=self._wake),
            bodies_per_incident=BODIES_MIN,
            clock=clock,
            grouper=self._groups,
        )
        self._digests = DigestMaker(store, policy, clock=clock)
        self._dispatcher = Dispatcher(
            store,
            senders,
            metrics=metrics,
            clock=clock,
            digests=policy.digests,
            quiet=policy.quiet,
            inhibitions=policy.inhibitions,
        )
        self.acting = Acting(store, policy)

    async def play(self, at: datetime, batch: Sequence[PlayedEvent]) -> None:
        """Take in a batch at the moment at which it was received."""
        await self.advance(at)
        self._groups.use(batch)
        await self._pipeline.ingest(
            [read_delivery(one.body, EVENT_TYPE, origin=ORIGIN, handle=None) for one in batch]
        )
        if self._is_woken:
            await self._send()
        else:
            await self._look_ahead()

    async def act(self, step: ActStep) -> None:
        """Do again what an operator did."""
        await self.advance(step.at)
        await self.acting.act(step)
        await self._send()

    async def silence(self, step: SilenceStep) -> None:
        """Make, end or resume a silence."""
        await self.advance(step.at)
        await self.acting.silence(step)
        await self._send()

    async def advance(self, moment: datetime) -> None:
        """Go on to a moment, and stop at each time at which something is due."""
        while self._due is not None and self._due <= moment and not self._is_over():
            self._clock.move_to(self._due)
            await self._send()
        self._clock.move_to(moment)

    def _wake(self) -> None:
        self._is_woken = True

    async def _send(self) -> None:
        self._is_woken = False
        await self._digests.run_once()
        await self._dispatcher.run_once()
        await self._look_ahead()

    async def _look_ahead(self) -> None:
        self._due = await next_due(self.store, after=self._clock())

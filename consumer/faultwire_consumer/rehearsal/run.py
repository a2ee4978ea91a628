"""A rehearsal from its beginning to its report: the history of a time, played to one or two policies."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rehearsal.blind import BlindSpots, unseen_in
from faultwire_consumer.domain.rehearsal.report import (
    LISTED_MAX,
    RehearsalReport,
    RehearsedNotification,
    compare,
    tally_of,
)
from faultwire_consumer.domain.rehearsal.warming import warm_up
from faultwire_consumer.rehearsal.acting import ActStep, steps_of
from faultwire_consumer.rehearsal.body import Bodies
from faultwire_consumer.rehearsal.bound import EVENTS_MAX, SECONDS_MAX, Progress
from faultwire_consumer.rehearsal.clock import RehearsedClock
from faultwire_consumer.rehearsal.stage import Stage
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.acts import Acts, Silences, SilenceStep, read_acts, read_silences
from faultwire_consumer.store.rehearsal.beginning import Beginning, Begun
from faultwire_consumer.store.rehearsal.events import KeptEvent, Span, count_events, find_start, read_batches
from faultwire_consumer.store.rehearsal.losses import read_losses
from faultwire_consumer.store.rehearsal.scratch import open_scratch
from faultwire_consumer.store.rehearsal.told import read_told


class Script(Struct, frozen=True, kw_only=True):
    """Everything that says what is to be rehearsed."""

    policy: Policy
    since: datetime
    until: datetime
    """Everything that was received before it is committed."""
    against: tuple[str, Policy] | None = None
    """Another policy to compare with, and its name."""
    events_max: int = EVENTS_MAX
    seconds_max: float = SECONDS_MAX


_Step = Sequence[KeptEvent] | ActStep | SilenceStep


async def rehearse(
    source: Store,
    script: Script,
    *,
    tell: Callable[[Progress], None] = lambda _: None,
    monotonic: Callable[[], float] = time.monotonic,
) -> RehearsalReport:
    """Play a store's history to a policy, in scratch stores that are gone afterwards.

    Args:
        source: the store with the history; it is only read.
        script: what is to be rehearsed.
        tell: is told of the progress.
        monotonic: seconds, for the bound of its time.

    Raises:
        StoreUnavailableError: the history cannot be read now, or there is no place for scratch stores.
    """
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="faultwire-rehearsal-")))
        performance = _Performance(source, script, tell, monotonic)
        return await performance.play(directory, stack)


class _Performance:
    def __init__(
        self,
        source: Store,
        script: Script,
        tell: Callable[[Progress], None],
        monotonic: Callable[[], float],
    ) -> None:
        self._source = source
        self._script = script
        self._tell = tell
        self._monotonic = monotonic
        self._began = monotonic()
        self._policies = [script.policy, *((script.against[1],) if script.against is not None else ())]
        self._bodies = Bodies(source, [script.policy])
        self._events = 0
        self._spots = BlindSpots()

    async def play(self, directory: Path, stack: AsyncExitStack) -> RehearsalReport:
        span = await self._find_span()
        total = await count_events(self._source, span)
        acts, silences = await read_acts(self._source, span), await read_silences(self._source, span)
        stages = await self._open(directory, stack, span)
        ids = {one.incident_id for one in acts.passages}
        begun = await Beginning(self._source, span).copy_to([one.store for one in stages], ids)
        reached = span.end
        async for at, step in self._steps(span, acts, silences):
            if self._is_over():
                reached = at
                break
            await self._play(stages, at, step)
            self._tell(Progress(self._events, total))
        for stage in stages:
            await stage.advance(reached)
        self._note(stages[0], begun, acts, silences, total=total)
        return await self._report(stages, span, reached)

    async def _find_span(self) -> Span:
        """Return what is played: from the warm-up on, or as far back as there may be events."""
        script = self._script
        asked = Span(script.since - max(warm_up(one) for one in self._policies), script.until)
        cut_at = await find_start(self._source, asked, most=script.events_max)
        span = asked if cut_at is None else Span(cut_at, asked.end)
        losses = await read_losses(self._source, span)
        self._spots.dropped, self._spots.deleted = losses.dropped, losses.deleted
        if cut_at is not None:
            self._spots.cut_at = cut_at
            self._spots.cut = await count_events(self._source, Span(asked.start, cut_at))
        elif losses.first_at is not None and losses.first_at > asked.start:
            self._spots.begins_at = losses.first_at
        return span

    async def _open(self, directory: Path, stack: AsyncExitStack, span: Span) -> list[Stage]:
        stages = []
        for number, policy in enumerate(self._policies):
            clock = RehearsedClock(span.start)
            store = await open_scratch(directory / f"{number}.db", clock=clock)
            stack.push_async_callback(store.close)
            stages.append(Stage(store, policy, clock, is_over=self._is_over))
        return stages

    async def _steps(
        self, span: Span, acts: Acts, silences: Silences
    ) -> AsyncIterator[tuple[datetime, _Step]]:
        """Yield everything that happened, in the order of its times; of one moment, what was done first."""
        done: list[ActStep | SilenceStep] = [*silences.steps, *steps_of(acts.passages)]
        done.sort(key=lambda step: step.at)
        following = 0
        async for batch in read_batches(self._source, span):
            at = batch[0].received_at
            while following < len(done) and done[following].at <= at:
                yield done[following].at, done[following]
                following += 1
            yield at, batch
        for step in done[following:]:
            yield step.at, step

    async def _play(self, stages: Sequence[Stage], at: datetime, step: _Step) -> None:
        if isinstance(step, ActStep):
            for stage in stages:
                await stage.act(step)
        elif isinstance(step, SilenceStep):
            for stage in stages:
                await stage.silence(step)
        else:
            batch = await self._bodies.playable(step)
            self._events += len(batch)
            for stage in stages:
                await stage.play(at, batch)

    def _is_over(self) -> bool:
        return self._monotonic() - self._began > self._script.seconds_max

    def _note(self, stage: Stage, begun: Begun, acts: Acts, silences: Silences, *, total: int) -> None:
        spots, acting = self._spots, stage.acting
        spots.bodies, spots.tags = self._bodies.missing, dict(self._bodies.unjudged)
        spots.standing, spots.pruned = begun.standing, begun.pruned
        spots.acts, spots.are_acts_cut, spots.auto_resolved = acting.failed, acts.is_cut, acting.unwanted
        spots.silences = silences.unreadable
        spots.left = max(0, total - spots.deleted - self._events) if self._is_over() else 0

    async def _report(self, stages: Sequence[Stage], span: Span, reached: datetime) -> RehearsalReport:
        since = max(self._script.since, span.start)
        told = [await _told(stage, since) for stage in stages]
        sent = [one for one in told[0] if one.has_gone_out]
        against = self._script.against
        return RehearsalReport(
            since=since,
            until=reached,
            warmed_up_from=span.start,
            events=self._events,
            acts=stages[0].acting.done,
            seconds=round(self._monotonic() - self._began, 1),
            tally=tally_of(told[0]),
            notifications=tuple(sent[:LISTED_MAX]),
            difference=None if against is None else compare(told[0], told[1], against=against[0]),
            unseen=unseen_in(self._spots),
        )


async def _told(stage: Stage, since: datetime) -> list[RehearsedNotification]:
    return [one async for one in read_told(stage.store, since=since)]

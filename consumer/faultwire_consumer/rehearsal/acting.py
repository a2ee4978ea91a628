"""Operators' acts, done again in a scratch store by the verbs that they were done by."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from faultwire_consumer.actions.silences import SilenceActor, end_silence, resume_silence
from faultwire_consumer.actions.verbs import ActOutcome, act_on_many
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.incident import TransitionReason
from faultwire_consumer.domain.lifecycle.arguments import Arguments
from faultwire_consumer.domain.lifecycle.decision import Act, grow_quiet
from faultwire_consumer.domain.lifecycle.retelling import (
    HistoryPassage,
    QuietDays,
    arguments_in,
    quiet_days_in,
)
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.transition import apply_transitions, load_incident_state
from faultwire_consumer.store.rehearsal.acts import SilenceStep
from faultwire_consumer.store.silences.record import SilenceAction, add_silence
from faultwire_shared.taxonomy import ConflictError, NotFoundError

_DONE = (ActOutcome.CHANGED, ActOutcome.UNCHANGED)


class ActStep(Struct, frozen=True, kw_only=True):
    """One act on one or several incidents."""

    at: datetime
    ids: tuple[int, ...]
    actor: str
    note: str
    arguments: Arguments | None
    """The verb; None where a rule's quiet days did it."""
    quiet: QuietDays | None = None


def steps_of(passages: Iterable[HistoryPassage]) -> Iterator[ActStep]:
    """Yield the acts that histories tell of; a merge of several incidents is one act."""
    for _, together in groupby(passages, key=_same_act):
        group = list(together)
        first = group[0]
        arguments = arguments_in(first)
        quiet = quiet_days_in(first) if first.reason == TransitionReason.AUTO_RESOLVED else None
        if arguments is None and quiet is None:
            continue
        yield ActStep(
            at=first.at,
            ids=tuple(one.incident_id for one in group),
            actor=first.actor,
            note=first.note,
            arguments=arguments,
            quiet=quiet,
        )


def _same_act(passage: HistoryPassage) -> tuple[object, ...]:
    return passage.at, passage.actor, passage.reason, passage.detail, passage.note


class Acting:
    """Does acts again, and counts what could not be done."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._quiet = {rule.name: rule.auto_resolve_days for rule in policy.rules}
        self._silences: dict[int, int] = {}
        self.done = 0
        self.failed = 0
        self.unwanted = 0
        """Incidents that a rule resolved which this policy does not have."""

    async def act(self, step: ActStep) -> None:
        """Do one act."""
        if step.arguments is None:
            for incident_id in step.ids:
                await self._resolve_quiet(incident_id, step)
            return
        act = Act(arguments=step.arguments, actor=step.actor, at=step.at, note=step.note)
        for acted in await act_on_many(self._store, step.ids, act):
            self._count(is_done=acted.outcome in _DONE)

    async def silence(self, step: SilenceStep) -> None:
        """Make, end or resume a silence."""
        if step.action is SilenceAction.CREATED:
            async with self._store.write() as tx:
                self._silences[step.silence.id] = await add_silence(tx, step.silence)
            self.done += 1
            return
        change = end_silence if step.action is SilenceAction.ENDED else resume_silence
        by = SilenceActor(name=step.actor, source=AuditSource(actor=step.actor, via=Via.COMMAND), at=step.at)
        try:
            await change(self._store, self._silences.get(step.silence.id, 0), by)
        except (ConflictError, NotFoundError):
            self._count(is_done=False)
        else:
            self._count(is_done=True)

    async def _resolve_quiet(self, incident_id: int, step: ActStep) -> None:
        quiet = step.quiet
        if quiet is None or self._quiet.get(quiet.rule) != quiet.days:
            self.unwanted += 1
            return
        async with self._store.write() as tx:
            incident = await load_incident_state(tx, incident_id)
            decision = incident and grow_quiet(incident, rule=quiet.rule, days=quiet.days, now=step.at)
            if decision:
                await apply_transitions(tx, [decision])
        self._count(is_done=decision is not None)

    def _count(self, *, is_done: bool) -> None:
        self.done += is_done
        self.failed += not is_done

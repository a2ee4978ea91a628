"""Operators' verbs on incidents: the one entry for command line, API, page and agents."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.actions.incident import IncidentConflictError, unknown_incident
from faultwire_consumer.domain.incident import IncidentState, NotPossible, Status, Transition, Verb
from faultwire_consumer.domain.incident_name import incident_name, parse_incident_id
from faultwire_consumer.domain.lifecycle.arguments import (
    Arguments,
    MergeArguments,
    MuteArguments,
    ResolveArguments,
)
from faultwire_consumer.domain.lifecycle.decision import Act, decide, join
from faultwire_consumer.domain.release_order import newest_release
from faultwire_consumer.store.contract.store import Store, StoreBusyError, StoreUnavailableError, Transaction
from faultwire_consumer.store.events.figures.standing import refresh_standing
from faultwire_consumer.store.events.incidents import HistoryEntry, list_history
from faultwire_consumer.store.events.merging import merge_incidents, read_holders, unmerge_incident
from faultwire_consumer.store.events.release_sights import read_newest_sights
from faultwire_consumer.store.events.transition import (
    apply_transitions,
    load_incident_states,
    select_states,
    state_from,
)
from faultwire_consumer.store.schema.events import incidents

MANY_MAX: Final = 500
"""Incidents that one request acts on."""
_TRIES: Final = 5
_NOTHING_LEFT: Final = "nothing of it is left in {holder}, so it cannot come back"


class ActOutcome(StrEnum):
    """The effect of a verb on an incident."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    """It is so already."""
    REFUSED = "refused"
    """The verb does not fit its state, or that is another one than was expected."""
    NOT_FOUND = "not_found"


class Expected(Struct, frozen=True):
    """The state that an operator saw; another one meanwhile refuses the verb."""

    status: Status | None = None
    version: int | None = None


ANYTHING: Final = Expected()


class Acted(Struct, frozen=True, kw_only=True):
    """The effect of a verb on one incident, or in a dry run the effect that it would have."""

    id: str
    outcome: ActOutcome
    status: str | None
    """Afterwards; None if there is no such incident."""
    version: int | None
    detail: str
    """What was done, or why not."""
    merged_into: str | None = None


async def act_on(
    store: Store, incident_id: int, act: Act, *, expected: Expected = ANYTHING, dry_run: bool = False
) -> Acted:
    """Do what a verb says to one incident; say what is so already.

    Args:
        store: has the incident.
        incident_id: the incident.
        act: the verb, its arguments, and who asks.
        expected: refuse if the incident is not so any more.
        dry_run: say what would be, and change nothing.

    Raises:
        IncidentNotFoundError: it does not exist.
        IncidentConflictError: its state does not allow the verb, or is not what was expected; the error
            says what it is now, and who changed it.
    """
    act = await _with_release(store, act, incident_id)
    (acted,) = await _act(store, [incident_id], act, expected, dry_run=dry_run)
    if acted.outcome is ActOutcome.NOT_FOUND:
        raise unknown_incident(incident_id)
    if acted.outcome is ActOutcome.REFUSED:
        raise await _conflict(store, incident_id, acted)
    return acted


async def act_on_many(store: Store, ids: Sequence[int], act: Act, *, dry_run: bool = False) -> list[Acted]:
    """Do what a verb says to many incidents, each in a transaction of its own but for a merge.

    One that refuses leaves the others alone; what each became is in the answer, in the order of the ids.
    """
    if act.verb is Verb.MERGE:
        return await _act(store, ids, act, ANYTHING, dry_run=dry_run)
    acted = []
    for incident_id in ids:
        mine = await _with_release(store, act, incident_id)
        acted += await _act(store, [incident_id], mine, ANYTHING, dry_run=dry_run)
    return acted


async def _act(
    store: Store, ids: Sequence[int], act: Act, expected: Expected, *, dry_run: bool
) -> list[Acted]:
    if dry_run:
        return await _judge_dry(store, ids, act, expected)
    holders = await read_holders(store, ids) if act.verb is Verb.UNMERGE else []
    acted = await _write_again(store, ids, act, expected)
    if act.verb in (Verb.MERGE, Verb.UNMERGE):
        # Their places in lists follow their events, and this was none; what fails here follows the next one.
        with suppress(StoreUnavailableError):
            await refresh_standing(store, [*ids, *_others(act), *holders], now=act.at)
    return acted


async def _write_again(store: Store, ids: Sequence[int], act: Act, expected: Expected) -> list[Acted]:
    """Do it, and try again at once while something temporary is in the way."""
    for _ in range(_TRIES - 1):
        with suppress(StoreBusyError):
            return await _write(store, ids, act, expected)
    return await _write(store, ids, act, expected)


async def _write(store: Store, ids: Sequence[int], act: Act, expected: Expected) -> list[Acted]:
    holders = await read_holders(store, ids) if act.verb is Verb.UNMERGE else []
    async with store.write() as tx:
        states = await load_incident_states(tx, [*ids, *_others(act), *holders])
        judged = [_judge(one, states, act, expected) for one in ids]
        if isinstance(act.arguments, MergeArguments):
            await _merge(tx, judged, states, act)
        elif act.verb is Verb.UNMERGE:
            judged = [await _unmerge(tx, one, states, act) for one in judged]
        else:
            await apply_transitions(tx, [one.transition for one in judged if one.transition is not None])
    return [one.acted for one in judged]


async def _judge_dry(store: Store, ids: Sequence[int], act: Act, expected: Expected) -> list[Acted]:
    holders = await read_holders(store, ids) if act.verb is Verb.UNMERGE else []
    wanted = {*ids, *_others(act), *holders}
    rows = await store.read(select_states(incidents.c.id.in_(sorted(wanted))))
    states = {row.incident_id: state_from(row) for row in rows}
    return [_judge(one, states, act, expected).acted for one in ids]


class _Judged(Struct, frozen=True):
    """A verb's decision on one incident."""

    acted: Acted
    transition: Transition | None = None


def _judge(incident_id: int, states: dict[int, IncidentState], act: Act, expected: Expected) -> _Judged:
    incident = states.get(incident_id)
    if incident is None:
        missing = Acted(
            id=incident_name(incident_id),
            outcome=ActOutcome.NOT_FOUND,
            status=None,
            version=None,
            detail="there is no such incident",
        )
        return _Judged(missing)
    decision = _unexpected(incident, expected) or _misfit(incident, states, act) or decide(act, incident)
    if isinstance(decision, NotPossible):
        return _Judged(_acted(incident, ActOutcome.REFUSED, decision.why))
    if decision is None:
        return _Judged(_acted(incident, ActOutcome.UNCHANGED, "it is so already"))
    changed = replace(
        _acted(incident, ActOutcome.CHANGED, decision.detail),
        status=decision.after.value,
        version=incident.version + 1,
    )
    if isinstance(act.arguments, MergeArguments):
        changed = replace(changed, merged_into=act.arguments.into)
    if act.verb is Verb.UNMERGE:
        changed = replace(changed, merged_into=None)
    return _Judged(changed, decision)


def _acted(incident: IncidentState, outcome: ActOutcome, detail: str) -> Acted:
    into = incident.merged_into
    return Acted(
        id=incident_name(incident.incident_id),
        outcome=outcome,
        status=incident.status.value,
        version=incident.version,
        detail=detail,
        merged_into=incident_name(into) if into is not None else None,
    )


def _unexpected(incident: IncidentState, expected: Expected) -> NotPossible | None:
    if expected.status is not None and incident.status is not expected.status:
        return NotPossible(f"it is {incident.status} by now, and not {expected.status}")
    if expected.version is not None and incident.version != expected.version:
        return NotPossible(f"it has changed: its version is {incident.version}, and not {expected.version}")
    return None


def _misfit(incident: IncidentState, states: dict[int, IncidentState], act: Act) -> NotPossible | None:
    """Say why two incidents cannot be one, or why one cannot come back yet."""
    why = None
    if act.verb is Verb.UNMERGE:
        why = _kept_away(states.get(incident.merged_into or 0))
    elif isinstance(act.arguments, MergeArguments) and incident.merged_into is None:
        why = _not_one(incident, states.get(_target(act.arguments)), act.arguments.into)
    return None if why is None else NotPossible(why)


def _kept_away(holder: IncidentState | None) -> str | None:
    if holder is None or holder.merged_into is None:
        return None
    name = incident_name(holder.incident_id)
    return f"{name}, which has it, was merged itself; unmerge {name} first"


def _not_one(incident: IncidentState, target: IncidentState | None, into: str) -> str | None:
    if target is None:
        return f"there is no incident {into}"
    if target.incident_id == incident.incident_id:
        return "it cannot be merged into itself"
    if target.merged_into is not None:
        return f"{into} was merged itself, into {incident_name(target.merged_into)}"
    return "incidents of two services cannot be one" if target.service != incident.service else None


async def _merge(
    tx: Transaction, judged: Sequence[_Judged], states: dict[int, IncidentState], act: Act
) -> None:
    going = [one.transition for one in judged if one.transition is not None]
    if not going or not isinstance(act.arguments, MergeArguments):
        return
    target = states[_target(act.arguments)]
    sources = [states[one.incident_id] for one in going]
    await merge_incidents(tx, target.incident_id, [source.incident_id for source in sources])
    await apply_transitions(tx, [*going, join(act, target, sources)])


async def _unmerge(tx: Transaction, judged: _Judged, states: dict[int, IncidentState], act: Act) -> _Judged:
    if judged.transition is None:
        return judged
    incident = states[judged.transition.incident_id]
    holder = states.get(incident.merged_into or 0)
    if holder is None:
        raise StoreBusyError("it was merged into another incident meanwhile")
    if not await unmerge_incident(tx, holder.incident_id, incident.incident_id, now=act.at):
        why = _NOTHING_LEFT.format(holder=incident_name(holder.incident_id))
        return _Judged(_acted(incident, ActOutcome.REFUSED, why))
    left = Transition(
        incident_id=holder.incident_id,
        before=holder.status,
        after=holder.status,
        episode=holder.episode,
        resolved_at=holder.resolved_at,
        reason=judged.transition.reason,
        actor=act.actor,
        at=act.at,
        terms=holder.terms,
        detail=f"{incident_name(incident.incident_id)} is an incident of its own again",
        note=act.note,
    )
    await apply_transitions(tx, [judged.transition, left])
    return judged


def _others(act: Act) -> list[int]:
    """Return the incident that a verb on others changes as well."""
    return [_target(act.arguments)] if isinstance(act.arguments, MergeArguments) else []


def _target(arguments: MergeArguments) -> int:
    return parse_incident_id(arguments.into) or 0


async def _with_release(store: Store, act: Act, incident_id: int) -> Act:
    """Look up the newest release of the incident's service where the verb asks for the next one."""
    if not asks_for_release(act.arguments):
        return act
    rows = await store.read(select_states(incidents.c.id == incident_id))
    if not rows:
        return act
    return replace(act, newest_release=newest_release(await read_newest_sights(store, rows[0].service)))


def asks_for_release(arguments: Arguments) -> bool:
    """Return True if a verb is about the next release."""
    return isinstance(arguments, ResolveArguments | MuteArguments) and arguments.next_release


async def _conflict(store: Store, incident_id: int, acted: Acted) -> IncidentConflictError:
    last = next(iter(await list_history(store, incident_id)), None)
    by = f" ({_told(last)})" if last is not None else ""
    return IncidentConflictError(f"{acted.id}: {acted.detail}{by}", details=_details(acted, last))


def _told(last: HistoryEntry) -> str:
    return f"{last.reason.replace('_', ' ')} by {last.actor} at {last.at.isoformat(timespec='seconds')}"


def _details(acted: Acted, last: HistoryEntry | None) -> dict[str, Any]:
    details: dict[str, Any] = {
        "id": acted.id,
        "status": acted.status,
        "version": acted.version,
        "merged_into": acted.merged_into,
    }
    if last is not None:
        details |= {"changed_by": last.actor, "changed_at": _plain(last.at), "changed_reason": last.reason}
    return details


def _plain(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

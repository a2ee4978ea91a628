"""Decides what an operator's verb, or a long silence, does to an incident."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.incident import (
    WORKER,
    Assignment,
    IncidentState,
    NotPossible,
    Status,
    Transition,
    Verb,
)
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.incident_terms import (
    Mute,
    Resolution,
    ResolutionBound,
    Terms,
    describe_mute,
    describe_resolution,
)
from faultwire_consumer.domain.lifecycle.arguments import (
    AcknowledgeArguments,
    Arguments,
    AssignArguments,
    LinkArguments,
    MergeArguments,
    MuteArguments,
    ResolveArguments,
    UnassignArguments,
    UnlinkArguments,
    verb_of,
)
from faultwire_consumer.domain.lifecycle.table import (
    TABLE,
    CellRefusal,
    CellStep,
    Happening,
    LifeState,
    state_of,
)
from faultwire_consumer.domain.links.tracker import short_link

_URL_TOLD: Final = 200
"""The most of a link that the history shows."""


class Act(Struct, frozen=True, kw_only=True):
    """A verb with everything that an operator said with it."""

    arguments: Arguments
    actor: str
    at: datetime
    note: str = ""
    newest_release: str | None = None
    """Of the incident's service; looked up only for what asks for the next one."""

    @property
    def verb(self) -> Verb:
        """Return the verb."""
        return verb_of(self.arguments)


def state_now(incident: IncidentState) -> LifeState:
    """Return an incident's state in the table."""
    return state_of(
        incident.status,
        is_muted=incident.terms.mute is not None,
        is_merged=incident.merged_into is not None,
    )


def decide(act: Act, incident: IncidentState) -> Transition | NotPossible | None:
    """Decide what an operator's verb does to an incident; None if nothing changes.

    Merging is decided like this for each incident that is to go; what it does to the one that takes them
    says `join`.
    """
    before = state_now(incident)
    cell = TABLE[before, act.verb]
    if isinstance(cell, CellRefusal):
        into = incident_name(incident.merged_into) if incident.merged_into is not None else ""
        return NotPossible(cell.why.format(done=_done(act.verb), into=into))
    if not isinstance(cell, CellStep):
        return None
    missing = _missing_release(act)
    if missing is not None:
        return missing
    transition = _follow(act, incident, cell)
    is_news = act.verb is Verb.COMMENT or not _is_there(before, cell, incident, transition)
    return transition if is_news else None


def grow_quiet(incident: IncidentState, *, rule: str, days: int, now: datetime) -> Transition | None:
    """Decide what a rule's quiet days do to an incident."""
    cell = TABLE[state_now(incident), Happening.QUIET]
    if not isinstance(cell, CellStep):
        return None
    return Transition(
        incident_id=incident.incident_id,
        before=incident.status,
        after=cell.after.status,
        episode=incident.episode,
        resolved_at=now,
        reason=cell.reason,
        actor=WORKER,
        at=now,
        terms=Terms(link=incident.terms.link),
        detail=f"nothing for {days} days, as rule {rule} asks for",
    )


def join(act: Act, target: IncidentState, sources: list[IncidentState]) -> Transition:
    """Decide what other incidents, merged into one, do to it; it takes a link of theirs if it has none."""
    unresolved = [source for source in sources if source.status is not Status.RESOLVED]
    happening = Happening.JOINED
    if unresolved:
        worst = max(source.severity.rank for source in unresolved)
        is_worse = worst > target.severity.rank
        happening = Happening.JOINED_BY_WORSE if is_worse else Happening.JOINED_BY_UNRESOLVED
    cell = TABLE[state_now(target), happening]
    assert isinstance(cell, CellStep), "a merged incident takes none"  # noqa: S101 - refused before
    names = ", ".join(incident_name(source.incident_id) for source in sources)
    transition = _follow(act, target, cell)
    links = [one.terms.link for one in (target, *sources) if one.terms.link is not None]
    terms = replace(transition.terms, link=next(iter(links), None))
    return replace(transition, terms=terms, detail=f"{names} merged into it")


def _follow(act: Act, incident: IncidentState, step: CellStep) -> Transition:
    """Build the transition that a step of the table is."""
    terms = _terms_after(act, incident, step)
    status = step.after.status
    resolved_at = None
    if status is Status.RESOLVED:
        resolved_at = act.at if act.verb is Verb.RESOLVE else incident.resolved_at
    return Transition(
        incident_id=incident.incident_id,
        before=incident.status,
        after=incident.status if step.after is LifeState.MERGED else status,
        episode=incident.episode,
        resolved_at=resolved_at,
        reason=step.reason,
        actor=act.actor,
        at=act.at,
        terms=terms,
        assignment=_assignment(act.arguments),
        detail=_detail(act, terms),
        note=act.note or (act.arguments.reason if isinstance(act.arguments, MuteArguments) else ""),
    )


def _terms_after(act: Act, incident: IncidentState, step: CellStep) -> Terms:
    """Return what holds from now on: a term ends with the state that it belongs to."""
    terms, after, arguments = incident.terms, step.after, act.arguments
    if after is LifeState.MERGED:
        return Terms(link=terms.link)
    if isinstance(arguments, MuteArguments):
        terms = replace(terms, mute=_mute(arguments, act, incident))
    if isinstance(arguments, AcknowledgeArguments):
        terms = replace(terms, acknowledged_until=_until(arguments, act.at))
    if isinstance(arguments, ResolveArguments):
        terms = replace(terms, resolution=_resolution(arguments, act))
    if isinstance(arguments, LinkArguments | UnlinkArguments):
        terms = replace(terms, link=arguments.url if isinstance(arguments, LinkArguments) else None)
    return replace(
        terms,
        acknowledged_until=terms.acknowledged_until if after.status is Status.ACKNOWLEDGED else None,
        mute=terms.mute if after.is_muted else None,
        resolution=terms.resolution if after.status is Status.RESOLVED else None,
    )


def _until(arguments: AcknowledgeArguments | MuteArguments, now: datetime) -> datetime | None:
    if arguments.for_seconds is not None:
        return now + timedelta(seconds=arguments.for_seconds)
    return arguments.until


def _mute(arguments: MuteArguments, act: Act, incident: IncidentState) -> Mute:
    return Mute(
        at=act.at,
        until=_until(arguments, act.at),
        count=arguments.count,
        count_from=incident.count if arguments.count is not None else 0,
        within_seconds=arguments.within_seconds,
        next_release=arguments.next_release,
        after_release=act.newest_release if arguments.next_release else None,
        reason=arguments.reason.strip() or (act.note if arguments.for_ever else ""),
    )


def _resolution(arguments: ResolveArguments, act: Act) -> Resolution | None:
    release = act.newest_release if arguments.next_release else arguments.release
    if release is None and arguments.environment is None:
        return None
    bound = ResolutionBound.AFTER if arguments.next_release else ResolutionBound.FROM
    return Resolution(release=release, bound=bound, environment=arguments.environment)


def _assignment(arguments: Arguments) -> Assignment | None:
    if isinstance(arguments, AssignArguments):
        return Assignment(arguments.to.strip())
    return Assignment(None) if isinstance(arguments, UnassignArguments) else None


def _missing_release(act: Act) -> NotPossible | None:
    arguments = act.arguments
    if isinstance(arguments, ResolveArguments) and arguments.next_release and act.newest_release is None:
        return NotPossible("no event of its service names a release, so none is the next; resolve it now")
    return None


def _is_there(before: LifeState, step: CellStep, incident: IncidentState, transition: Transition) -> bool:
    """Return True if the verb asks for what is so already."""
    if step.after is not before or transition.terms != incident.terms:
        return False
    return transition.assignment is None or transition.assignment.to == incident.assignee


def _detail(act: Act, terms: Terms) -> str:
    told = ""
    match act.arguments:
        case AcknowledgeArguments() if terms.acknowledged_until is not None:
            told = f"until {terms.acknowledged_until.isoformat(timespec='seconds')}"
        case ResolveArguments() if terms.resolution is not None:
            told = describe_resolution(terms.resolution)
        case MuteArguments() if terms.mute is not None:
            told = describe_mute(terms.mute)
        case AssignArguments() as arguments:
            told = f"to {arguments.to.strip()}"
        case MergeArguments() as arguments:
            told = f"into {arguments.into}"
        case LinkArguments() as arguments:
            told = f"to {short_link(arguments.url, _URL_TOLD)}"
    return told


def _done(verb: Verb) -> str:
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"

"""Reads an incident's history back into the verbs that made it, and into the state at a moment of it.

A history says in words what a verb was told. Its times have no fractions of a second: a time that lies
whole minutes after the act is taken as a duration from it, and so to the microsecond.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.incident import Status, TransitionReason
from faultwire_consumer.domain.incident_name import parse_incident_id
from faultwire_consumer.domain.incident_terms import NO_TERMS, Mute, Resolution, ResolutionBound, Terms
from faultwire_consumer.domain.lifecycle.arguments import (
    AcknowledgeArguments,
    Arguments,
    AssignArguments,
    MergeArguments,
    MuteArguments,
    ReopenArguments,
    ResolveArguments,
    UnassignArguments,
    UnmergeArguments,
    UnmuteArguments,
)

_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_UNTIL: Final = re.compile(r"until (\d{4}-\S+(?: \S+)?)")
_COUNT: Final = re.compile(r"until ([\d,]+) more(?: within (\d+)([dhms]))?")
_RELEASE: Final = re.compile(r"until a release(?: after (.+))?")
_RESOLVED: Final = re.compile(r"(?:(in release|after) (.+?))?(?:(?:^| )in (\S+))?")
_QUIET: Final = re.compile(r"nothing for (\d+) days, as rule (.+) asks for")
_NAMES: Final = re.compile(r"\bINC-\d{1,18}\b")
_MINUTE: Final = timedelta(minutes=1)
_PLAIN: Final[Mapping[str, Arguments]] = {
    TransitionReason.REOPENED: ReopenArguments(),
    TransitionReason.UNMUTED: UnmuteArguments(),
    TransitionReason.UNASSIGNED: UnassignArguments(),
}


class HistoryPassage(Struct, frozen=True, kw_only=True):
    """One row of an incident's history."""

    incident_id: int
    at: datetime
    actor: str
    reason: str
    after: str
    detail: str
    note: str


class QuietDays(Struct, frozen=True):
    """The rule that resolved an incident that was quiet, and after how many days."""

    rule: str
    days: int


class ToldState(Struct, frozen=True, kw_only=True):
    """State of an incident as its history tells it."""

    status: Status = Status.OPEN
    episode: int = 1
    resolved_at: datetime | None = None
    terms: Terms = NO_TERMS
    assignee: str | None = None
    merged_into: int | None = None


def arguments_in(passage: HistoryPassage) -> Arguments | None:
    """Return what an operator asked for; None for what the worker did, or what notifies nobody otherwise."""
    arguments = _PLAIN.get(passage.reason)
    match passage.reason:
        case TransitionReason.ACKNOWLEDGED:
            arguments = AcknowledgeArguments(until=until_in(passage))
        case TransitionReason.RESOLVED:
            arguments = _resolve(resolution_in(passage.detail))
        case TransitionReason.MUTED:
            arguments = _mute(passage)
        case TransitionReason.ASSIGNED:
            arguments = AssignArguments(to=passage.detail.removeprefix("to "))
        case TransitionReason.MERGED_INTO:
            arguments = MergeArguments(into=passage.detail.removeprefix("into "))
        case TransitionReason.UNMERGED if not passage.detail:
            arguments = UnmergeArguments()
    return arguments


def quiet_days_in(passage: HistoryPassage) -> QuietDays | None:
    """Return what resolved a quiet incident; None where the history does not say it."""
    found = _QUIET.fullmatch(passage.detail)
    return QuietDays(found[2], int(found[1])) if found else None


def named_in(passage: HistoryPassage) -> list[int]:
    """List the incidents that a merge, or its undoing, names."""
    found = (parse_incident_id(name) for name in _NAMES.findall(passage.detail))
    return [one for one in found if one is not None]


def until_in(passage: HistoryPassage) -> datetime | None:
    """Return the time to which an acknowledgement or a mute was limited."""
    found = _UNTIL.fullmatch(passage.detail)
    try:
        until = datetime.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
    if until is None:
        return None
    until = until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
    at = passage.at
    is_duration = not (until - at.replace(microsecond=0)) % _MINUTE
    return until.replace(microsecond=at.microsecond) if is_duration else until


def resolution_in(detail: str) -> Resolution | None:
    """Return what a resolve was bound to; None for nothing."""
    found = _RESOLVED.fullmatch(detail)
    if not detail or found is None:
        return None
    bound = ResolutionBound.AFTER if found[1] == "after" else ResolutionBound.FROM
    return Resolution(release=found[2], bound=bound, environment=found[3])


def mute_in(passage: HistoryPassage, *, count_from: int = 0) -> Mute:
    """Return a mute as it began; one that cannot be read lasts until somebody ends it."""
    mute = Mute(at=passage.at, until=until_in(passage), reason=passage.note)
    if found := _COUNT.fullmatch(passage.detail):
        count = int(found[1].replace(",", ""))
        within = int(found[2]) * _UNITS[found[3]] if found[2] else None
        mute = replace(mute, count=count, count_from=count_from, within_seconds=within)
    elif found := _RELEASE.fullmatch(passage.detail):
        mute = replace(mute, next_release=True, after_release=found[1])
    return mute


def standing_after(passages: Iterable[HistoryPassage], *, count: int = 0) -> ToldState:
    """Return the state that the rows of a history lead to.

    Args:
        passages: the rows, in their order.
        count: the incident's count, from which a mute that waits for more of them is taken to count.
    """
    standing = ToldState()
    for passage in passages:
        standing = _settled(_follow(standing, passage, count))
    return standing


def _follow(standing: ToldState, passage: HistoryPassage, count: int) -> ToldState:
    standing = replace(standing, status=_status(passage.after) or standing.status)
    match passage.reason:
        case TransitionReason.REGRESSED:
            standing = replace(standing, episode=standing.episode + 1, terms=NO_TERMS)
        case TransitionReason.RESOLVED | TransitionReason.AUTO_RESOLVED:
            standing = replace(standing, resolved_at=passage.at)
        case TransitionReason.ASSIGNED:
            standing = replace(standing, assignee=passage.detail.removeprefix("to "))
        case TransitionReason.UNASSIGNED:
            standing = replace(standing, assignee=None)
        case TransitionReason.MERGED_INTO:
            standing = replace(standing, merged_into=next(iter(named_in(passage)), None), terms=NO_TERMS)
        case TransitionReason.UNMERGED if not passage.detail:
            standing = replace(standing, merged_into=None)
    return replace(standing, terms=_terms_after(standing.terms, passage, count))


def _terms_after(terms: Terms, passage: HistoryPassage, count: int) -> Terms:
    match passage.reason:
        case TransitionReason.RESOLVED:
            terms = replace(terms, resolution=resolution_in(passage.detail))
        case TransitionReason.ACKNOWLEDGED:
            terms = replace(terms, acknowledged_until=until_in(passage))
        case TransitionReason.MUTED:
            terms = replace(terms, mute=mute_in(passage, count_from=count))
        case TransitionReason.UNMUTED | TransitionReason.MUTE_ENDED | TransitionReason.SEVERITY_ROSE:
            terms = replace(terms, mute=None)
    return terms


def _settled(standing: ToldState) -> ToldState:
    """Return a state without the terms that belong to another status."""
    status, terms = standing.status, standing.terms
    is_resolved = status is Status.RESOLVED
    return replace(
        standing,
        resolved_at=standing.resolved_at if is_resolved else None,
        terms=replace(
            terms,
            acknowledged_until=terms.acknowledged_until if status is Status.ACKNOWLEDGED else None,
            mute=None if is_resolved else terms.mute,
            resolution=terms.resolution if is_resolved else None,
        ),
    )


def _status(text: str) -> Status | None:
    return Status(text) if text in tuple(Status) else None


def _resolve(resolution: Resolution | None) -> ResolveArguments:
    if resolution is None:
        return ResolveArguments()
    is_next = resolution.bound is ResolutionBound.AFTER and resolution.release is not None
    return ResolveArguments(
        release=None if is_next else resolution.release,
        next_release=is_next,
        environment=resolution.environment,
    )


def _mute(passage: HistoryPassage) -> MuteArguments:
    mute = mute_in(passage)
    is_bound = mute.until is not None or mute.count is not None or mute.next_release
    return MuteArguments(
        until=mute.until,
        count=mute.count,
        within_seconds=mute.within_seconds,
        next_release=mute.next_release,
        for_ever=not is_bound,
        reason=mute.reason,
    )

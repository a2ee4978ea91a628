"""An incident's state as one sentence: clauses, of which those are strong that somebody has to know."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.incident import WORKER, Status, TransitionReason
from faultwire_consumer.domain.incident_terms import describe_mute, describe_resolution
from faultwire_consumer.store.events.incidents import HistoryEntry, Incident

_OPENED = (TransitionReason.OPENED, TransitionReason.REOPENED, TransitionReason.UNMERGED)
_RESOLVED = (TransitionReason.RESOLVED, TransitionReason.AUTO_RESOLVED)


class StateClause(Struct, frozen=True, kw_only=True):
    """A part of a sentence: words, and the time that ends them."""

    text: str
    is_strong: bool = False
    at: datetime | None = None
    form: str = "ago"
    """How the time is said: ``ago``, ``since`` or ``short``."""


def state_sentence(incident: Incident, history: Sequence[HistoryEntry]) -> tuple[StateClause, ...]:
    """Return what an incident is, since when, and who did it.

    Args:
        incident: the incident.
        history: its last transitions, the newest first.
    """
    clauses = list(_of_status(incident, history))
    if incident.terms.mute is not None:
        clauses += _of_mute(incident, history)
    return tuple(clauses)


def _of_status(incident: Incident, history: Sequence[HistoryEntry]) -> Iterator[StateClause]:
    match incident.status:
        case Status.RESOLVED:
            yield from _resolved(incident, history)
        case Status.ACKNOWLEDGED:
            entry = _newest(history, TransitionReason.ACKNOWLEDGED)
            yield StateClause(text=f"acknowledged{_by(entry)},", at=entry.at if entry else None)
            if (until := incident.terms.acknowledged_until) is not None:
                yield StateClause(text="until", at=until, form="short")
            yield from _whose(incident)
        case Status.OPEN:
            yield from _open(incident, history)


def _resolved(incident: Incident, history: Sequence[HistoryEntry]) -> Iterator[StateClause]:
    entry = _newest(history, *_RESOLVED)
    terms = incident.terms.resolution
    where = f" {describe_resolution(terms)}" if terms is not None else ""
    at = entry.at if entry is not None else incident.resolved_at
    yield StateClause(text=f"resolved{where}{_by(entry)},", at=at)
    if entry is not None and entry.reason == TransitionReason.AUTO_RESOLVED and entry.detail:
        yield StateClause(text=entry.detail)


def _open(incident: Incident, history: Sequence[HistoryEntry]) -> Iterator[StateClause]:
    back = _newest(history, TransitionReason.REGRESSED)
    opened = _newest(history, *_OPENED)
    if incident.episode > 1 and back is not None and (opened is None or back.at >= opened.at):
        again = f" for the {_ordinal(incident.episode - 1)} time" if incident.episode > 2 else ""
        yield StateClause(
            text=f"came back{f' in {back.release}' if back.release else ''}{again}",
            is_strong=True,
            at=back.at,
        )
    else:
        is_again = opened is not None and opened.reason != TransitionReason.OPENED
        since = opened.at if opened is not None and is_again else incident.first_seen_at
        yield StateClause(text="open again for" if is_again else "open for", at=since, form="since")
    yield from _whose(incident)


def _whose(incident: Incident) -> Iterator[StateClause]:
    if incident.assignee:
        yield StateClause(text=f"{incident.assignee} has it")
    elif incident.status is Status.OPEN:
        yield StateClause(text="nobody has acknowledged it", is_strong=True)


def _of_mute(incident: Incident, history: Sequence[HistoryEntry]) -> Iterator[StateClause]:
    mute = incident.terms.mute
    if mute is None:
        return
    by = _by(_newest(history, TransitionReason.MUTED))
    why = f": {mute.reason}" if mute.reason else ""
    if mute.until is not None:
        yield StateClause(text=f"muted{by} until", is_strong=True, at=mute.until, form="short")
        if mute.reason:
            yield StateClause(text=mute.reason)
    else:
        yield StateClause(text=f"muted {describe_mute(mute)}{by}{why}", is_strong=True)


def _newest(history: Sequence[HistoryEntry], *reasons: TransitionReason) -> HistoryEntry | None:
    return next((entry for entry in history if entry.reason in reasons), None)


def _by(entry: HistoryEntry | None) -> str:
    return f" by {entry.actor}" if entry is not None and entry.actor != WORKER else ""


def _ordinal(number: int) -> str:
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"

"""The table of an incident's life: what each happening, and each verb, does in each of its states.

Every cell is written down: what nothing becomes of as well, and what is refused with the verb that would do.
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import Status, TransitionReason, Verb


class LifeState(StrEnum):
    """A status with the mute beside it; an incident that was merged into another has no status of its own."""

    OPEN = "open"
    OPEN_MUTED = "open, muted"
    ACKNOWLEDGED = "acknowledged"
    ACKNOWLEDGED_MUTED = "acknowledged, muted"
    RESOLVED = "resolved"
    MERGED = "merged"

    @property
    def status(self) -> Status:
        """Return the status in it; a merged incident's is that which it comes back with."""
        return Status.OPEN if self is LifeState.MERGED else Status(self.partition(",")[0])

    @property
    def is_muted(self) -> bool:
        """Return True if notifications of it are held back."""
        return self in (LifeState.OPEN_MUTED, LifeState.ACKNOWLEDGED_MUTED)


class Happening(StrEnum):
    """Something that occurs to an incident without an operator, as far as its state depends on it."""

    CAME = "an event came"
    """Also one that the resolve covers: it occurred before it, elsewhere, or in an older release."""
    CAME_AGAIN = "an event came that the resolve does not cover"
    ROSE = "an event more severe than all before came"
    ACKNOWLEDGE_OVER = "an event came after the acknowledgement's time"
    MUTE_OVER = "an event came that ends the mute"
    QUIET = "nothing came for as long as a rule asks for"
    JOINED = "an incident was merged into it"
    JOINED_BY_UNRESOLVED = "an unresolved incident was merged into it"
    JOINED_BY_WORSE = "an unresolved incident that is more severe was merged into it"


class CellStep(Struct, frozen=True):
    """A state that follows, and the reason that the history gives."""

    after: LifeState
    reason: TransitionReason


class CellNothing(Struct, frozen=True):
    """The state stays, and nothing is written."""


class CellRefusal(Struct, frozen=True):
    """The verb does not fit the state."""

    why: str


Cell = CellStep | CellNothing | CellRefusal
Cause = Happening | Verb

STAYS: Final = CellNothing()
_FIRST: Final = CellRefusal("a resolved incident cannot be {done}; reopen it first")
_NOT_MERGED: Final = CellRefusal("it was not merged into another incident")
_AWAY: Final = CellRefusal("it was merged into {into}; act on that one, or unmerge this one first")

O, OM, A, AM, R, M = LifeState  # noqa: E741 - the table's columns, side by side
_T = TransitionReason


def _row(*cells: Cell) -> Mapping[LifeState, Cell]:
    return dict(zip((O, OM, A, AM, R), cells, strict=True))


def _same(reason: TransitionReason) -> Mapping[LifeState, Cell]:
    """Build the row of what changes no state."""
    return {state: CellStep(state, reason) for state in (O, OM, A, AM, R)}


def _to(after: LifeState, reason: TransitionReason) -> CellStep:
    return CellStep(after, reason)


_LIVING: Final[Mapping[Cause, Mapping[LifeState, Cell]]] = {
    Happening.CAME: _row(STAYS, STAYS, STAYS, STAYS, STAYS),
    Happening.CAME_AGAIN: _row(STAYS, STAYS, STAYS, STAYS, _to(O, _T.REGRESSED)),
    # No mute outlives a rise: what was muted is the fault as severe as it was then.
    Happening.ROSE: _row(
        STAYS, _to(O, _T.SEVERITY_ROSE), _to(O, _T.SEVERITY_ROSE), _to(O, _T.SEVERITY_ROSE), STAYS
    ),
    Happening.ACKNOWLEDGE_OVER: _row(
        STAYS, STAYS, _to(O, _T.ACKNOWLEDGE_ENDED), _to(OM, _T.ACKNOWLEDGE_ENDED), STAYS
    ),
    Happening.MUTE_OVER: _row(STAYS, _to(O, _T.MUTE_ENDED), STAYS, _to(A, _T.MUTE_ENDED), STAYS),
    # Muted ones are left as they are: resolved, they would tell of themselves when they come back.
    Happening.QUIET: _row(_to(R, _T.AUTO_RESOLVED), STAYS, _to(R, _T.AUTO_RESOLVED), STAYS, STAYS),
    Happening.JOINED: _same(_T.MERGED),
    Happening.JOINED_BY_UNRESOLVED: {**_same(_T.MERGED), R: _to(O, _T.MERGED)},
    Happening.JOINED_BY_WORSE: {state: _to(O, _T.MERGED) for state in (O, OM, A, AM, R)},
    Verb.ACKNOWLEDGE: _row(
        _to(A, _T.ACKNOWLEDGED),
        _to(AM, _T.ACKNOWLEDGED),
        _to(A, _T.ACKNOWLEDGED),
        _to(AM, _T.ACKNOWLEDGED),
        _FIRST,
    ),
    Verb.RESOLVE: {state: _to(R, _T.RESOLVED) for state in (O, OM, A, AM, R)},
    Verb.REOPEN: _row(STAYS, STAYS, _to(O, _T.REOPENED), _to(OM, _T.REOPENED), _to(O, _T.REOPENED)),
    Verb.MUTE: _row(_to(OM, _T.MUTED), _to(OM, _T.MUTED), _to(AM, _T.MUTED), _to(AM, _T.MUTED), _FIRST),
    Verb.UNMUTE: _row(STAYS, _to(O, _T.UNMUTED), STAYS, _to(A, _T.UNMUTED), STAYS),
    Verb.ASSIGN: _same(_T.ASSIGNED),
    Verb.UNASSIGN: _same(_T.UNASSIGNED),
    Verb.COMMENT: _same(_T.COMMENTED),
    Verb.LINK: _same(_T.LINKED),
    Verb.UNLINK: _same(_T.UNLINKED),
    Verb.MERGE: {state: _to(M, _T.MERGED_INTO) for state in (O, OM, A, AM, R)},
    Verb.UNMERGE: _row(_NOT_MERGED, _NOT_MERGED, _NOT_MERGED, _NOT_MERGED, _NOT_MERGED),
}
_MERGED: Final[Mapping[Cause, Cell]] = {
    **dict.fromkeys(Happening, STAYS),
    **dict.fromkeys(Verb, _AWAY),
    Verb.UNMERGE: _to(O, _T.UNMERGED),
}

TABLE: Final[Mapping[tuple[LifeState, Cause], Cell]] = {
    **{(state, cause): cell for cause, row in _LIVING.items() for state, cell in row.items()},
    **{(M, cause): cell for cause, cell in _MERGED.items()},
}
"""Every state with every cause.

A verb's step to the state that is there already is taken only if something else changes with it: the
time of an acknowledgement, the release of a resolve, who has it, its link.
"""


def state_of(status: Status, *, is_muted: bool, is_merged: bool = False) -> LifeState:
    """Return the state of an incident; a resolved one has no mute."""
    if is_merged:
        return LifeState.MERGED
    if status is Status.RESOLVED:
        return LifeState.RESOLVED
    if status is Status.ACKNOWLEDGED:
        return LifeState.ACKNOWLEDGED_MUTED if is_muted else LifeState.ACKNOWLEDGED
    return LifeState.OPEN_MUTED if is_muted else LifeState.OPEN


def causes() -> Iterator[Cause]:
    """Yield everything that a state may have to answer to."""
    yield from Happening
    yield from Verb

"""A stack trace as the page shows it: our own frames open, library frames folded away, all of it bounded."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby, islice
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.report.trace import qualified_type
from faultwire_consumer.domain.report.variable import spell_variables
from faultwire_consumer.web.page.incident.source import SourceLine, view_source
from faultwire_shared.event import ExceptionInfo, Frame, Scalar

RAISED: Final = "Raised"
CAUSED_BY: Final = "Caused by"
LED_TO: Final = "Led to"
LOGGED: Final = "Logged"
"""What has a stack and no type is a message."""
_MEMBER_DEPTH: Final = 5
_EXCEPTIONS: Final = 40
"""The most exceptions of an event, with those that groups hold."""
_FRAMES: Final = 120
"""The most calls of all of them: half of an exception's share at its crash, half where it began."""
_VALUE_CHARACTERS: Final = 1_000
_NOTES: Final = 20
_ATTRIBUTES: Final = 20


class TraceOrder(StrEnum):
    """The order of calls and causes."""

    CRASH_FIRST = "crash-first"
    PYTHON = "python"
    """As Python prints it: the cause first, and the crash last."""


class FrameView(Struct, frozen=True, kw_only=True):
    """One call."""

    place: str
    function: str
    in_app: bool
    source: tuple[SourceLine, ...]
    link: str | None
    """Where its line is to be read, if that is known."""
    variables: tuple[tuple[str, str], ...]


class Fold(Struct, frozen=True):
    """Calls that stand together: open where they are ours, folded where they are a library's."""

    folded: bool
    frames: tuple[FrameView, ...]


class ExceptionView(Struct, frozen=True, kw_only=True):
    """One exception of a chain with its calls."""

    relation: str
    type: str
    value: str
    notes: tuple[str, ...]
    attributes: dict[str, Scalar]
    folds: tuple[Fold, ...]
    left_out: int
    """Calls between those that are shown."""
    members: tuple[tuple["ExceptionView", ...], ...]
    more_members: int


LinkOf = Callable[[Frame], str | None]


def no_link(_: Frame) -> None:
    """Say that nobody knows where a call's line is to be read."""


class _Room:
    """The room that is left for exceptions and calls, however they are nested."""

    def __init__(self) -> None:
        self.exceptions = _EXCEPTIONS
        self.frames = _FRAMES

    def takes_exception(self) -> bool:
        self.exceptions -= 1
        return self.exceptions >= 0

    def take_frames(self, wanted: int) -> int:
        """Take room for calls, and return for how many there was."""
        given = min(wanted, self.frames)
        self.frames -= given
        return given


def view_chain(
    chain: Sequence[ExceptionInfo],
    *,
    order: TraceOrder = TraceOrder.CRASH_FIRST,
    link_of: LinkOf = no_link,
) -> tuple[ExceptionView, ...]:
    """Return a chain of exceptions in an order; what is beyond the bounds is counted."""
    return tuple(_view_chain(chain, order, link_of, _Room(), 0))


def _view_chain(
    chain: Sequence[ExceptionInfo], order: TraceOrder, link_of: LinkOf, room: _Room, depth: int
) -> Iterator[ExceptionView]:
    taken = [error for error in chain if room.takes_exception()]
    views = []
    for position, error in enumerate(taken):
        members = error.members if depth < _MEMBER_DEPTH else []
        kept, left_out = _within(error.frames, room)
        shown = [tuple(_view_chain(member, order, link_of, room, depth + 1)) for member in members]
        views.append(
            ExceptionView(
                relation=_relation(position, len(taken), order) if error.type else LOGGED,
                type=qualified_type(error),
                value=error.value,
                notes=tuple(error.notes[:_NOTES]),
                attributes=dict(islice(error.attributes.items(), _ATTRIBUTES)),
                folds=tuple(_folds(kept, order, link_of)),
                left_out=left_out,
                members=tuple(filter(None, shown)),
                more_members=len(error.members) - sum(map(bool, shown)),
            )
        )
    yield from reversed(views) if order is TraceOrder.PYTHON else views


def _relation(position: int, length: int, order: TraceOrder) -> str:
    if order is TraceOrder.CRASH_FIRST:
        return CAUSED_BY if position else RAISED
    return RAISED if position == length - 1 else LED_TO


def _within(frames: Sequence[Frame], room: _Room) -> tuple[Sequence[Frame], int]:
    """Return the calls that there is room for: of very many those where it began, and those at the crash."""
    given = room.take_frames(len(frames))
    if given == len(frames):
        return frames, 0
    outer = given // 2
    inner = given - outer
    return [*frames[:outer], *frames[len(frames) - inner :]], len(frames) - given


def _folds(frames: Sequence[Frame], order: TraceOrder, link_of: LinkOf) -> Iterator[Fold]:
    any_ours = any(frame.in_app for frame in frames)
    ordered = frames if order is TraceOrder.PYTHON else list(reversed(frames))
    for in_app, together in groupby(ordered, key=lambda frame: frame.in_app):
        yield Fold(any_ours and not in_app, tuple(_view(frame, link_of) for frame in together))


def _view(frame: Frame, link_of: LinkOf) -> FrameView:
    file = frame.file or frame.module or "?"
    is_python = file.endswith((".py", ".pyw", ".ipynb")) or "." not in file.rpartition("/")[2]
    return FrameView(
        place=f"{file}:{frame.line}" if frame.line else file,
        function=frame.qualname,
        in_app=frame.in_app,
        source=view_source(frame.line, frame.context, is_python=is_python),
        link=link_of(frame),
        variables=tuple(spell_variables(frame.vars, most=_VALUE_CHARACTERS)),
    )

"""A stack trace as the page shows it: the crash first, our own frames open, library frames folded away."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.report.trace import qualified_type
from faultwire_shared.event import ExceptionInfo, Frame, Scalar

RAISED: Final = "Raised"
CAUSED_BY: Final = "Caused by"
_MEMBER_DEPTH: Final = 5


class SourceLine(Struct, frozen=True):
    """A source line; the one that ran is marked."""

    number: int | None
    text: str
    ran: bool


class FrameView(Struct, frozen=True, kw_only=True):
    """One call."""

    place: str
    function: str
    in_app: bool
    source: tuple[SourceLine, ...]


class Fold(Struct, frozen=True):
    """Calls that stand together: open where they are ours, folded where they are a library's."""

    folded: bool
    frames: tuple[FrameView, ...]


class ExceptionView(Struct, frozen=True, kw_only=True):
    """One exception of a chain, with its calls from the crash outwards."""

    relation: str
    type: str
    value: str
    notes: tuple[str, ...]
    attributes: dict[str, Scalar]
    folds: tuple[Fold, ...]
    members: tuple[tuple["ExceptionView", ...], ...]


def view_chain(chain: Sequence[ExceptionInfo], *, depth: int = 0) -> tuple[ExceptionView, ...]:
    """A chain of exceptions: the one raised, then what caused it."""
    return tuple(
        ExceptionView(
            relation=CAUSED_BY if position else RAISED,
            type=qualified_type(error),
            value=error.value,
            notes=tuple(error.notes),
            attributes=error.attributes,
            folds=tuple(_folds(error.frames)),
            members=tuple(
                view_chain(member, depth=depth + 1) for member in error.members if depth < _MEMBER_DEPTH
            ),
        )
        for position, error in enumerate(chain)
    )


def _folds(frames: Sequence[Frame]) -> Iterator[Fold]:
    any_ours = any(frame.in_app for frame in frames)
    for in_app, together in groupby(reversed(frames), key=lambda frame: frame.in_app):
        yield Fold(any_ours and not in_app, tuple(_view(frame) for frame in together))


def _view(frame: Frame) -> FrameView:
    place = f"{frame.file or frame.module or '?'}:{frame.line}" if frame.line else frame.file or frame.module
    return FrameView(
        place=place, function=frame.qualname, in_app=frame.in_app, source=_source(frame.line, frame.context)
    )


def _source(line: int, context: Sequence[str]) -> tuple[SourceLine, ...]:
    """Number the source lines: the line that ran is in the middle."""
    middle = len(context) // 2
    first = line - middle
    return tuple(
        SourceLine(first + offset if line and first + offset > 0 else None, text, offset == middle)
        for offset, text in enumerate(context)
    )

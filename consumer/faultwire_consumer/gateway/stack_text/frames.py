"""Bounded exceptions and frames, which the readers of all languages make."""

from collections.abc import Sequence
from typing import Final, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from faultwire_consumer.gateway.in_app import is_own_code
from faultwire_shared.event import FRAMES, NAME_CHARACTERS, STRING_CHARACTERS, ExceptionInfo, Frame

T = TypeVar("T")

OUTER_FRAMES: Final = 25
"""Outermost calls that are kept of a deeper stack, as the client does; the others are at the crash."""
CHAIN: Final = 20
"""Exceptions from the one raised to its root cause, at most."""
MEMBERS: Final = 50
"""Members of one group, at most."""
GROUP_DEPTH: Final = 3
KNOWN_FRAMES: Final = 1000
"""Lines of stacks that are remembered with the frame that each is, for each language."""
_FILE_CHARACTERS: Final = 400
_LINE_DIGITS: Final = 9


class Raised(Struct):
    """An exception while it is read."""

    type: str = ""
    module: str = ""
    value: list[str] = field(default_factory=list)
    """Its lines."""
    frames: list[Frame] = field(default_factory=list)
    """From the outermost call to the crash."""
    members: list[list["Raised"]] = field(default_factory=list)


def make_frame(
    path: str, line: int, *, module: str, name: str, language: str, shown: str | None = None
) -> Frame:
    """Build a frame within its bounds.

    Args:
        path: its file as it was printed; whose code it is, is told by where that lies.
        line: 0 where it is not known.
        module: empty where it is not known.
        name: of the function.
        language: as `is_own_code` knows it.
        shown: its file as it is stored; as it was printed if not given.
    """
    return Frame(
        file=(path if shown is None else shown)[:_FILE_CHARACTERS],
        module=module[:NAME_CHARACTERS],
        qualname=name[:NAME_CHARACTERS],
        line=line,
        in_app=is_own_code(path, module, language),
    )


def with_source(frame: Frame, source: str) -> Frame:
    """Add the line that ran."""
    return replace(frame, context=[source[:STRING_CHARACTERS]])


def finish(chain: Sequence[Raised], depth: int = 0) -> list[ExceptionInfo]:
    """Build what is stored of a chain, the raised exception first; what is beyond the bounds is left out.

    Of a longer chain the root cause is kept: it is what groups.
    """
    kept = chain if len(chain) <= CHAIN else [*chain[: CHAIN - 1], chain[-1]]
    return [_finished(one, depth) for one in kept]


def line_number(digits: str) -> int:
    """Read a line's number; 0 where there is none."""
    plain = digits.isascii() and digits.isdigit() and len(digits) <= _LINE_DIGITS
    return int(digits) if plain else 0


def _finished(one: Raised, depth: int) -> ExceptionInfo:
    members = one.members[:MEMBERS] if depth < GROUP_DEPTH else []
    return ExceptionInfo(
        type=one.type[:NAME_CHARACTERS],
        module=one.module[:NAME_CHARACTERS],
        value="\n".join(one.value).strip("\n"),
        frames=both_ends(one.frames),
        members=[finish(member, depth + 1) for member in members if member],
    )


def both_ends(calls: list[T]) -> list[T]:
    """Keep both ends of a deep stack."""
    if len(calls) <= FRAMES:
        return calls
    return calls[:OUTER_FRAMES] + calls[OUTER_FRAMES - FRAMES :]

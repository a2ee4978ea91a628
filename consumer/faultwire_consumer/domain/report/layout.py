"""The layout of a report: sections by importance, within a number of characters, and what did not fit."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

CHARACTERS: Final = 20_000
"""The size of a report where nothing else is asked for: some 6,000 tokens."""
CHARACTERS_LEAST: Final = 2_000
CHARACTERS_MOST: Final = 200_000
_ROOM_FOR_THE_REST: Final = 400


class Section(Struct, frozen=True):
    """A heading with what stands below it, as blocks that are taken from the first to the last."""

    heading: str
    blocks: tuple[str, ...]


def assemble(head: Sequence[str], sections: Sequence[Section], *, most: int) -> str:
    """Put a report together.

    A section that does not fit is shortened by its last blocks, and what is missing is named at the end.
    """
    parts = list(head)
    room = most - sum(len(part) + 2 for part in parts) - _ROOM_FOR_THE_REST
    missing = []
    for section in sections:
        if not section.blocks:
            continue
        taken = _that_fit(section, room)
        if taken:
            parts += [f"## {section.heading}", *taken]
            room -= _length(section.heading, taken)
        if len(taken) < len(section.blocks):
            missing.append(section.heading.lower())
    if missing:
        parts.append(f"(Cut at {most} characters, not whole: {', '.join(missing)}.)")
    return "\n\n".join(parts)[:most] + "\n"


def _that_fit(section: Section, room: int) -> tuple[str, ...]:
    for count in range(len(section.blocks), 0, -1):
        blocks = section.blocks[:count]
        if _length(section.heading, blocks) <= room:
            return blocks
    return ()


def _length(heading: str, blocks: Sequence[str]) -> int:
    return len(heading) + 5 + sum(len(block) + 2 for block in blocks)

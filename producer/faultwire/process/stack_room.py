"""Room on the stack: what must not be left half done is begun only where it cannot run out midway."""

from typing import Final

LEVELS: Final = 16
"""Calls below its own that numbering, counting and buffering an event need, with room to spare."""


def need_room(levels: int = LEVELS) -> None:
    """Make sure that calls may go so much deeper here.

    Raises:
        RecursionError: they may not; nothing has been begun.
    """
    if levels:
        need_room(levels - 1)

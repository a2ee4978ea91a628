"""The calls of a traceback as numbers, by which is found what was made of the very same calls before.

One walk for all who look: in a caller's path each of them took as long as the rest of its work.
"""

from types import CodeType, TracebackType
from typing import Final

CALLS: Final = 100
"""Calls of a trail at most; what goes deeper is read call by call."""
TRAILS: Final = 512
"""Trails that are remembered in one place at most: about a kilobyte each, and what was made of it."""
_NUMBERS: Final = 3

Trail = tuple[int, ...]
"""The address of each call's code, its instruction and its line. Whoever remembers one holds its codes."""


def trail_of(trace: TracebackType | None) -> Trail | None:
    """Return the calls from the outermost to the crash; None where there are none, or too many."""
    steps: list[int] = []
    while trace is not None:
        steps += (id(trace.tb_frame.f_code), trace.tb_lasti, trace.tb_lineno)
        trace = trace.tb_next
        if len(steps) > _NUMBERS * CALLS:
            return None
    return tuple(steps) if steps else None


def codes_of(trace: TracebackType | None) -> tuple[CodeType, ...]:
    """Return the codes of a traceback, to hold: as long as they live their addresses are their own."""
    codes: list[CodeType] = []
    while trace is not None:
        codes.append(trace.tb_frame.f_code)
        trace = trace.tb_next
    return tuple(codes)

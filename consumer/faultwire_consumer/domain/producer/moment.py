"""Gaps of several producers that opened together: they have one cause, and it is no producer's own."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

SEVERAL: Final = 3
"""Producers whose gaps opened together; those of fewer may be chance."""
TOGETHER: Final = timedelta(seconds=60)
"""The longest time between one such gap and the next: clients report their numbers every 30 seconds."""


class CommonMoment(Struct, frozen=True):
    """A time in which the gaps of several producers opened."""

    begins: datetime
    ends: datetime


def shared_moments(opened: Sequence[tuple[datetime, str]]) -> list[CommonMoment]:
    """Find the moments that several producers share.

    Args:
        opened: when each open gap was opened, and of which producer, in the order of time.
    """
    return [
        CommonMoment(together[0][0], together[-1][0])
        for together in _runs(opened)
        if len({producer for _, producer in together}) >= SEVERAL
    ]


def moment_of(opened_at: datetime, moments: Sequence[CommonMoment]) -> CommonMoment | None:
    """Return the shared moment in which a gap was opened."""
    return next((one for one in moments if one.begins <= opened_at <= one.ends), None)


def _runs(opened: Sequence[tuple[datetime, str]]) -> Iterator[list[tuple[datetime, str]]]:
    run: list[tuple[datetime, str]] = []
    for one in opened:
        if run and one[0] - run[-1][0] > TOGETHER:
            yield run
            run = []
        run.append(one)
    if run:
        yield run

"""Charts: counts of steps of time as bars with marks, in the coordinates of a picture without a script."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

HOUR: Final = timedelta(hours=1)
_LEAST: Final = 3
"""The height of a step that had any: it never looks empty."""


class Bar(Struct, frozen=True, kw_only=True):
    """One step of time."""

    x: int
    y: int
    width: int
    height: int
    at: datetime
    count: int
    is_recent: bool


class ChartMark(Struct, frozen=True):
    """A moment with a name, as a release that began."""

    x: int
    label: str
    at: datetime


class Chart(Struct, frozen=True, kw_only=True):
    """Bars from the oldest to the one that runs, and what they add up to."""

    width: int
    height: int
    bars: tuple[Bar, ...]
    marks: tuple[ChartMark, ...]
    total: int
    most: int
    step_seconds: int


def first_step(now: datetime, *, steps: int, hours: int = 1) -> datetime:
    """Return the beginning of a chart whose last step runs now; steps begin as hours of the day do."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    return hour - (hour.hour % hours) * HOUR - (steps - 1) * hours * HOUR


def draw_chart(
    counts: Mapping[datetime, int],
    *,
    now: datetime,
    steps: int = 24,
    hours: int = 1,
    bar: int = 10,
    height: int = 48,
    marks: Sequence[tuple[datetime, str]] = (),
    recent: int = 2,
) -> Chart:
    """Draw counts by the hour.

    Args:
        counts: events of each hour that had any; those before the first step are passed over.
        now: lies in the last step.
        steps: number of bars.
        hours: length of a step.
        bar: width of a bar with its gap, in the picture's coordinates; at least 2.
        height: of the tallest bar.
        marks: moments and their names; those outside the chart are passed over.
        recent: the last steps that are shown as the present.
    """
    start, length = first_step(now, steps=steps, hours=hours), hours * HOUR
    sums = [0] * steps
    for hour, count in counts.items():
        position = (hour - start) // length
        if 0 <= position < steps:
            sums[position] += count
    most = max(sums, default=0)
    gap = 2 if bar >= 8 else 1
    return Chart(
        width=steps * bar,
        height=height,
        bars=tuple(
            Bar(
                x=position * bar + gap // 2,
                y=height - tall,
                width=bar - gap,
                height=tall,
                at=start + position * length,
                count=count,
                is_recent=position >= steps - recent,
            )
            for position, count in enumerate(sums)
            for tall in [max(_LEAST, round(height * count / most)) if count else 0]
        ),
        marks=tuple(
            ChartMark(round((at - start) / length * bar), label, at)
            for at, label in marks
            if timedelta() <= at - start <= steps * length
        ),
        total=sum(sums),
        most=most,
        step_seconds=round(length.total_seconds()),
    )

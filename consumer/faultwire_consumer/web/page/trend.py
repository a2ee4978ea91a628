"""Counts for each of the last hours, as the bars of a small chart that a screen reader can read too."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

HOURS: Final = 24
BAR: Final = 10
HEIGHT: Final = 48


class Bar(Struct, frozen=True):
    """One hour of the chart, in its coordinates."""

    x: int
    y: int
    height: int
    hour: datetime
    count: int


class Trend(Struct, frozen=True):
    """The bars and what they add up to."""

    bars: tuple[Bar, ...]
    total: int
    most: int


def first_hour(now: datetime) -> datetime:
    """The hour with which the chart begins."""
    return now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)


def draw_trend(counts: Mapping[datetime, int], *, now: datetime) -> Trend:
    """The chart of the last hours; an hour that had any never looks empty."""
    start = first_hour(now)
    hours = [start + timedelta(hours=offset) for offset in range(HOURS)]
    most = max((counts.get(hour, 0) for hour in hours), default=0)
    bars = []
    for position, hour in enumerate(hours):
        count = counts.get(hour, 0)
        height = max(3, round(HEIGHT * count / most)) if count else 0
        bars.append(Bar(position * BAR, HEIGHT - height, height, hour, count))
    return Trend(tuple(bars), sum(bar.count for bar in bars), most)

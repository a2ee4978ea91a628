"""Every ratio of a run beside its goal: printed at once, kept as lines of JSON, and rendered as one table.

``make bench`` gathers figures in ``build/bench/figures.jsonl``; ``make report`` puts the newest of each
into README.md, between its two markers, in the place of what stood there under the same name. What missed
its goal says so, in both.
"""

import os
import re
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct, field

ROOT: Final = Path(__file__).parents[2]
FIGURES: Final = ROOT / "build" / "bench" / "figures.jsonl"
README: Final = Path(__file__).with_name("README.md")
MARKERS: Final = ("<!-- figures -->", "<!-- end of figures -->")

_HEAD: Final = ("| figure | median (min to max) | goal | | behind it |", "|---|---|---|---|---|")
_GOAL: Final = re.compile(r"(at least|at most|under) ([\d.,]+)")
_BUSY: Final = 0.5
"""Runnable processes before a part began, above which the machine was not its own."""


class Figure(Struct, frozen=True, kw_only=True):
    """One figure of one run: a ratio of medians, or what stands in its text."""

    text: str
    goal: str
    values: list[float]
    seen: dict[str, list[float]] = field(default_factory=dict)
    """Rates or times behind the ratio, by name and unit."""
    taken_at: float
    load: float
    """The machine's load average over the minute before the part began."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_missed(self) -> bool:
        """Whether the median lies on the wrong side of the goal; False where there is none."""
        match = _GOAL.match(self.goal)
        if match is None:
            return False
        limit = float(match[2].rstrip(".,").replace(",", ""))
        if match[1] == "at least":
            return self.median < limit
        return self.median > limit if match[1] == "at most" else self.median >= limit

    @property
    def is_busy(self) -> bool:
        return self.load > _BUSY

    def __str__(self) -> str:
        low, high, rounds = min(self.values), max(self.values), len(self.values)
        spread = f"{_short(self.median)} (min {_short(low)}, max {_short(high)}, {rounds} rounds)"
        return f"{self.text}: {spread}; goal: {self.goal}{'; MISSED' if self.is_missed else ''}"


_started_load: Final = os.getloadavg()[0]


def report(
    text: str,
    goal: str,
    values: Sequence[float],
    seen: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Print a figure beside its goal and keep it.

    Args:
        text: what was measured; its first word names the part, as in ``K1``.
        goal: ``at least``, ``at most`` or ``under`` with a number first, or ``none``.
        values: one for each round.
        seen: what the ratio was made of.
    """
    figure = Figure(
        text=text,
        goal=goal,
        values=list(values),
        seen={name: list(each) for name, each in (seen or {}).items()},
        taken_at=time.time(),
        load=_started_load,
    )
    print(figure)
    FIGURES.parent.mkdir(parents=True, exist_ok=True)
    with FIGURES.open("ab") as lines:
        lines.write(msgspec.json.encode(figure) + b"\n")
    return figure


def newest(lines: Iterable[bytes]) -> list[Figure]:
    """The newest figure of each text, in the order of their parts."""
    found: dict[str, Figure] = {}
    for line in lines:
        figure = msgspec.json.decode(line, type=Figure)
        found[figure.text] = figure
    return sorted(found.values(), key=lambda figure: _order(figure.text))


def render(figures: Iterable[Figure], before: str = "") -> str:
    """A table in Markdown: these figures, and those of a table before that they do not replace."""
    rows = {row.split(" | ", 1)[0].removeprefix("| "): row for row in before.splitlines()[len(_HEAD) :]}
    rows |= {figure.text: _row(figure) for figure in figures}
    return "\n".join([*_HEAD, *(rows[text] for text in sorted(rows, key=_order))])


def _row(figure: Figure) -> str:
    spread = f"{_short(figure.median)} ({_span(figure.values)})"
    return f"| {figure.text} | {spread} | {figure.goal} | {_verdict(figure)} | {_behind(figure)} |"


def _verdict(figure: Figure) -> str:
    met = "" if _GOAL.match(figure.goal) is None else "**missed**" if figure.is_missed else "met"
    return ", ".join(filter(None, (met, "on a busy machine" if figure.is_busy else "")))


def _behind(figure: Figure) -> str:
    return "; ".join(
        f"{name} {_short(values[0])}" if len(values) == 1 else f"{name} {_span(values)}"
        for name, values in figure.seen.items()
    )


def _span(values: Sequence[float]) -> str:
    return "one round" if len(values) == 1 else f"{_short(min(values))} to {_short(max(values))}"


def _order(text: str) -> tuple[int, str]:
    part = text.split(" ", 1)[0]
    parts = ("K", "L", "W", "F", "G", "S", "C", "P", "M")
    is_part = re.fullmatch(r"[A-Z]\d[a-z]?", part) is not None and part[0] in parts
    return (parts.index(part[0]), part) if is_part else (len(parts), "")


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1_000 else f"{number:.3g}"


def main() -> None:
    """Write the newest figures into the README, between the markers."""
    figures = newest(FIGURES.read_bytes().splitlines())
    before, _, rest = README.read_text().partition(MARKERS[0])
    table, _, after = rest.partition(MARKERS[1])
    README.write_text(f"{before}{MARKERS[0]}\n{render(figures, table.strip())}\n{MARKERS[1]}{after}")
    missed = [figure for figure in figures if figure.is_missed]
    print(f"{len(figures)} figures, {len(missed)} of them missed their goals")
    for figure in missed:
        print(figure)


if __name__ == "__main__":
    main()

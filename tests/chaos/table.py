"""The table of runs: a row for each, in the page that says how they are repeated."""

from pathlib import Path
from typing import Final

from tests.chaos.run import Result

COLUMNS: Final = (
    "seed",
    "world",
    "seconds",
    "faults",
    "kinds",
    "processes",
    "errors",
    "seen accepted",
    "stored",
    "told (again)",
    "verdict",
)
HEAD: Final = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def add_row(path: Path, result: Result) -> None:
    """Append the run; a new file begins with the table's head."""
    if not path.exists():
        path.write_text(HEAD)
    with path.open("a") as table:
        table.write(row_of(result))


def row_of(result: Result) -> str:
    """The run in one line."""
    verdict = "; ".join(result.violations).replace("|", "/") or "kept"
    cells = (
        result.order.seed,
        result.order.world.name,
        f"{result.order.seconds:g}",
        len(result.faults),
        result.kinds,
        result.processes,
        result.handed_over,
        result.accepted,
        result.stored,
        f"{result.told} ({result.told_again})",
        verdict,
    )
    return f"| {' | '.join(map(str, cells))} |\n"

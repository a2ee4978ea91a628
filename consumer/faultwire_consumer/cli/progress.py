"""Progress bars for what takes long: on a terminal alone, and on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from faultwire_consumer.cli.option import LocalOutput


@contextmanager
def progress_bars(output: LocalOutput, *, unit: str = "") -> Iterator[Progress]:
    """Bars that go away at the end; nothing is shown if stderr is not a terminal.

    Args:
        output: says whether to be quiet or without colours.
        unit: what is counted where it is not rows of a known number: ``bytes``, or ``count`` for what has
            no end that is known.
    """
    console = Console(stderr=True, no_color=output.no_color or None, markup=False)
    name, bar, share = Progress.get_default_columns()[:3]
    columns: list[str | ProgressColumn] = [name, bar]
    match unit:
        case "count":
            columns += [TextColumn("{task.completed:,.0f}"), TimeElapsedColumn()]
        case "bytes":
            columns += [share, DownloadColumn(), TimeRemainingColumn()]
        case _:
            columns += [share, MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(
        *columns, console=console, disable=output.quiet or not console.is_terminal, transient=True
    ) as progress:
        yield progress

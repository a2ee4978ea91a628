"""Progress bars for what takes long: on a terminal alone, and on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from faultwire_consumer.cli.option import Output

if TYPE_CHECKING:
    from rich.progress import Progress


@contextmanager
def progress_bars(output: Output, *, unit: str = "") -> "Iterator[Progress]":
    """Bars that go away at the end; nothing is shown where stderr is no terminal.

    Args:
        output: says whether to be quiet or without colours.
        unit: what is counted where it is not rows of a known number: ``bytes``, or ``count`` for what has
            no end that is known.
    """
    from rich import progress as rich  # noqa: PLC0415 - with what follows, too slow for every command
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True, no_color=output.no_color or None, markup=False)
    name, bar, share = rich.Progress.get_default_columns()[:3]
    columns: list[str | rich.ProgressColumn] = [name, bar]
    match unit:
        case "count":
            columns += [rich.TextColumn("{task.completed:,.0f}"), rich.TimeElapsedColumn()]
        case "bytes":
            columns += [share, rich.DownloadColumn(), rich.TimeRemainingColumn()]
        case _:
            columns += [share, rich.MofNCompleteColumn(), rich.TimeRemainingColumn()]
    with rich.Progress(
        *columns, console=console, disable=output.quiet or not console.is_terminal, transient=True
    ) as progress:
        yield progress

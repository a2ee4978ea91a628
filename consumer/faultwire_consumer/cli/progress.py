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
        unit: what is counted; ``B`` for bytes.
    """
    from rich.console import Console  # noqa: PLC0415 - with what follows, too slow for every command
    from rich.progress import (  # noqa: PLC0415
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, no_color=output.no_color or None, markup=False)
    amount = DownloadColumn() if unit == "B" else MofNCompleteColumn()
    columns = (*Progress.get_default_columns()[:-1], amount, TimeRemainingColumn())
    with Progress(
        *columns, console=console, disable=output.quiet or not console.is_terminal, transient=True
    ) as progress:
        yield progress

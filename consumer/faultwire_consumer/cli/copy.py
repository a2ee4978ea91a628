"""``faultwire db copy``: everything that one database holds, into another one."""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress

from faultwire_consumer.cli.failure import CommandError, expected_failures
from faultwire_consumer.cli.option import LOCAL_OUTPUT, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.cli.progress import progress_bars


def copy(
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    to: str,
    config: Path | None = None,
    output: LocalOutput = LOCAL_OUTPUT,
) -> None:
    """Copy a database into an empty one, of the same kind or the other, and check that both hold the same.

    Stop the workers of both first. A copy that was cut short goes on where it was: run it again. The source
    is only read. A password need not be in the address: PGPASSWORD and ~/.pgpass are read too.

    Example: `faultwire db copy --from sqlite:///faultwire.db --to postgresql://user@host/database`

    Args:
        from_: sqlite:///path or postgresql://user:password@host/database; else the configured database.
        to: The same for the database that is filled; its schema is made where there is none.
        config: The TOML file.
    """
    started = time.monotonic()
    with expected_failures(), progress_bars(output) as bars:
        source = from_ or Setting(config=config).load(with_broker=False).database_url
        from faultwire_consumer.store.copy.copy import CopyError, copy_database  # noqa: PLC0415 - SQLAlchemy

        try:
            copied = asyncio.run(copy_database(source, to, report=_Reporter(bars, output)))
        except CopyError as error:
            raise CommandError(str(error)) from None
    document = msgspec.to_builtins(copied) | {"seconds": round(time.monotonic() - started, 1)}
    print_document(document, output, _show)


class _Reporter:
    """A bar for each table that has rows; without bars, a line for each that is done."""

    def __init__(self, bars: Progress, output: LocalOutput) -> None:
        self._bars = bars
        self._quiet = output.quiet or not bars.disable
        self._tasks: dict[str, Any] = {}

    def __call__(self, table: str, rows: int, copied: int) -> None:
        if not rows:
            return
        if table not in self._tasks:
            self._tasks[table] = self._bars.add_task(table, total=rows)
        self._bars.update(self._tasks[table], completed=copied)
        if copied == rows and not self._quiet:
            say(f"{table}: {rows} rows")


def _show(document: dict[str, Any], console: Console) -> None:
    seconds, rows = document["seconds"], document["copied_rows"]
    speed = f", {round(rows / seconds)} a second" if seconds >= 1 else ""
    copied = f"copied {rows} rows in {seconds} s{speed}" if rows else "nothing was left to copy"
    console.print(styled(copied), soft_wrap=True)
    total = sum(table["rows"] for table in document["tables"])
    events = next(table for table in document["tables"] if table["table"] == "events")
    same = f"both hold the same {total} rows in {len(document['tables'])} tables"
    console.print(styled(f"checked: {same}, and {events['counted']} events by their counts"), soft_wrap=True)

"""``faultwire spool``: status, drain. They use this machine's disk and ask no worker."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from cyclopts import App
from rich.progress import Progress, TaskID

from faultwire.options import read_token
from faultwire.publish.drain import drain_all
from faultwire.publish.spool_overview import find_spools, services_in, summarize
from faultwire_consumer.cli.address import publish_url
from faultwire_consumer.cli.failure import FAILED, expected_failures
from faultwire_consumer.cli.option import LOCAL_OUTPUT, LocalOutput
from faultwire_consumer.cli.output import print_list, say
from faultwire_consumer.cli.progress import progress_bars
from faultwire_consumer.cli.publishing import publish_files
from faultwire_shared.event import ErrorSeverity

app = App(name="spool")

_MOST_SEVERE_FIRST = tuple(reversed(ErrorSeverity))
_RESULT = ("published", "refused", "lost", "files")
_COLUMNS = ("service", "files", "owned", *_MOST_SEVERE_FIRST, "bytes", "quarantined", "path")


@app.command
def status(*, path: Path | None = None, output: LocalOutput = LOCAL_OUTPUT) -> None:
    """Show each service's files, how many have a living owner, and the events in them by severity.

    Example: `faultwire spool status`

    Args:
        path: A spool's directory, or one that holds several; else FAULTWIRE_SPOOL_PATH, else the user's own.
    """
    with expected_failures():
        directories = find_spools(path, os.environ)
    found = [summarize(directory, name) for directory in directories for name in services_in(directory)]
    print_list({"spools": [_row(msgspec.to_builtins(one)) for one in found]}, "spools", _COLUMNS, output)


@app.command
def drain(
    *,
    service: str | None = None,
    path: Path | None = None,
    broker_url: str | None = None,
    output: LocalOutput = LOCAL_OUTPUT,
) -> int:
    """Publish what processes that are dead left on disk; those that live publish their own.

    May be interrupted and run again. Exit code 1 where something stays that the other side refused.

    Example: `faultwire spool drain --service billing`

    Args:
        service: Of this service alone.
        path: A spool's directory, or one that holds several; else FAULTWIRE_SPOOL_PATH, else the user's own.
        broker_url: Where to; else FAULTWIRE_BROKER_URL, else the worker at FAULTWIRE_URL.
    """
    with expected_failures(), progress_bars(output) as bars:
        directories = find_spools(path, os.environ)
        url = publish_url(broker_url)
        run = drain_all(
            directories,
            url,
            service=service,
            token=read_token(os.environ),
            tls=publish_files(broker_url),
            tell=_Teller(bars),
        )
        results = msgspec.to_builtins(asyncio.run(run))
    _print_drained(results, output)
    return FAILED if any(result["refused"] for result in results.values()) else 0


class _Teller:
    """A bar for each service."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, service: str, total: int, published: int) -> None:
        if service not in self._tasks:
            self._tasks[service] = self._bars.add_task(service)
        self._bars.update(self._tasks[service], total=total, completed=published)


def _print_drained(results: Mapping[str, Mapping[str, int]], output: LocalOutput) -> None:
    rows = [{"service": service, **result} for service, result in results.items()]
    if not rows and not output.quiet:
        say("no dead process left anything")
    if rows or output.json:
        print_list({"drained": rows}, "drained", ("service", *_RESULT), output)


def _row(summary: dict[str, Any]) -> dict[str, Any]:
    """The summary with its events in a column for each severity."""
    events = {severity.value: summary["events"][severity] for severity in _MOST_SEVERE_FIRST}
    return {name: (events | summary)[name] for name in _COLUMNS}

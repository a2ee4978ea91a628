"""``faultwire events import``: JSON lines through the intake of a worker, as if they were published again."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from faultwire_consumer.cli.address import trust
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.cli.progress import progress_bars

Counts = Mapping[str, int]


def import_(*files: Path, output: Output = OUTPUT) -> int:
    """Store the events of files with one JSON document a line, as `events export` writes them.

    An event that is stored already counts as a duplicate and changes nothing: what was interrupted is run
    again. Exit code 1 if a line was not an event, or became a dead letter.

    Example: `faultwire events import events.jsonl.gz`

    Args:
        files: Also compressed by gzip; - is stdin.
    """
    _check_files(files)
    client = ApiClient(output)
    client.get("livez")
    root, login = client.log_in()
    from faultwire_consumer.maintenance.event_import import EventImport  # noqa: PLC0415 - loads aiohttp

    events = EventImport(root, files, headers=login, trusted=trust(output.ca_file))
    try:
        with progress_bars(output, unit="bytes") as bars:
            total = sum(path.stat().st_size for path in files if str(path) != "-")
            task = bars.add_task("import", total=total or None)
            asyncio.run(events.run(lambda: bars.update(task, completed=events.bytes_read)))
    except OSError as error:
        counts = _spell(msgspec.to_builtins(events.result))
        raise CommandError(f"{error}; {counts} so far; run it again to go on") from None
    _report(msgspec.to_builtins(events.result), events.complaints, output)
    return FAILED if events.result.refused or events.result.dead_lettered else 0


def _check_files(files: Sequence[Path]) -> None:
    if not files:
        raise CommandError("name the files, or - for stdin", USAGE)
    for path in files:
        if str(path) != "-" and not path.is_file():
            raise CommandError(f"{path} is {'a directory' if path.is_dir() else 'not there'}", USAGE)


def _report(counts: Counts, complaints: Sequence[str], output: Output) -> None:
    for complaint in complaints:
        say(complaint)
    if (more := counts["refused"] + counts["dead_lettered"] - len(complaints)) > 0:
        say(f"and {more} more")
    if output.json or output.jsonl:
        print_json(counts)
    elif not output.quiet:
        say(_spell(counts))


def _spell(counts: Counts) -> str:
    told = [
        f"{count} {name.replace('_', ' ')}"
        for name, count in counts.items()
        if count or name in ("stored", "duplicates")
    ]
    return ", ".join(told)

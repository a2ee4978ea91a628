"""``faultwire events export``: stored events as JSON lines, into a file or to stdout."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cyclopts import Parameter

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_filter import EVENTS, EventFilter
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Output, Query
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.cli.progress import progress_bars
from faultwire_consumer.maintenance.event_export import (
    EventExport,
    ExportBrokenError,
    ExportPage,
    ExportRefusedError,
    Position,
    find_position,
)

_PATH: Final = ("api", "v1", "events", "export")


def export(
    query: Query = "",
    /,
    *,
    to: Annotated[Path, Parameter(name=["--output", "-o"])] = Path("-"),
    gzipped: Annotated[bool, Parameter(name="--gzip", negative="", show_default=False)] = False,
    resume: Flag = False,
    wanted: EventFilter = EVENTS,
    output: Output = OUTPUT,
) -> None:
    """Write events as JSON lines, each as its service published it, the first received first.

    Until it is whole, the file is called FILE.part; --resume goes on with one that was cut short. Events
    whose body was not kept are left out and counted; `faultwire db copy` takes those along too.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        to: The file; by a name that ends in .gz it is compressed. - is stdout.
        gzipped: Compress, whatever the file's name.
        resume: Go on with FILE.part.
    """
    is_gzip, is_stdout = gzipped or to.suffix == ".gz", str(to) == "-"
    position = _beginning(query, wanted, is_gzip=is_gzip)
    try:
        if not is_stdout:
            position = find_position(to, position, resume=resume)
        _write(position, None if is_stdout else to, output, is_gzip=is_gzip)
    except ExportRefusedError as error:
        raise CommandError(str(error), USAGE) from None
    except ExportBrokenError as error:
        raise CommandError(str(error)) from None
    if not is_stdout and (output.json or output.jsonl):
        print_json({"file": str(to), "events": position.events, "left_out": position.left_out})
    if not output.quiet:
        say(f"exported {position.events} events{'' if is_stdout else f' to {to}'}")
        if position.left_out:
            say(f"{position.left_out} events whose bodies were not kept are left out")


def _beginning(query: str, wanted: EventFilter, *, is_gzip: bool) -> Position:
    asked = json.loads(msgspec.json.encode(wanted)) | {"query": wanted.whole_query(query), "gzip": is_gzip}
    return Position(asked=asked, parameters=dict(wanted.lasting_parameters(query)))


def _write(position: Position, to: Path | None, output: Output, *, is_gzip: bool) -> None:
    client = ApiClient(output)

    def fetch(parameters: Mapping[str, Any]) -> ExportPage:
        headers, body = client.fetch(_PATH, parameters)
        left_out = int(headers.get("X-Left-Out", 0))
        return ExportPage(body=body, left_out=left_out, cursor=headers.get("X-Next-Cursor"))

    with progress_bars(output, unit="count") as bars:
        task = bars.add_task("events", total=None, completed=position.events)

        def tell(position: Position) -> None:
            bars.update(task, completed=position.events)

        export = EventExport(position, fetch, is_gzip=is_gzip, tell=tell)
        if to is None:
            export.write_to(sys.stdout.buffer)
        else:
            export.write_file(to)

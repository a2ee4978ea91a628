"""``faultwire events export``: stored events as JSON lines, into a file that is whole or named .part."""

import gzip
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import msgspec
from cyclopts import Parameter
from msgspec import Struct

from faultwire_consumer.cli.client import Client, Values
from faultwire_consumer.cli.event_filter import EVENTS, EventFilter
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Output, Query
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.cli.progress import progress_bars
from faultwire_shared.failpoint import failpoint

_PATH: Final = ("api", "v1", "events", "export")
_PAGE: Final = 1000


class Position(Struct, kw_only=True):
    """How far an export has got: what stands in its file before ``offset`` is whole."""

    asked: dict[str, Any]
    """The filters, as they were given."""
    parameters: dict[str, Any]
    """The same as the API is asked, with durations counted from the export's beginning."""
    offset: int = 0
    cursor: str | None = None
    is_complete: bool = False
    events: int = 0
    left_out: int = 0


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
    is_gzip = gzipped or to.suffix == ".gz"
    beginning = _beginning(query, wanted, is_gzip=is_gzip)
    if str(to) == "-":
        position = _export_to_stdout(beginning, output, is_gzip=is_gzip)
    else:
        position = _open_position(to, beginning, resume=resume)
        _export_to_file(to, position, output, is_gzip=is_gzip)
    if str(to) != "-" and (output.json or output.jsonl):
        print_json({"file": str(to), "events": position.events, "left_out": position.left_out})
    if not output.quiet:
        say(f"exported {position.events} events{'' if str(to) == '-' else f' to {to}'}")
        if position.left_out:
            say(f"{position.left_out} events are left out, whose bodies were not kept")


def _export_to_stdout(position: Position, output: Output, *, is_gzip: bool) -> Position:
    for body in _pages(position, output):
        sys.stdout.buffer.write(gzip.compress(body, mtime=0) if is_gzip else body)
    sys.stdout.buffer.flush()
    return position


def _export_to_file(to: Path, position: Position, output: Output, *, is_gzip: bool) -> None:
    part, note = Path(f"{to}.part"), Path(f"{to}.part.json")
    try:
        with part.open("ab") as file:
            file.truncate(position.offset)
            for body in _pages(position, output):
                _append(file, gzip.compress(body, mtime=0) if is_gzip else body)
                position.offset = file.tell()
                failpoint("export.written")
                _write_note(note, position)
        part.replace(to)
        note.unlink(missing_ok=True)
    except CommandError:
        if not position.offset:
            part.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise CommandError(
            f"{to} cannot be written: {error.strerror or error}; {part} stays, and --resume goes on with it"
        ) from None


def _append(file: BinaryIO, body: bytes) -> None:
    file.write(body)
    file.flush()
    os.fsync(file.fileno())


def _beginning(query: str, wanted: EventFilter, *, is_gzip: bool) -> Position:
    asked = json.loads(msgspec.json.encode(wanted)) | {"query": query, "gzip": is_gzip}
    return Position(asked=asked, parameters=dict(wanted.lasting_parameters(query)))


def _open_position(to: Path, beginning: Position, *, resume: bool) -> Position:
    part, note = Path(f"{to}.part"), Path(f"{to}.part.json")
    if to.exists():
        raise CommandError(f"{to} is there already; name another file", USAGE)
    if not to.parent.is_dir():
        raise CommandError(f"{to.parent} is no directory", USAGE)
    if not part.exists():
        return beginning
    if not resume:
        raise CommandError(f"{part} is of an export that was cut short: give --resume, or remove it", USAGE)
    try:
        position = msgspec.json.decode(note.read_bytes(), type=Position)
    except FileNotFoundError:
        return beginning
    except msgspec.MsgspecError:
        raise CommandError(f"{note} cannot be read; remove it and {part}, and begin anew") from None
    if position.asked != beginning.asked:
        raise CommandError(f"{part} was begun with other filters: {json.dumps(position.asked)}", USAGE)
    return position


def _write_note(note: Path, position: Position) -> None:
    fresh = note.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(position))
    fresh.replace(note)


def _pages(position: Position, output: Output) -> Iterator[bytes]:
    """The bodies that follow a position, which moves on with each."""
    client = Client(output)
    with progress_bars(output, unit="count") as bars:
        task = bars.add_task("events", total=None, completed=position.events)
        while not position.is_complete:
            asked: Values = {**position.parameters, "limit": _PAGE, "cursor": position.cursor}
            headers, body = client.fetch(_PATH, asked)
            position.events += body.count(b"\n")
            position.left_out += int(headers.get("X-Left-Out", 0))
            position.cursor = headers.get("X-Next-Cursor")
            position.is_complete = position.cursor is None
            bars.update(task, completed=position.events)
            yield body

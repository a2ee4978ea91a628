"""Writes stored events as JSON lines, into a file that is whole, or is named ``.part`` and can be resumed."""

import gzip
import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Struct

from faultwire_shared.failpoint import failpoint

PAGE_EVENTS: Final = 1000


class ExportRefusedError(Exception):
    """The file cannot be written as asked; nothing was changed, and the text says what would do."""


class ExportBrokenError(Exception):
    """Something on the disk cannot be read or written; the text says what to do."""


class ExportPage(Struct, frozen=True, kw_only=True):
    """Some of the events, in the order in which they were received."""

    body: bytes
    """A line for each."""
    left_out: int
    """Those in between whose bodies were not kept."""
    cursor: str | None
    """The place where the next page begins; None at the end."""


Fetch = Callable[[Mapping[str, Any]], ExportPage]
"""Asks for the page of these parameters."""


class Position(Struct, kw_only=True):
    """The progress of an export: its file is whole up to ``offset``."""

    asked: dict[str, Any]
    """The filters, as they were given."""
    parameters: dict[str, Any]
    """The same as the API gets them, with durations counted from the export's beginning."""
    offset: int = 0
    cursor: str | None = None
    is_complete: bool = False
    events: int = 0
    left_out: int = 0


class EventExport:
    """Goes on from a position to the end of what was asked for.

    Args:
        position: moves on with each page.
        fetch: gives the pages; what it raises ends the export.
        is_gzip: compress, each page by itself.
        tell: is called after each page.
    """

    def __init__(
        self, position: Position, fetch: Fetch, *, is_gzip: bool, tell: Callable[[Position], None]
    ) -> None:
        self.position = position
        self._fetch = fetch
        self._is_gzip = is_gzip
        self._tell = tell

    def write_to(self, stream: BinaryIO) -> None:
        """Write everything to a stream, which cannot be resumed."""
        for body in self._bodies():
            stream.write(body)
        stream.flush()

    def write_file(self, to: Path) -> None:
        """Write everything to ``to``, which has this name once it is whole; each page is safe on the disk.

        Raises:
            ExportBrokenError: the disk takes no more; what is there can be resumed.
        """
        part, note = part_of(to), note_of(to)
        try:
            self._write_part(part, note)
            part.replace(to)
            note.unlink(missing_ok=True)
        except OSError as error:
            stays = f"; {part} stays, and --resume goes on with it" if part.exists() else ""
            raise ExportBrokenError(f"{to} cannot be written: {error.strerror or error}{stays}") from None

    def _write_part(self, part: Path, note: Path) -> None:
        # Errors hold what users sent: only its owner reads it.
        with open(part, "ab", opener=partial(os.open, mode=0o600)) as file:
            file.truncate(self.position.offset)
            try:
                for body in self._bodies():
                    _append(file, body)
                    self.position.offset = file.tell()
                    failpoint("export.written")
                    _write_note(note, self.position)
            except BaseException:
                if not self.position.offset:
                    part.unlink()  # there is nothing in it to resume
                raise

    def _bodies(self) -> Iterator[bytes]:
        position = self.position
        while not position.is_complete:
            page = self._fetch({**position.parameters, "limit": PAGE_EVENTS, "cursor": position.cursor})
            position.events += page.body.count(b"\n")
            position.left_out += page.left_out
            position.cursor = page.cursor
            position.is_complete = page.cursor is None
            self._tell(position)
            yield gzip.compress(page.body, mtime=0) if self._is_gzip else page.body


def part_of(to: Path) -> Path:
    """The file's name until it is whole."""
    return Path(f"{to}.part")


def note_of(to: Path) -> Path:
    """The file that holds the position until the export is whole."""
    return Path(f"{to}.part.json")


def find_position(to: Path, beginning: Position, *, resume: bool) -> Position:
    """Return where an export into a file starts: at the beginning, or where an earlier one was cut short.

    Raises:
        ExportRefusedError: the file is there, its directory is not, or the earlier one asked otherwise.
        ExportBrokenError: how far the earlier one got cannot be read.
    """
    part, note = part_of(to), note_of(to)
    if to.exists():
        raise ExportRefusedError(f"{to} is there already; name another file")
    if not to.parent.is_dir():
        raise ExportRefusedError(f"{to.parent} is not a directory")
    if not part.exists():
        return beginning
    if not resume:
        raise ExportRefusedError(f"{part} is of an export that was cut short: give --resume, or remove it")
    try:
        position = msgspec.json.decode(note.read_bytes(), type=Position)
    except FileNotFoundError:
        return beginning
    except msgspec.MsgspecError:
        raise ExportBrokenError(f"{note} cannot be read; remove it and {part}, and start again") from None
    if position.asked != beginning.asked:
        raise ExportRefusedError(f"{part} was begun with other filters: {json.dumps(position.asked)}")
    return position


def _append(file: BinaryIO, body: bytes) -> None:
    file.write(body)
    file.flush()
    os.fsync(file.fileno())


def _write_note(note: Path, position: Position) -> None:
    fresh = note.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(position))
    fresh.replace(note)

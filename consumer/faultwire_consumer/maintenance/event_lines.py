"""Lines of files that should be events, in portions that the intake takes, each of one lane."""

import gzip
import io
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec
from msgspec import Struct

from faultwire_shared.event import MESSAGE_BYTES, ErrorSeverity, Lane
from faultwire_shared.json_text import BOM, UNREADABLE, mend_surrogates

PORTION_BYTES: Final = MESSAGE_BYTES * 3 // 4
PORTION_EVENTS: Final = 500
_GZIP: Final = b"\x1f\x8b"


class ImportLine(Struct, frozen=True):
    """One line with its place, as in ``events.jsonl:7``."""

    place: str
    body: bytes


class _Event(Struct, frozen=True):
    severity: Any = None


_event: Final = msgspec.json.Decoder(_Event)


class EventLines:
    """Reads files line by line; a line that is not an event is reported and skipped."""

    def __init__(self, files: Sequence[Path], *, refuse: Callable[[str, str], None]) -> None:
        """Read these files.

        Args:
            files: ``-`` is stdin; compressed ones are known by their first bytes.
            refuse: gets a place and what is wrong there.
        """
        self._files = files
        self._refuse = refuse
        self._now: BinaryIO | None = None
        self._done = 0

    @property
    def bytes_read(self) -> int:
        """Of the files as they lie on the disk."""
        return self._done + (self._now.tell() if self._now is not None else 0)

    def portions(self) -> Iterator[Sequence[ImportLine]]:
        """Portions of one lane each, in the order of the lines; the rest of each lane at the end."""
        waiting: dict[Lane, list[ImportLine]] = {lane: [] for lane in Lane}
        sizes = dict.fromkeys(Lane, 0)
        for line, lane in self._lines():
            is_full = len(waiting[lane]) == PORTION_EVENTS
            if waiting[lane] and (is_full or sizes[lane] + len(line.body) > PORTION_BYTES):
                yield waiting[lane]
                waiting[lane], sizes[lane] = [], 0
            waiting[lane].append(line)
            sizes[lane] += len(line.body) + 1
        yield from filter(None, waiting.values())

    def _lines(self) -> Iterator[tuple[ImportLine, Lane]]:
        for path in self._files:
            number = 0
            try:
                with self._open(path) as file:
                    for number, body in enumerate(_split(file), start=1):
                        if (read := self._judge(f"{path}:{number}", body.strip())) is not None:
                            yield read
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                self._refuse(f"{path}:{number + 1}", f"the file is cut off or damaged here ({error})")

    @contextmanager
    def _open(self, path: Path) -> Iterator[BinaryIO]:
        if str(path) == "-":
            yield _unpacked(cast("io.BufferedReader", sys.stdin.buffer))
            return
        with path.open("rb") as raw:
            self._now = raw
            try:
                yield _unpacked(raw)
            finally:
                self._now, self._done = None, self._done + path.stat().st_size

    def _judge(self, place: str, body: bytes) -> tuple[ImportLine, Lane] | None:
        body = body.removeprefix(BOM)
        if not body:
            return None
        if len(body) > MESSAGE_BYTES - 2:
            self._refuse(place, f"more than {MESSAGE_BYTES - 2:,} bytes, which is what the intake takes")
            return None
        try:
            severity = _event.decode(body).severity
        except UNREADABLE as error:
            if (mended := mend_surrogates(body)) != body:
                return self._judge(place, mended)
            self._refuse(place, f"not an event: {error}")
            return None
        parsed = ErrorSeverity.parse(severity)[0] if isinstance(severity, str | int) else ErrorSeverity.MEDIUM
        return ImportLine(place, body), parsed.lane


def _unpacked(raw: io.BufferedReader) -> BinaryIO:
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if raw.peek(2)[:2] == _GZIP else raw


def _split(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, of each no more than shows that it is too long."""
    while line := file.readline(MESSAGE_BYTES + 1):
        rest = line
        while not rest.endswith(b"\n") and (rest := file.readline(MESSAGE_BYTES)):
            pass
        yield line

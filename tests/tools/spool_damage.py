"""A spool as SIGKILL leaves it, damaged in ways that a seed repeats; and which events are still whole."""

import os
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct
from tests.tools.spool_bench import CRITICAL, HIGH, LOW, MEDIUM, SpoolBench, leave_orphan, spooling, until
from tests.tools.spool_reader import parse, spooled_ids

from faultwire.queue.file import SpoolLimit

EVENTS: Final = 160
CONFIRMED: Final = 30
PAGE: Final = 8192
_ADOPT_SECONDS: Final = 60.0


Change = Callable[[Path, random.Random], None]


class Template(Struct):
    """A sound orphan, and the pieces in which each of its events lies in its files."""

    directory: Path
    name: str
    pieces: dict[str, list[bytes]]

    @property
    def long(self) -> set[str]:
        """Events that go on in pages of their own."""
        return {event for event, pieces in self.pieces.items() if len(pieces) > 1}

    def copy(self, directory: Path) -> Path:
        """Lay it into a directory of its own; the database's path."""
        shutil.copytree(self.directory, directory)
        return directory / self.name


class Outcome(Struct, kw_only=True):
    """What one start over a damaged spool came to."""

    kind: str
    whole: set[str]
    """Events of which no byte was touched."""
    recovered: set[str]
    lost: int
    usable_after: float
    """Seconds from the start until a new event was on disk."""
    adds_up: bool


def make_template(place: Path) -> Template:
    """Small events and large ones, checkpointed and not, some of them deleted again."""
    rng = random.Random(39)
    with spooling(place / "source", limit=SpoolLimit(bytes=2 * 1024 * 1024)) as bench:
        tickets = []
        for number in range(EVENTS + CONFIRMED):
            size = rng.randint(9_000, 60_000) if number % 20 == 19 else rng.randint(200, 3_000)
            severity = (LOW, MEDIUM, HIGH, CRITICAL)[number % 4]
            tickets.append(bench.hand(severity, body=rng.randbytes(size), event_id=f"event-{number}"))
        for ticket in rng.sample(tickets, CONFIRMED):
            bench.confirm(ticket)
        until(lambda: bench.spool.waiting == EVENTS)
        with bench.spool.turning:
            left = leave_orphan(place / "source", place / "template")
    return Template(place / "template", left.name, _pieces(place / "template" / left.name, place))


def start_over(template: Template, directory: Path, kind: str, rng: random.Random) -> Outcome:
    """Damage a copy, start the next process of its service, and let it take over what it can."""
    database = template.copy(directory)
    DAMAGES[kind](database, rng)
    data = _bytes(database) + b"\0" + _bytes(Path(f"{database}-wal"))
    whole = {event for event, pieces in template.pieces.items() if all(piece in data for piece in pieces)}
    started = time.monotonic()
    with spooling(directory) as heir:
        assert heir.hand(event_id="new").state.state == "spooled"
        usable_after = time.monotonic() - started
        until(lambda: has_adopted(heir))
        figures = heir.buffer.figures()
        adds_up = heir.adds_up()
    kept = spooled_ids(directory) - {"new"}
    return Outcome(
        kind=kind,
        whole=whole,
        recovered=kept,
        lost=figures.lost.get("spool_corrupt", 0),
        usable_after=usable_after,
        adds_up=adds_up and figures.adopted == len(kept) + figures.lost.get("spool_corrupt", 0),
    )


def has_adopted(heir: SpoolBench) -> bool:
    """Whether the heir looked for orphans and found none any more."""
    return heir.spool._keeper.recovery.at > time.monotonic() + _ADOPT_SECONDS / 2


def flip(path: Path, rng: random.Random, count: int, *, first: int = 0, last: int | None = None) -> None:
    """Change so many bytes, anywhere between the two."""
    data = bytearray(_bytes(path))
    end = min(len(data), last or len(data))
    for _ in range(count if end > first else 0):
        data[rng.randrange(first, end)] ^= rng.randint(1, 255)
    _overwrite(path, data)


def _middle(path: Path, rng: random.Random) -> None:
    data = bytearray(_bytes(path))
    at = rng.randrange(1, len(data) // PAGE) * PAGE
    data[at : at + PAGE] = rng.choice((rng.randbytes(PAGE), bytes(PAGE)))
    _overwrite(path, data)


def _truncate(path: Path, rng: random.Random) -> None:
    os.truncate(path, rng.randrange(1, path.stat().st_size))


def _scatter(path: Path, rng: random.Random) -> None:
    flip(path, rng, rng.randint(1, 12))
    if Path(f"{path}-wal").exists():
        flip(Path(f"{path}-wal"), rng, rng.randint(0, 4))


def _db(change: Change) -> Change:
    """Damage the database, half of the time with all of it checkpointed: no page is newer in the WAL."""

    def damage(path: Path, rng: random.Random) -> None:
        if rng.random() < 0.5:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.close()
        change(path, rng)

    return damage


def _wal(change: Change) -> Change:
    return lambda path, rng: change(Path(f"{path}-wal"), rng)


DAMAGES: Final[Mapping[str, Change]] = {
    "header": _db(lambda path, rng: flip(path, rng, rng.randint(1, 16), last=100)),
    "schema": _db(lambda path, rng: flip(path, rng, rng.randint(1, 30), first=100, last=PAGE)),
    "middle": _db(_middle),
    "truncated": _db(_truncate),
    "zero": _db(lambda path, _: os.truncate(path, 0)),
    "gone": _db(lambda path, _: _overwrite(path, bytes(path.stat().st_size))),
    "scattered": _db(_scatter),
    "wal-header": _wal(lambda path, rng: flip(path, rng, 4, last=32)),
    "wal-middle": _wal(lambda path, rng: flip(path, rng, rng.randint(1, 8), first=32)),
    "wal-all-over": _wal(lambda path, rng: flip(path, rng, 60, first=32)),
    "wal-end": _wal(lambda path, rng: flip(path, rng, 3, first=max(32, path.stat().st_size - PAGE))),
    "wal-truncated": _wal(_truncate),
    "wal-gone": _wal(lambda path, _: path.unlink()),
}
"""Every way to damage a spool, by its name."""


def _pieces(database: Path, place: Path) -> dict[str, list[bytes]]:
    shutil.copytree(database.parent, place / "read")
    connection = sqlite3.connect(place / "read" / database.name)
    records = [record for (record,) in connection.execute("SELECT record FROM events")]
    connection.close()
    data = _bytes(database) + b"\0" + _bytes(Path(f"{database}-wal"))
    pieces = {}
    for record in records:
        event = parse(record)
        assert event is not None
        pieces[event.event_id] = _cut(record, data)
    return pieces


def _cut(record: bytes, data: bytes) -> list[bytes]:
    """A record as its runs of bytes in the files: a long one goes on in pages of its own."""
    pieces = []
    while record:
        at = data.index(record[:48])
        length = next((n for n in range(len(record), 0, -1) if n <= 48 or data[at : at + n] == record[:n]), 0)
        pieces.append(record[:length])
        record = record[length:]
    return pieces


def _overwrite(path: Path, data: bytes | bytearray) -> None:
    path.write_bytes(data)


def _bytes(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""

"""An export's file: whole or named .part, and resumed where it was cut short."""

import gzip
import io
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from faultwire_consumer.maintenance.event_export import (
    EventExport,
    ExportBrokenError,
    ExportPage,
    ExportRefusedError,
    Position,
    find_position,
)

pytestmark = pytest.mark.may_block("writes files")

PAGES = (b'{"n":1}\n{"n":2}\n', b"", b'{"n":3}\n')


class AwayError(Exception):
    """The worker went away."""


class Pages:
    """Three pages, of which the second holds no body; the worker goes away before the page ``away_at``."""

    def __init__(self, away_at: int | None = None) -> None:
        self.away_at = away_at
        self.asked: list[Mapping[str, Any]] = []

    def __call__(self, parameters: Mapping[str, Any]) -> ExportPage:
        number = int(parameters["cursor"] or 0)
        if number == self.away_at:
            raise AwayError
        self.asked.append(parameters)
        following = number + 1
        return ExportPage(
            body=PAGES[number],
            left_out=number,
            cursor=str(following) if following < len(PAGES) else None,
        )


def beginning(**asked: Any) -> Position:
    return Position(asked=asked, parameters={"service": "billing"})


def export(position: Position, pages: Pages, told: list[int] | None = None, **how: Any) -> EventExport:
    seen = [] if told is None else told
    return EventExport(position, pages, tell=lambda at: seen.append(at.events), **({"is_gzip": False} | how))


def names(folder: Path) -> Sequence[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_has_its_name_and_every_page_was_told(tmp_path: Path) -> None:
    told: list[int] = []
    whole = export(beginning(), pages := Pages(), told)
    whole.write_file(tmp_path / "events")
    assert (tmp_path / "events").read_bytes() == b"".join(PAGES)
    assert names(tmp_path) == ["events"]
    assert (told, whole.position.events, whole.position.left_out) == ([2, 2, 3], 3, 3)
    assert {asked["service"] for asked in pages.asked} == {"billing"}


def test_an_export_of_nothing_is_a_file_without_a_line(tmp_path: Path) -> None:
    nothing = EventExport(
        beginning(),
        lambda _: ExportPage(body=b"", left_out=0, cursor=None),
        is_gzip=False,
        tell=lambda _: None,
    )
    nothing.write_file(tmp_path / "events")
    assert (tmp_path / "events").read_bytes() == b""
    assert names(tmp_path) == ["events"]


@pytest.mark.parametrize("is_gzip", [False, True])
def test_what_was_cut_short_is_resumed_behind_its_last_whole_page(tmp_path: Path, is_gzip: bool) -> None:
    to = tmp_path / "events"
    with pytest.raises(AwayError):
        export(beginning(), Pages(away_at=2), is_gzip=is_gzip).write_file(to)
    assert names(tmp_path) == ["events.part", "events.part.json"]
    with (tmp_path / "events.part").open("ab") as part:
        part.write(b"half a pa")
    position = find_position(to, beginning(), resume=True)
    export(position, pages := Pages(), is_gzip=is_gzip).write_file(to)
    written = to.read_bytes()
    assert (gzip.decompress(written) if is_gzip else written) == b"".join(PAGES)
    assert ([asked["cursor"] for asked in pages.asked], position.events) == (["2"], 3)
    assert names(tmp_path) == ["events"]


def test_an_export_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(AwayError):
        export(beginning(), Pages(away_at=0)).write_file(tmp_path / "events")
    assert names(tmp_path) == []


def test_only_its_owner_may_read_a_file_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        export(beginning(), Pages()).write_file(tmp_path / "x.jsonl")
        with pytest.raises(AwayError):
            export(beginning(), Pages(away_at=1)).write_file(tmp_path / "y.jsonl")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.glob("*.jsonl*")}
    assert modes["x.jsonl"] == modes["y.jsonl.part"] == 0o600


def test_a_stream_gets_every_page() -> None:
    stream = io.BytesIO()
    export(beginning(), Pages(), is_gzip=True).write_to(stream)
    assert gzip.decompress(stream.getvalue()) == b"".join(PAGES)


def test_what_is_there_is_never_written_over(tmp_path: Path) -> None:
    to = tmp_path / "events"
    with pytest.raises(AwayError):
        export(beginning(service=["a"]), Pages(away_at=2)).write_file(to)
    for resume, asked, told in (
        (False, {"service": ["a"]}, "give --resume, or remove it"),
        (True, {"service": ["b"]}, r'begun with other filters: \{"service": \["a"\]\}'),
    ):
        with pytest.raises(ExportRefusedError, match=told):
            find_position(to, beginning(**asked), resume=resume)
    to.touch()
    with pytest.raises(ExportRefusedError, match="is there already"):
        find_position(to, beginning(service=["a"]), resume=True)
    with pytest.raises(ExportRefusedError, match="away is not a directory"):
        find_position(tmp_path / "away" / "events", beginning(), resume=False)


def test_a_position_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "events.part").write_bytes(b"")
    assert find_position(tmp_path / "events", beginning(), resume=True) == beginning()
    (tmp_path / "events.part.json").write_text(json.dumps({"offset": "far"}))
    with pytest.raises(ExportBrokenError, match="cannot be read; remove it and"):
        find_position(tmp_path / "events", beginning(), resume=True)


def test_a_disk_that_takes_nothing_is_told_with_what_stays(tmp_path: Path) -> None:
    to = tmp_path / "events"
    (tmp_path / "events.part").mkdir()
    with pytest.raises(ExportBrokenError, match=r"cannot be written: Is a directory; .*part stays"):
        export(beginning(), Pages()).write_file(to)
    with pytest.raises(ExportBrokenError, match=r"cannot be written: No such file or directory$"):
        export(beginning(), Pages()).write_file(tmp_path / "away" / "events")

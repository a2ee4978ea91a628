"""Lines of a file, as the import reads them."""

import gzip
import json
from pathlib import Path

import pytest
from tests.tools.factories import wire_body

from faultwire_consumer.maintenance.event_lines import PORTION_BYTES, EventLines, ImportLine
from faultwire_shared.event import MESSAGE_BYTES

pytestmark = pytest.mark.may_block("reads files")


def read(*files: Path) -> tuple[list[list[ImportLine]], list[tuple[str, str]]]:
    complaints: list[tuple[str, str]] = []
    lines = EventLines(files, refuse=lambda place, why: complaints.append((place, why)))
    return [list(portion) for portion in lines.portions()], complaints


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_a_portion_holds_one_lane_in_the_order_of_its_lines(tmp_path: Path) -> None:
    severities = ["low", "critical", "medium", "high", "low", "fatal", 40]
    file = written(tmp_path / "a", *(wire_body(severity=severity) for severity in severities))
    portions, complaints = read(file)
    places = [[line.place.rpartition(":")[2] for line in portion] for portion in portions]
    assert (places, complaints) == ([["2", "6"], ["4", "7"], ["1", "3", "5"]], [])


def test_a_portion_is_what_the_intake_takes(tmp_path: Path) -> None:
    file = written(tmp_path / "a", *(wire_body(message="x" * 20_000) for _ in range(40)))
    portions, _ = read(file)
    sizes = [sum(len(line.body) + 1 for line in portion) for portion in portions]
    assert sum(map(len, portions)) == 40
    assert len(portions) > 3
    assert max(sizes) <= PORTION_BYTES + len(portions[0])


def test_what_is_no_event_is_named_by_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    good = wire_body()
    file = written(
        tmp_path / "events",
        *(good, b"", b"[1]", b'{"id": ', b"\xff\xfe", b"[" * 100_000, b"x" * (3 * MESSAGE_BYTES), good),
    )
    portions, complaints = read(file)
    assert [line.place for (line, *_) in portions] == [f"{file}:1"]
    assert sum(map(len, portions)) == 2
    assert [place for place, _ in complaints] == [f"{file}:{number}" for number in (3, 4, 5, 6, 7)]
    assert "Expected `object`" in complaints[0][1]
    assert complaints[-1][1] == "more than 262,142 bytes, which is what the intake takes"


def test_a_byte_order_mark_and_half_an_emoji_cost_no_line(tmp_path: Path) -> None:
    whole, half = wire_body(), wire_body(message="cut \ud83d")
    portions, complaints = read(written(tmp_path / "a", b"\xef\xbb\xbf" + whole, half))
    mended = half.replace(b"\\ud83d", b"\\ufffd")
    assert ([line.body for portion in portions for line in portion], complaints) == ([whole, mended], [])


def test_a_compressed_file_is_read_up_to_where_it_is_cut(tmp_path: Path) -> None:
    bodies = [wire_body() for _ in range(3)]
    whole = gzip.compress(bodies[0] + b"\n" + bodies[1] + b"\n") + gzip.compress(bodies[2] + b"\n")
    (tmp_path / "whole").write_bytes(whole)
    assert [line.body for portion in read(tmp_path / "whole")[0] for line in portion] == bodies
    (tmp_path / "cut").write_bytes(whole[:-12])
    portions, complaints = read(tmp_path / "cut")
    assert [line.body for portion in portions for line in portion][:2] == bodies[:2]
    assert "the file is cut off or damaged here" in complaints[-1][1]


def test_bytes_are_counted_as_they_lie_on_the_disk(tmp_path: Path) -> None:
    files = [written(tmp_path / name, json.dumps({"a": 1}).encode()) for name in "ab"]
    lines = EventLines(files, refuse=lambda _place, _why: None)
    assert lines.bytes_read == 0
    assert len(list(lines.portions())) == 1
    assert lines.bytes_read == sum(file.stat().st_size for file in files)

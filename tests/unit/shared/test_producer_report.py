"""A producer's report on the wire: a golden file that is read for ever, and the published schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without stubs
import pytest

from faultwire_shared import codec
from faultwire_shared.topology import report_key
from faultwire_shared.wire_schema import PUBLISHED_REPORT, report_text

GOLDEN_FOLDER = Path(__file__).parents[2] / "golden" / "wire" / "producer" / "v1"
GOLDEN = sorted(GOLDEN_FOLDER.glob("*.json"))


def test_the_published_schema_is_the_codecs() -> None:
    assert PUBLISHED_REPORT.read_text() == report_text(), "run `python -m faultwire_shared.wire_schema`"
    jsonschema.Draft202012Validator.check_schema(json.loads(report_text()))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_report_is_read_agrees_with_the_schema_and_survives_writing(path: Path) -> None:
    jsonschema.Draft202012Validator(json.loads(report_text())).validate(json.loads(path.read_text()))
    report = codec.decode_report(path.read_bytes())
    written = codec.encode_report(report)
    assert codec.decode_report(written) == report
    said, again = json.loads(path.read_text()), json.loads(written)
    known = [name for name in said if name not in ("added_later", "started_at")]
    assert {name: again[name] for name in known} == {name: said[name] for name in known}


def test_a_report_of_the_first_version_says_nothing_of_what_came_later() -> None:
    report = codec.decode_report((GOLDEN_FOLDER / "full.json").read_bytes())
    assert (report.last_sequence, report.lost[0].first, report.lost[0].last) == (981, 700, 739)
    assert (report.via, report.unnumbered, report.dropped) == ("", 0, [])


@pytest.mark.parametrize(
    "fields",
    [
        {"via": "x" * 41},
        {"unnumbered": -1},
        {"unnumbered": 2**63},
        {"dropped": [{"kind": "", "count": 1}]},
        {"dropped": [{"kind": "session", "count": 0}]},
        {"dropped": [{"kind": f"k{number}", "count": 1} for number in range(51)]},
    ],
)
def test_what_is_said_of_unnumbered_events_has_bounds(fields: dict[str, Any]) -> None:
    document = json.loads((GOLDEN_FOLDER / "gateway.json").read_text())
    with pytest.raises(codec.Undecodable):
        codec.decode_report(json.dumps(document | fields).encode())


def test_a_report_is_one_body_whatever_it_looks_like() -> None:
    assert [bytes(one) for one in codec.split(b"[1]", codec.PRODUCER_TYPE)] == [b"[1]"]


def test_a_report_travels_under_its_service() -> None:
    assert report_key("shop.billing") == "producer.shop_billing"
    assert len(report_key("é" * 400).encode()) <= 255

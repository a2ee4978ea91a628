"""A producer's report on the wire: a golden file that is read for ever, and the published schema."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it comes without stubs
import pytest

from faultwire_shared import codec
from faultwire_shared.topology import report_key
from faultwire_shared.wire_schema import PUBLISHED_REPORT, report_text

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "wire" / "producer" / "v1").glob("*.json"))


def test_the_published_schema_is_the_codecs() -> None:
    assert PUBLISHED_REPORT.read_text() == report_text(), "run `python -m faultwire_shared.wire_schema`"
    jsonschema.Draft202012Validator.check_schema(json.loads(report_text()))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_golden_report_is_read_agrees_with_the_schema_and_survives_writing(path: Path) -> None:
    jsonschema.Draft202012Validator(json.loads(report_text())).validate(json.loads(path.read_text()))
    report = codec.decode_report(path.read_bytes())
    written = codec.encode_report(report)
    assert codec.decode_report(written) == report
    said = json.loads(path.read_text())
    assert json.loads(written)["lost"] == said["lost"]
    assert (report.last_sequence, report.lost[0].first, report.lost[0].last) == (981, 700, 739)


def test_a_report_is_one_body_whatever_it_looks_like() -> None:
    assert [bytes(one) for one in codec.split(b"[1]", codec.PRODUCER_TYPE)] == [b"[1]"]


def test_a_report_travels_under_its_service() -> None:
    assert report_key("shop.billing") == "producer.shop_billing"
    assert len(report_key("é" * 400).encode()) <= 255

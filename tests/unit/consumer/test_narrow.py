"""The narrow decode reads the same wire as the full one."""

import json
from pathlib import Path

import msgspec
import pytest
from tests.tools.factories import wire_event

from faultwire_consumer.ingest.read.narrow import NarrowEvent, NarrowException, decode_narrow
from faultwire_shared.codec import Undecodable, decode
from faultwire_shared.event import Event, ExceptionInfo

GOLDEN = Path(__file__).parents[2] / "golden/wire/v1"


@pytest.mark.parametrize(("full", "narrow"), [(Event, NarrowEvent), (ExceptionInfo, NarrowException)])
def test_both_know_the_same_fields(full: type[msgspec.Struct], narrow: type[msgspec.Struct]) -> None:
    assert set(narrow.__struct_fields__) == set(full.__struct_fields__)


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_every_golden_event_is_read_narrowly_too(path: Path) -> None:
    body = json.loads(path.read_text())
    for event in body if isinstance(body, list) else [body]:
        assert decode_narrow(json.dumps(event).encode()).id == event["id"]


@pytest.mark.parametrize(
    "fields",
    [
        {"context": 5},
        {"tags": {"region": []}},
        {"user": "bob"},
        {"breadcrumbs": [1]},
        {"count": 0},
        {"sdk": {"name": 1}},
        {"fingerprint": "x"},
        {"handled": "yes"},
        {"occurred_at": "2026-11-23T10:00:00"},
    ],
)
def test_what_one_refuses_the_other_refuses(fields: dict[str, object]) -> None:
    body = json.dumps(wire_event(**fields)).encode()
    for read in (decode, decode_narrow):
        with pytest.raises(Undecodable):
            read(body)

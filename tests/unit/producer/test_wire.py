"""The wire contract: golden files that must be read for ever, and the published schema."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it comes without stubs
import msgspec
import pytest
from tests.tools.fake_transport import FakeTransport, as_json

from faultwire import ErrorManager, ValidationError
from faultwire_shared import codec
from faultwire_shared.wire_schema import PUBLISHED, schema_text

GOLDEN = sorted((Path(__file__).parents[2] / "golden" / "wire" / "v1").glob("*.json"))
VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema_text()))

golden_files = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


def test_the_published_schema_is_the_codecs() -> None:
    assert PUBLISHED.read_text() == schema_text(), "run `python -m faultwire_shared.wire_schema`"


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))


def test_there_are_golden_files() -> None:
    assert len(GOLDEN) >= 10


@golden_files
def test_a_golden_file_is_read_and_says_the_same_when_written_again(path: Path) -> None:
    event = codec.decode(path.read_bytes())
    assert codec.decode(codec.encode(event)) == event


@golden_files
def test_what_a_golden_file_says_survives_reading(path: Path) -> None:
    said = json.loads(path.read_text())
    read = msgspec.to_builtins(codec.decode(path.read_bytes()))
    for name in said.keys() - {"occurred_at", "first_at", "last_at", "weather", "exceptions"}:
        assert read.get(name, said[name]) == said[name]


@golden_files
def test_a_golden_file_agrees_with_the_schema(path: Path) -> None:
    VALIDATOR.validate(json.loads(path.read_text()))


def test_the_full_golden_file_reads_field_by_field() -> None:
    (path,) = (path for path in GOLDEN if path.stem == "full")
    event = codec.decode(path.read_bytes())
    assert event.occurred_at == datetime(2026, 11, 23, 10, 0, 0, 123_000, tzinfo=UTC)
    assert (event.severity, event.category, event.code) == ("high", "external", "CARD_GATEWAY_DOWN")
    assert [each.type for each in event.exceptions] == ["GatewayDownError", "ConnectionRefusedError"]
    assert event.exceptions[1].attributes == {"errno": "ECONNREFUSED"}
    assert event.exceptions[1].frames[1].in_app is False
    assert (event.user, event.sequence, event.scrubbed) == ({"id": "42"}, 981, True)


@pytest.mark.parametrize(
    "spoiled",
    [{"severity": None}, {"id": "17"}, {"schema_version": 2}, {"message": ""}, {"service": ""}, {"count": 0}],
)
def test_the_schema_refuses_what_the_worker_would_not_store(spoiled: dict[str, Any]) -> None:
    (path,) = (path for path in GOLDEN if path.stem == "minimal")
    assert not VALIDATOR.is_valid(json.loads(path.read_text()) | spoiled)


def made_by_hand() -> list[BaseException]:
    chained = ValueError("outer")
    chained.__cause__ = OSError(28, "full")
    return [
        ValueError("x" * 5000),
        chained,
        ExceptionGroup("both", [ValueError("a"), chained]),
        ValidationError("bad"),
        KeyError("k"),
    ]


def fail_with(error: BaseException) -> None:
    raise error


async def test_whatever_the_client_makes_agrees_with_the_schema() -> None:
    transport = FakeTransport()
    async with ErrorManager(service="shop", transport=lambda: transport) as errors:
        for error in made_by_hand():
            try:
                fail_with(error)
            except BaseException as caught:  # noqa: BLE001 - whatever was made is its subject
                errors.handle_error_nowait(
                    caught, "notice", {"a": [1, {"b": None}]}, tags={"t": 1.5}, user=3, fingerprint=["x"]
                )
    assert len(transport.events) == 5
    for event in transport.events:
        VALIDATOR.validate(as_json(event))

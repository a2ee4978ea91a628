"""Whatever an event holds, it is made as large as it may be, and says what was cut."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.gateway.cut import fit
from faultwire_shared.codec import decode
from faultwire_shared.event import DEPTH, EVENT_BYTES, STRING_CHARACTERS, ErrorSeverity, Event
from faultwire_shared.snapshot import TRUNCATED_PATHS

LEAST: dict[str, Any] = {
    "id": "error_20261130_" + "a" * 32,
    "schema_version": 1,
    "occurred_at": datetime(2026, 11, 30, tzinfo=UTC),
    "severity": ErrorSeverity.HIGH,
    "service": "shop",
}


def fitted(**fields: Any) -> Event:
    """The event that comes out, read as a worker would."""
    body = fit(LEAST | fields)
    assert len(body) <= EVENT_BYTES
    return decode(body)


def frames(number: int, **more: Any) -> list[dict[str, Any]]:
    return [{"file": "a.py", "qualname": f"call_{at}", "line": at} | more for at in range(number)]


def test_an_event_within_its_limits_stays_as_it_is() -> None:
    event = LEAST | {
        "message": "refused",
        "release": "shop@1",
        "handled": False,
        "exceptions": [
            {"type": "A", "value": "a", "frames": frames(100, context=["one", "two", "three"])},
            {"type": "G", "members": [[{"type": "M", "attributes": {"errno": 2}, "notes": ["n"]}]]},
        ],
        "context": {"a": {"b": [1, 2.5, None, True]}},
        "tags": {"t": "1"},
        "user": {"id": 7},
        "request": {"url": "/"},
        "breadcrumbs": [{"message": "m"}] * 50,
        "fingerprint": ["f"],
        "sdk": {"name": "sentry.python", "version": "2"},
        "truncated": ["exceptions.value"],
    }
    assert decode(fit(event)) == decode(msgspec.json.encode(event))


def test_of_too_many_frames_the_first_and_the_last_stay() -> None:
    event = fitted(exceptions=[{"type": "RecursionError", "frames": frames(999)}])
    lines = [frame.line for frame in event.exceptions[0].frames]
    assert lines == [*range(50), *range(949, 999)]
    assert event.truncated == ["exceptions.frames"]


def test_each_part_is_cut_to_its_limit_and_listed() -> None:
    deep: Any = "end"
    for _ in range(20):
        deep = {"in": deep}
    event = fitted(
        message="m" * 2_000,
        release="r" * 300,
        exceptions=[{"type": "T" * 300, "value": "v" * 2_000, "frames": frames(1, file="f" * 500)}],
        context={"deep": deep, "long": "l" * 2_000, "many": {str(at): at for at in range(100)}},
        tags={"t": "t" * 400},
        breadcrumbs=[{"message": str(at)} for at in range(60)],
    )
    assert event.message == "m" * STRING_CHARACTERS
    assert event.release == "r" * 200
    assert event.tags == {"t": "t" * 200}
    assert len(event.context["many"]) == 50
    assert [crumb["message"] for crumb in event.breadcrumbs] == [str(at) for at in range(10, 60)]
    assert set(event.truncated) == {
        *("message", "release", "exceptions.type", "exceptions.value", "exceptions.frames.file"),
        *(".".join(("context", "deep", *["in"] * (DEPTH - 1))), "context.long", "context.many"),
        *("tags.t", "breadcrumbs"),
    }


def test_of_many_source_lines_the_one_that_ran_stays_in_the_middle() -> None:
    lines = [f"line {at}" for at in range(41)]
    event = fitted(exceptions=[{"type": "E", "frames": frames(1, context=lines)}])
    frame = event.exceptions[0].frames[0]
    assert (frame.ran, len(frame.context)) == ("line 20", 11)


def test_what_does_not_fit_goes_in_the_order_of_its_use() -> None:
    wide = {f"v{at}": "x" * 250 for at in range(8)}
    chain = [
        {"type": f"E{at}", "frames": frames(100, context=["c" * 200] * 11, vars=wide)} for at in range(12)
    ]
    event = fitted(exceptions=chain, context={"kept": "yes"}, breadcrumbs=[{"message": "kept"}])
    assert [one.type for one in event.exceptions] == [f"E{at}" for at in range(12)]
    assert [frame.line for frame in event.exceptions[11].frames] == [*range(10), *range(70, 100)]
    assert all(frame.ran == "c" * 200 and not frame.vars for frame in event.exceptions[0].frames)
    assert event.truncated == ["exceptions.frames", "exceptions.frames.vars", "exceptions.frames.context"]
    assert (event.context, event.breadcrumbs) == ({"kept": "yes"}, [{"message": "kept"}])


def test_the_largest_of_the_context_and_the_oldest_breadcrumbs_go_first() -> None:
    emoji = "\U0001f600"
    chain = [{"type": "E", "frames": frames(40, file="f" * 60)}] * 20
    event = fitted(
        exceptions=chain,
        context={"large": [emoji * 1_000] * 45, "small": 1},
        breadcrumbs=[{"at": at, "message": emoji * 1_000} for at in range(50)],
    )
    assert event.context == {"small": 1}
    assert event.breadcrumbs[-1]["at"] == 49
    assert 20 < len(event.breadcrumbs) < 50
    assert event.truncated == ["context.large", "breadcrumbs"]


@pytest.mark.parametrize("character", ["\x01", "\U0001f600"])
def test_the_largest_event_that_there_can_be_fits(character: str) -> None:
    long = character * 1_100
    frame = {"file": long, "module": long, "qualname": long, "context": [long] * 20, "vars": {long: long}}
    one: dict[str, Any] = {
        "type": long,
        "module": long,
        "value": long,
        "notes": [long] * 20,
        "frames": [frame] * 110,
    }
    one["attributes"] = {f"{at}{long}": long for at in range(80)}
    group = one | {"members": [[one] * 3] * 20}
    wide = {f"{at}{long}": {f"{other}{long}": long for other in range(15)} for at in range(55)}
    event = fitted(
        **dict.fromkeys(("message", "template", "transaction", "release", "environment", "host"), long),
        exceptions=[group] * 30,
        **dict.fromkeys(("context", "user", "request", "tags"), wide),
        breadcrumbs=[wide] * 100,
        fingerprint=[long] * 100,
        sdk={"name": long, "version": long},
        truncated=[f"{at}{long}" for at in range(100)],
    )
    assert event.exceptions[0].type == character * 200
    assert len(event.truncated) == TRUNCATED_PATHS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


@given(context=st.dictionaries(st.text(), VALUES, max_size=5), value=st.text(), paths=st.lists(st.text()))
def test_any_value_comes_out_as_an_event_that_a_worker_reads(
    context: dict[str, Any], value: str, paths: list[str]
) -> None:
    fields = {"context": context, "tags": context, "user": context, "breadcrumbs": [context]}
    event = fitted(
        **fields, exceptions=[{"type": "E", "value": value, "attributes": context}], truncated=paths
    )
    assert event.exceptions[0].type == "E"


def test_the_document_itself_stays_as_it_is() -> None:
    document = LEAST | {"context": {"large": ["\U0001f600" * 1_000] * 50}, "breadcrumbs": [{"a": "b"}] * 60}
    before = msgspec.json.encode(document)
    fit(document)
    assert msgspec.json.encode(document) == before

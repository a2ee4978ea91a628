"""Second 60 in a time of the wire: the next minute's first, in the event's own times and nowhere else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.factories import wire_body

from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.ingest.read.wire_time import without_leap_seconds

LEAP = "2016-12-31T23:59:60Z"


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (LEAP, "2017-01-01T00:00:00Z"),
        ("2016-12-31T23:59:60.25Z", "2017-01-01T00:00:00.250000Z"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T05:30:00+05:30"),
        ("2026-11-23T10:00:60Z", "2026-11-23T10:01:00Z"),
    ],
)
def test_second_60_is_the_next_minute_s_first(told: str, read: str) -> None:
    body = without_leap_seconds(wire_body(occurred_at=told, first_at=told, last_at=told))
    event = json.loads(body)
    assert [event["occurred_at"], event["first_at"], event["last_at"]] == [read] * 3
    assert decode_narrow(body).id == event["id"]


def test_what_else_says_so_is_left_as_it_is() -> None:
    body = wire_body(occurred_at=LEAP, message=LEAP, context={"occurred_at": LEAP, "big": 10**30})
    event = json.loads(without_leap_seconds(body))
    assert event["message"] == event["context"]["occurred_at"] == LEAP
    assert event["context"]["big"] == 10**30


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:60Z",
        "2016-02-31T23:59:60Z",
        "2016-12-31T23:60:60Z",
        "2016-12-31T23:59:61Z",
        60,
        None,
    ],
)
def test_what_no_calendar_holds_is_left_as_it_is(time: object) -> None:
    body = wire_body(occurred_at=time)
    assert without_leap_seconds(body) == body


@given(st.binary(max_size=40).map(lambda rest: b'{"occurred_at":"2016-12-31T23:59:60Z' + rest) | st.binary())
def test_no_body_brings_out_an_error(body: bytes) -> None:
    mended = without_leap_seconds(body)
    assert without_leap_seconds(mended) == mended

"""Frames that pamqp cannot decode, and whose connections live on all the same."""

import struct
from typing import Any

import pamqp.frame
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic
from pamqp.exceptions import UnmarshalingException
from tests.tools.raw_frames import NANOSECONDS, frame, header, long, nested, short, table

from faultwire_consumer.ingest.receive.frames import (
    TABLE_DEPTH,
    Oddities,
    odd_frames_are_read,
    oddity_of,
)
from faultwire_consumer.ingest.receive.outage import LOG_SECONDS

ODD = b"\xff\xfe"


def unmarshal(data: bytes) -> tuple[int, int, Any]:
    """As aiormq calls it."""
    return pamqp.frame.unmarshal(data)


SOUND = {"content_type": short(b"application/json"), "message_type": short(b"faultwire.event.v1")}


@pytest.mark.parametrize(
    ("name", "odd", "read"),
    [
        ("content_type", short(ODD), "\ufffd\ufffd"),
        ("app_id", short(b"caf\xe9"), "caf\ufffd"),
        ("message_id", short(ODD), "\ufffd\ufffd"),
        ("timestamp", NANOSECONDS, None),
        ("timestamp", b"\xff" * 8, None),
        ("headers", table((ODD, b"S" + long(b"v"))), {"\ufffd\ufffd": "v"}),
        (
            "headers",
            table((b"at", b"T" + NANOSECONDS), (b"n", b"l" + b"\0" * 7 + b"\x05")),
            {"at": None, "n": 5},
        ),
    ],
)
def test_what_is_odd_costs_itself_and_no_other_property(name: str, odd: bytes, read: object) -> None:
    with odd_frames_are_read():
        size, channel, got = unmarshal(frame(2, 7, header(9, SOUND | {name: odd})))
    assert (channel, got.body_size) == (7, 9)
    assert size == len(frame(2, 7, header(9, SOUND | {name: odd})))
    assert getattr(got.properties, name) == read
    assert got.properties.message_type == "faultwire.event.v1"
    assert oddity_of(got)


def test_the_brokers_own_headers_stand_beside_what_is_nested_without_end() -> None:
    death = b"F" + table((b"queue", b"S" + long(b"faultwire.high")), (b"count", b"l" + struct.pack(">q", 3)))
    headers = table(
        (b"deep", nested(5_000)),
        (b"x-death", b"A" + long(death)),
        (b"x-delivery-count", b"l" + struct.pack(">q", 4)),
    )
    with odd_frames_are_read():
        _, _, got = unmarshal(frame(2, 1, header(0, {"headers": headers})))
    found = got.properties.headers
    assert found["x-death"] == [{"queue": "faultwire.high", "count": 3}]
    assert found["x-delivery-count"] == 4
    deep, depth = found["deep"], 0
    while deep:
        deep, depth = deep[0], depth + 1
    assert depth == TABLE_DEPTH


def test_a_delivery_under_a_key_that_is_no_text_is_one() -> None:
    payload = (
        struct.pack(">HH", 60, 60) + short(b"tag") + struct.pack(">Q", 12) + b"\1" + short(b"e") + short(ODD)
    )
    with odd_frames_are_read():
        _, _, got = unmarshal(frame(1, 3, payload))
    assert isinstance(got, Basic.Deliver)
    assert (got.consumer_tag, got.delivery_tag, got.redelivered) == ("tag", 12, True)
    assert (got.exchange, got.routing_key) == ("e", "\ufffd\ufffd")


def test_another_connection_of_the_process_meets_the_librarys_own_error() -> None:
    with odd_frames_are_read():
        pass
    with pytest.raises(UnmarshalingException):
        pamqp.frame.unmarshal(frame(2, 1, header(0, {"app_id": short(ODD)})))


@given(st.binary(max_size=200), st.sampled_from([1, 2, 3, 8]))
def test_no_frame_whatever_it_holds_raises_what_the_library_does_not(junk: bytes, kind: int) -> None:
    with odd_frames_are_read():
        try:
            pamqp.frame.unmarshal(frame(kind, 1, junk))
        except Exception as error:  # noqa: BLE001 - whatever the library raises
            ours = repr(error)
        else:
            return
    with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the library raises
        pamqp.frame.unmarshal(frame(kind, 1, junk))
    assert repr(raised.value) == ours


@pytest.mark.parametrize("odd", [{"timestamp": b"\0"}, {"headers": long(b"\1aT\0")}, {"app_id": b"\x09a"}])
def test_a_header_that_ends_too_early_is_no_message(odd: dict[str, bytes]) -> None:
    with odd_frames_are_read(), pytest.raises(UnmarshalingException):
        unmarshal(frame(2, 1, header(0, {"content_type": short(ODD)} | odd)))


def test_a_service_whose_messages_are_all_odd_is_logged_now_and_then_with_their_number() -> None:
    now = [5.0]
    oddities = Oddities(lambda: now[0])
    assert [oddities.note() for _ in range(4)] == [1, 0, 0, 0]
    now[0] += LOG_SECONDS
    assert [oddities.note() for _ in range(2)] == [4, 0]

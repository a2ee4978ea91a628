"""Store bodies, client reports, browsers' reports and rate limits: whatever comes, within bounds."""

import base64
import re
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.traffic import recordings
from tests.tools.traffic_body import content_of

from faultwire_consumer.gateway.reading import ClientLoss
from faultwire_consumer.gateway.sentry.client_report import (
    LOSSES,
    REPORT_BYTES,
    UnreadableReportError,
    merge_losses,
    read_report,
)
from faultwire_consumer.gateway.sentry.envelope import EnvelopeReader
from faultwire_consumer.gateway.sentry.limits import UNSUPPORTED, category_of, kind_of, over_quota
from faultwire_consumer.gateway.sentry.security import UnreadableReportsError, count_reports
from faultwire_consumer.gateway.sentry.store_body import (
    EVENT_BYTES_MAX,
    StoreTooLargeError,
    UnreadableStoreError,
    unpack_store,
)
from faultwire_shared.event import COUNT_MAX

EVENT = b'{"message": "\xc3\xbc~~~???>>>"}'


@pytest.mark.parametrize(
    "body",
    [
        EVENT,
        b"\xef\xbb\xbf \r\n" + EVENT,
        base64.b64encode(EVENT),
        b" " + base64.encodebytes(EVENT),
        base64.urlsafe_b64encode(EVENT).rstrip(b"="),
        base64.b64encode(zlib.compress(EVENT)),
        base64.b64encode(zlib.compress(EVENT, 9)) + b"\n",
    ],
)
def test_an_event_is_found_in_each_form_of_a_store_s_body(body: bytes) -> None:
    assert unpack_store(body) == EVENT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"rubbish!",
        b"abcde",
        base64.b64encode(b"rubbish"),
        base64.b64encode(zlib.compress(EVENT)[:-5]),
    ],
)
def test_another_body_is_refused_by_name(body: bytes) -> None:
    with pytest.raises(UnreadableStoreError):
        unpack_store(body)


def test_an_event_is_a_mebibyte_at_most_in_each_form() -> None:
    largest = b"{" + b" " * (EVENT_BYTES_MAX - 2) + b"}"
    for packed in (bytes, base64.b64encode, lambda plain: base64.b64encode(zlib.compress(plain))):
        assert unpack_store(packed(largest)) == largest
        with pytest.raises(StoreTooLargeError):
            unpack_store(packed(largest + b" "))


def test_of_a_bomb_little_more_than_the_bound_is_made() -> None:
    bomb = base64.b64encode(zlib.compress(b" " * 10_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(StoreTooLargeError):
            unpack_store(bomb)
        assert tracemalloc.get_traced_memory()[1] < 3 * EVENT_BYTES_MAX
    finally:
        tracemalloc.stop()


@given(body=st.binary(max_size=100))
def test_no_bytes_raise_anything_but_the_named_errors(body: bytes) -> None:
    for packed in (body, base64.b64encode(body), base64.b64encode(zlib.compress(body))):
        with suppress(UnreadableStoreError):
            unpack_store(packed)
    with suppress(UnreadableReportError):
        read_report(body)
    with suppress(UnreadableReportsError):
        count_reports(body)


def report(*entries: Any) -> bytes:
    return msgspec.json.encode({"timestamp": 1, "discarded_events": entries})


def entry(reason: Any, category: Any, quantity: Any) -> dict[str, Any]:
    return {"reason": reason, "category": category, "quantity": quantity}


def loss(reason: str, category: str, count: int) -> ClientLoss:
    return ClientLoss(reason=reason, category=category, count=count)


def test_a_report_says_what_was_dropped_and_why() -> None:
    told = report(
        entry("queue_overflow", "error", 236),
        entry("ratelimit_backoff", "error", 2),
        entry("queue_overflow", "error", 4.0),
        entry(None, 7, 1),
        entry("r" * 300, "error", 10**30),
        *(entry("none", "error", wrong) for wrong in (0, -1, None, "5", True)),
        "rubbish",
    )
    assert read_report(told) == [
        loss("queue_overflow", "error", 240),
        loss("ratelimit_backoff", "error", 2),
        loss("other", "default", 1),
    ]


def test_reasons_and_counts_are_bounded() -> None:
    told = report(entry("r" * 300, "c" * 300, 2**62), entry("r" * 300, "c" * 300, 2**62))
    assert read_report(told) == [loss("r" * 200, "c" * 200, COUNT_MAX)]
    many = [loss(f"r{at}", "error", 1) for at in range(LOSSES + 50)]
    merged = merge_losses(many)
    assert (merged[:LOSSES], merged[LOSSES:]) == (many[:LOSSES], [loss("other", "default", 50)])


@pytest.mark.parametrize("told", [b"{}", b'{"discarded_events": null}', b'{"discarded_events": {"a": 1}}'])
def test_a_report_of_nothing_says_nothing(told: bytes) -> None:
    assert read_report(told) == []


@pytest.mark.parametrize("told", [b"", b"[]", b"rubbish"])
def test_no_report_is_refused_by_name(told: bytes) -> None:
    with pytest.raises(UnreadableReportError):
        read_report(told)


def test_recorded_reports_tell_the_losses_that_were_provoked() -> None:
    losses: list[ClientLoss] = []
    for recording in recordings():
        for request in recording.requests:
            if request.method == "POST" and request.path.rstrip("/").endswith("/envelope"):
                reader = EnvelopeReader({"client_report": REPORT_BYTES})
                items = [*reader.feed(content_of(request)), *reader.finish()]
                losses += [each for item in items for each in read_report(item.payload)]
    reasons = {each.reason for each in losses}
    assert {
        "ratelimit_backoff",
        "network_error",
        "send_error",
        "event_processor",
        "queue_overflow",
    } <= reasons
    assert all(each.count >= 1 for each in losses)


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        (b'{"csp-report": {"blocked-uri": "inline"}}', {"csp": 1}),
        (b'{"expect-ct-report": {}}', {"expect_ct": 1}),
        (
            b'[{"type": "csp-violation"}, {"type": "deprecation"}, {"type": "csp-violation"}]',
            {"csp": 2, "deprecation": 1},
        ),
        (b'{"type": "csp-violation", "body": {}}', {"csp": 1}),
        (b'[{"type": "x"}, {"type": {}}, 5, {}]', {"other": 4}),
        (b"[" + b",".join([b'{"type": "crash"}'] * 150) + b"]", {"crash": 100, "other": 50}),
        (b"{}", {"other": 1}),
        (b"[]", {}),
    ],
)
def test_browsers_reports_are_counted_by_kind(body: bytes, counts: dict[str, int]) -> None:
    assert count_reports(body) == counts


def test_recorded_reports_of_browsers_are_of_csp() -> None:
    bodies = [
        content_of(request)
        for recording in recordings()
        for request in recording.requests
        if "/security/" in request.path
    ]
    assert [count_reports(body) for body in bodies] == [{"csp": 1}] * 2


def test_browsers_reports_of_another_kind_are_refused_by_name() -> None:
    for body in (b"", b"7", b"<html>"):
        with pytest.raises(UnreadableReportsError):
            count_reports(body)


LIMIT = re.compile(r"\d+:[a-z_]+(;[a-z_]+)*:(organization|project)(:[a-z]+)?")


def test_rate_limits_follow_the_grammar_and_never_stop_everything() -> None:
    for value in (UNSUPPORTED, over_quota(60), over_quota(0), over_quota(10**9)):
        assert all(LIMIT.fullmatch(each) for each in value.split(","))
    categories = UNSUPPORTED.split(":")[1].split(";")
    assert {"transaction", "session", "log_item", "replay"} <= set(categories)
    assert not {"error", "default", "internal", "security"} & set(categories)


def test_a_quota_stops_errors_for_a_whole_number_of_seconds_and_says_the_rest_as_ever() -> None:
    assert over_quota(2.1) == f"3:error;default:project:quota,{UNSUPPORTED}"
    assert over_quota(-5).startswith("1:error;")
    assert over_quota(10**9).startswith("86400:error;")


def test_an_item_of_an_unknown_type_is_other_and_its_category_is_default() -> None:
    assert (kind_of("session"), category_of("session")) == ("session", "session")
    assert (kind_of("news"), category_of(kind_of("news"))) == ("other", "default")

"""What a Sentry event says of itself, of its exceptions and of whom it happened to, and how it is read."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from tests.tools.sentry_traffic import RECORDED_AT

from faultwire_consumer.gateway.reading import ReadEvent, ReadingContext
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event import read_event
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_shared.codec import decode
from faultwire_shared.event import EVENT_BYTES, FRAMES, Event, Sdk

DIGITS: Final = "6abf5431b9f64f488b6758531b90e5f0"
OTHER: Final = "0" * 31 + "1"
TOLD: Final = "2026-11-29T01:01:16Z"
TOLD_AT: Final = datetime(2026, 11, 29, 1, 1, 16, tzinfo=UTC)
NO_HEADER: Final = EnvelopeHeader()


def read(
    given: dict[str, Any],
    envelope: EnvelopeHeader = NO_HEADER,
    *,
    at: datetime = RECORDED_AT,
    address: str | None = None,
    sdk: Sdk | None = None,
) -> ReadEvent:
    context = ReadingContext(service="shop", received_at=at, address=address, sdk=sdk)
    found = read_event(msgspec.json.encode(given), context, envelope)
    decode_narrow(found.body)
    return found


def event_of(given: dict[str, Any], envelope: EnvelopeHeader = NO_HEADER, **known: Any) -> Event:
    return decode(read(given, envelope, **known).body)


def value(
    kind: str, number: int | None = None, parent: int | None = None, **mechanism: Any
) -> dict[str, Any]:
    numbers = {"exception_id": number, "parent_id": parent}
    return {
        "type": kind,
        "value": kind.lower(),
        "mechanism": {name: told for name, told in (numbers | mechanism).items() if told is not None},
    }


def chained(*raised_first: dict[str, Any]) -> Event:
    return event_of({"exception": {"values": list(raised_first[::-1])}})


def types(event: Event) -> list[str]:
    return [each.type for each in event.exceptions]


# its id and its time


def test_an_event_is_stored_under_its_envelope_s_id_and_its_own_day() -> None:
    found = read({"event_id": OTHER, "timestamp": TOLD}, EnvelopeHeader(event_id=DIGITS.upper()))
    assert found.id == f"error_20261129_{DIGITS}"
    assert read({"event_id": DIGITS, "timestamp": TOLD}, EnvelopeHeader(event_id="no id")).id == found.id


@pytest.mark.parametrize("event_id", [None, "0" * 32, "not hex", 7, "a" * 31, "\uff41" * 32])
def test_an_event_without_an_id_is_the_same_as_often_as_it_is_sent(event_id: Any) -> None:
    given = {"event_id": event_id, "message": "text", "timestamp": TOLD}
    first = read(given)
    assert read(given, at=RECORDED_AT + timedelta(days=2)).id == first.id
    assert read(given | {"message": "other"}).id != first.id


def test_events_without_id_and_time_are_as_many_as_arrive() -> None:
    ids = {read({"message": "text"}, at=RECORDED_AT + timedelta(seconds=one)).id for one in range(3)}
    assert len(ids) == 3


def test_an_event_that_waited_for_days_in_a_browser_keeps_its_time() -> None:
    event = event_of({"timestamp": TOLD}, EnvelopeHeader(sent_at=RECORDED_AT), at=RECORDED_AT)
    later = RECORDED_AT + timedelta(days=9)
    waited = event_of({"timestamp": TOLD}, EnvelopeHeader(sent_at=later), at=later)
    assert event.occurred_at == waited.occurred_at == TOLD_AT
    assert "reported_at" not in waited.context


def test_an_event_of_a_clock_that_is_ahead_is_moved_back_under_the_same_id() -> None:
    ahead = RECORDED_AT + timedelta(hours=30)
    given = {"event_id": DIGITS, "timestamp": (ahead - timedelta(seconds=2)).isoformat()}
    event = event_of(given, EnvelopeHeader(sent_at=ahead), at=RECORDED_AT)
    again = event_of(
        given, EnvelopeHeader(sent_at=ahead + timedelta(days=1)), at=RECORDED_AT + timedelta(days=1)
    )
    assert event.occurred_at == RECORDED_AT - timedelta(seconds=2)
    assert event.id == again.id == f"error_20261130_{DIGITS}"
    assert event.context["reported_at"] == "2026-11-30T07:59:58.000000Z"


@pytest.mark.parametrize("minutes", [-600, -6, 0, 4, 5])
def test_a_clock_that_is_not_far_ahead_is_believed(minutes: int) -> None:
    sent_at = RECORDED_AT + timedelta(minutes=minutes)
    assert event_of({"timestamp": TOLD}, EnvelopeHeader(sent_at=sent_at)).occurred_at == TOLD_AT


def test_an_event_without_a_time_happened_when_it_was_sent() -> None:
    sent_at = RECORDED_AT - timedelta(minutes=1)
    assert event_of({}, EnvelopeHeader(sent_at=sent_at)).occurred_at == sent_at
    assert event_of({}, EnvelopeHeader(sent_at=sent_at.replace(tzinfo=None))).occurred_at == sent_at
    assert event_of({}).occurred_at == RECORDED_AT


@pytest.mark.parametrize(
    "told", [-(10**12), 0, "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", 2**63]
)
def test_no_time_is_beyond_the_calendar(told: Any) -> None:
    for sent_at in (None, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        read({"timestamp": told}, EnvelopeHeader(sent_at=sent_at))


# its exceptions


def test_causes_by_numbers_are_a_chain() -> None:
    event = chained(value("A", 0), value("B", 1, 0, source="__cause__"), value("C", 2, 1, source="cause"))
    assert types(event) == ["A", "B", "C"]


def test_members_of_a_group_have_their_own_causes_and_the_group_its_own() -> None:
    event = chained(
        value("Group", 0, is_exception_group=True),
        value("Cause", 1, 0, source="__context__"),
        value("First", 2, 0, source="exceptions[0]"),
        value("Second", 3, 0, source="errors[1]"),
        value("Deep", 4, 3, source="cause"),
    )
    assert types(event) == ["Group", "Cause"]
    members = event.exceptions[0].members
    assert [[each.type for each in chain] for chain in members] == [["First"], ["Second", "Deep"]]


@pytest.mark.parametrize(
    "links",
    [
        [(0, None), (0, 0)],
        [(0, 1), (1, 0)],
        [(0, 0), (1, 1)],
        [(0, None), (1, 7)],
        [(0, None), (None, 0)],
        [(True, None), (1, 0)],
        [(2**63 - 1, None), (-1, 2**63 - 1)],
    ],
)
def test_numbers_that_make_no_tree_lose_no_exception(links: list[tuple[Any, Any]]) -> None:
    event = chained(*(value(f"E{index}", *link) for index, link in enumerate(links)))
    assert types(event) == ["E0", "E1"]


def test_groups_within_groups_end_somewhere_and_say_so() -> None:
    nested = [value("Group", 0), *(value("Group", one, one - 1, source="errors[0]") for one in range(1, 90))]
    event = chained(*nested)
    assert types(event) == ["Group"]
    assert "exceptions.members" in event.truncated


def test_of_too_many_exceptions_the_raised_one_and_the_root_cause_stay() -> None:
    event = chained(*(value(f"E{number}") for number in range(2_000)))
    assert (types(event)[0], types(event)[-1]) == ("E0", "E1999")
    assert "exceptions" in event.truncated


def test_the_raised_exception_is_the_one_without_a_parent_wherever_it_stands() -> None:
    assert types(chained(value("B", 1, 0), value("A", 0), value("C", 2, 1))) == ["A", "B", "C"]


def test_a_boundary_that_is_all_there_is_stays() -> None:
    assert types(chained(value("React ErrorBoundary E"))) == ["React ErrorBoundary E"]


def test_details_tell_faults_of_one_type_apart() -> None:
    meta = {
        "errno": {"number": 111, "name": "ECONNREFUSED"},
        "signal": {"number": 11},
        "ns_error": {"code": 3},
    }
    event = chained(value("E", meta=meta, data={"relevant": True, "list": [], "errno": "other"}))
    assert event.exceptions[0].attributes == {
        "errno": "ECONNREFUSED",
        "signal": 11,
        "ns_error_code": 3,
        "relevant": True,
    }


@pytest.mark.parametrize("where", [{"contexts": "node_system_error"}, {"extra": "Error"}])
def test_an_error_of_the_system_keeps_its_number_where_its_text_does_not_tell_it(
    where: dict[str, str],
) -> None:
    (field, name), *_ = where.items()
    told = {"errno": -2, "code": "ENOENT", "syscall": "open"}
    event = event_of({"exception": {"type": "Error", "value": "v"}, field: {name: told}})
    assert event.exceptions[0].attributes == {"errno": "ENOENT", "syscall": "open"}


def test_an_exception_without_a_stack_has_the_one_beside_it() -> None:
    stack, thread = ({"frames": [{"function": name}]} for name in ("loose", "crashed"))
    for beside in (
        {"stacktrace": stack},
        {"threads": [{"stacktrace": stack, "crashed": True}]},
        {"threads": {"values": [{"stacktrace": thread}, {"stacktrace": stack, "current": True}]}},
    ):
        event = event_of({"exception": {"type": "E"}, **beside})
        assert [frame.qualname for frame in event.exceptions[0].frames] == ["loose"]


def test_the_stack_of_a_message_is_read_by_people_alone() -> None:
    threads = [
        {"current": True, "stacktrace": {"frames": [{"function": "say", "filename": "a.rb", "lineno": 7}]}}
    ]
    event = event_of({"message": "text", "threads": threads})
    assert not event.exceptions
    assert event.context["stack"] == ["say (a.rb:7)"]
    nameless = event_of({"threads": threads})
    assert (types(nameless), nameless.message) == ([""], "(no text)")


# its frames


@pytest.mark.parametrize(
    ("frame", "platform"),
    [
        ({"filename": "json/decoder.py", "abs_path": "/usr/lib/python3.11/json/decoder.py"}, "python"),
        ({"filename": "json/decoder.py", "abs_path": "/opt/py/lib/python3.11/json/decoder.py"}, "python"),
        (
            {"filename": "flask/app.py", "abs_path": "/srv/env/lib/python3.11/site-packages/flask/app.py"},
            "python",
        ),
        ({"filename": "C:\\Python311\\Lib\\json\\decoder.py"}, "python"),
        ({"filename": "<frozen runpy>"}, "python"),
        ({"filename": "/usr/lib/python3/dist-packages/x.py"}, "python"),
        ({"filename": "node:internal/process"}, "node"),
        ({"filename": "internal/modules/cjs/loader.js"}, "node"),
        ({"filename": "/srv/app/node_modules/express/lib/router.js"}, "node"),
        ({"filename": "app:///node_modules/x/index.js"}, "javascript"),
        ({"filename": "chrome-extension://abc/x.js"}, "javascript"),
        ({"abs_path": "/var/lib/gems/3.1.0/gems/rack-2.2.6/lib/rack.rb"}, "ruby"),
        ({"abs_path": "/usr/lib/ruby/3.1.0/net/http.rb"}, "ruby"),
        ({"abs_path": "/usr/lib/go-1.19/src/runtime/proc.go"}, "go"),
        ({"abs_path": "/root/go/pkg/mod/github.com/x/y@v1/z.go"}, "go"),
        ({"abs_path": "/srv/app/vendor/x/y.php"}, "php"),
        ({"filename": "/srv/app/own.py", "in_app": False}, "python"),
    ],
)
def test_what_is_installed_is_not_the_service_s_own(frame: dict[str, Any], platform: str) -> None:
    given = {
        "platform": platform,
        "exception": {"type": "E", "stacktrace": {"frames": [{"in_app": True} | frame]}},
    }
    assert not event_of(given).exceptions[0].frames[0].in_app


@pytest.mark.parametrize(
    ("path", "platform"),
    [
        ("/srv/app/internal/orders.py", "python"),
        ("internal/orders.go", "go"),
        ("/srv/app/vendor/orders.py", "python"),
        ("app:///_next/server/app/api/pay/route.js", "node"),
        ("/home/lib/orders.rb", "ruby"),
        ("C:\\shop\\Lib\\orders.cs", "csharp"),
        ("<string>", "python"),
    ],
)
def test_what_the_service_wrote_is_its_own_though_nothing_says_so(path: str, platform: str) -> None:
    given = {"platform": platform, "exception": {"type": "E", "stacktrace": {"frames": [{"filename": path}]}}}
    assert event_of(given).exceptions[0].frames[0].in_app


def test_of_source_only_the_line_that_ran_is_kept_and_no_variable() -> None:
    frame = {
        "function": "f",
        "context_line": "run()",
        "pre_context": ["a"],
        "post_context": [],
        "vars": {"x": 1},
    }
    kept = event_of({"exception": {"type": "E", "stacktrace": {"frames": [frame]}}}).exceptions[0].frames[0]
    assert (kept.context, kept.vars) == (["run()"], {})


def test_of_a_long_stack_the_first_and_the_last_frames_are_kept() -> None:
    frames = [{"function": f"f{number}"} for number in range(10_000)]
    event = event_of({"exception": {"type": "E", "stacktrace": {"frames": frames}}})
    names = [frame.qualname for frame in event.exceptions[0].frames]
    assert names == [f"f{one}" for one in (*range(FRAMES // 2), *range(10_000 - FRAMES // 2, 10_000))]
    assert event.truncated == ["exceptions.frames"]


# its people, its library, its trail


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({"user": {"ip_address": "{{auto}}"}}, "203.0.113.9"),
        ({"sdk": {"settings": {"infer_ip": "auto"}}}, "203.0.113.9"),
        ({"sdk": {"settings": {"infer_ip": "never"}}, "user": {"id": 1}}, None),
        ({"user": {"ip_address": "192.0.2.1"}, "sdk": {"settings": {"infer_ip": "auto"}}}, "192.0.2.1"),
        ({"user": {"id": "{{auto}}x"}}, None),
        ({}, None),
    ],
)
def test_an_address_is_taken_where_the_client_asks_for_it_only(
    given: dict[str, Any], address: str | None
) -> None:
    assert event_of(given, address="203.0.113.9").user.get("ip_address") == address
    assert event_of(given).user.get("ip_address") == (address if address == "192.0.2.1" else None)


def test_the_library_is_the_event_s_or_the_envelope_s_or_the_request_s() -> None:
    own, envelope = {"sdk": {"name": "own", "version": 2}}, EnvelopeHeader(sdk=Sdk(name="envelope"))
    request = Sdk(name="raven-js", version="3")
    assert read(own, envelope, sdk=request).sdk == Sdk(name="own", version="2")
    assert read({}, envelope, sdk=request).sdk == Sdk(name="envelope")
    assert read({}, sdk=request).sdk == request
    assert read({}).sdk == Sdk()


def test_an_event_of_no_trace_is_of_its_envelope_s() -> None:
    envelope = EnvelopeHeader(trace={"trace_id": DIGITS})
    assert (event_of({}, envelope).trace_id, event_of({}, envelope).span_id) == (DIGITS, None)
    assert event_of({}, EnvelopeHeader(trace={"trace_id": ["x"]})).trace_id is None


def test_the_last_breadcrumbs_are_kept_in_their_order() -> None:
    event = event_of({"breadcrumbs": [{"message": str(number)} for number in range(200)]})
    assert [each["message"] for each in event.breadcrumbs] == [str(number) for number in range(150, 200)]
    assert "breadcrumbs" in event.truncated


def test_a_process_s_environment_is_not_kept_and_other_secrets_are_known_by_their_names() -> None:
    given = {
        "message": "text",
        "extra": {"environ": {"SENTRY_DSN": "http://key@host/1", "X": "not-real"}, "db_password": "not-real"},
        "request": {
            "headers": [["Cookie", "id=not-real"], ["Authorization", "Bearer not-real-token-of-ours"]],
            "cookies": {"id": "not-real"},
            "query_string": [["token", "not-real"]],
            "url": "http://shop/pay?coupon=x1&token=not-real",
            "data": {"card": "4111 1111 1111 1111", "password": "not-real"},
            "env": {"API_KEY": "not-real"},
        },
    }
    body = BodyScrubber().scrub_event(read(given).body)
    assert not [secret for secret in (b"not-real", b"SENTRY_DSN", b"4111") if secret in body]


# what it costs


@pytest.mark.parametrize(
    "given",
    [
        {"logentry": {"message": "{0}" * 200_000, "params": ["x" * 300_000]}},
        {"logentry": {"message": "%(a)s" * 100_000, "params": {"a": "x" * 300_000}}},
        {"message": "{" * 900_000},
        {"message": "%" * 900_000},
        {"exception": {"value": "A" * 450_000 + ":" * 450_000}},
        {"exception": {"type": "E", "stacktrace": {"frames": [{"filename": "/lib/python3" * 40_000}] * 20}}},
        {"exception": [{"type": "E", "stacktrace": {"frames": [{"function": "f"}] * 300}}] * 200},
        {"tags": {f"k{number}": "v" for number in range(50_000)}},
        {"breadcrumbs": [{}] * 300_000},
        {"fingerprint": ["{{" * 1_000] * 400},
        {"release": " " * 900_000 + "x"},
        {"environment": "\x01" * 200_000},
        {"x" * 900_000: 1},
    ],
    ids=lambda given: str(given)[:40],
)
def test_no_event_of_a_megabyte_takes_long_or_grows(given: dict[str, Any]) -> None:
    began = time.process_time()
    assert len(read(given).body) <= EVENT_BYTES
    assert time.process_time() - began < 10  # quadratic would be minutes

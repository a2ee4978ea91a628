"""Exceptions become events: chains, frames, identity, bounds, and nothing hostile gets through."""

import decimal
import enum
import http
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tools.fake_transport import FakeTransport
from tests.unit.producer.harness import Harness

from faultwire import ErrorManager, ValidationError
from faultwire.capture.event import Origin, event_from
from faultwire.capture.frame import FrameReader
from faultwire.capture.handled import Extras, judge
from faultwire.pipeline.encoding import encode_bounded
from faultwire_shared import codec
from faultwire_shared.event import EVENT_BYTES, Event, ExceptionInfo, Lane

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ORIGIN = Origin(service="shop", environment="test", release=None, host="web-1")
ID = "error_20261123_aaaaaaaaaaaaaaaa"
FRAMES = FrameReader()


def capture(error: object, severity: object = None, **extras: Any) -> Event:
    """The event of an error, as a reader sees it after the wire."""
    handled = judge(error, at=NOW, severity=severity, extras=Extras(**extras))
    event = event_from(handled, event_id=ID, origin=ORIGIN, frames=FRAMES)
    body, _ = encode_bounded(event)
    assert len(body) <= EVENT_BYTES
    return codec.decode(body)


def raised(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except BaseException as error:  # noqa: BLE001 - whatever the test raises is its subject
        return error
    raise AssertionError


def fail_at(depth: int) -> None:
    if depth == 0:
        raise ValueError("bottom")
    fail_at(depth - 1)


def types(exceptions: list[ExceptionInfo]) -> list[str]:
    return [each.type for each in exceptions]


def test_frames_run_from_the_outermost_call_to_the_crash() -> None:
    frames = capture(raised(lambda: fail_at(2))).exceptions[0].frames
    assert [frame.qualname for frame in frames][-3:] == ["fail_at", "fail_at", "fail_at"]
    assert frames[-1].ran.strip() == 'raise ValueError("bottom")'
    assert frames[-1].module.endswith("test_capture")
    assert frames[-1].file.endswith("tests/unit/producer/test_capture.py")
    assert not frames[-1].file.startswith("/")
    assert frames[-1].in_app


def test_library_frames_are_not_in_app() -> None:
    frames = capture(raised(lambda: msgspec.json.decode(b"{") or decimal.Decimal("x"))).exceptions[0].frames
    assert frames[0].in_app
    library = capture(raised(lambda: uuid.UUID("x"))).exceptions[0].frames
    assert (library[-1].module, library[-1].in_app, library[-1].file) == ("uuid", False, "uuid.py")


def test_a_deep_recursion_keeps_both_ends() -> None:
    event = capture(raised(lambda: fail_at(400)))
    frames = event.exceptions[0].frames
    assert len(frames) == 100
    assert frames[1].qualname.endswith("<lambda>")
    assert frames[-1].ran.strip() == 'raise ValueError("bottom")'
    assert "exceptions.frames" in event.truncated


def test_an_error_that_was_never_raised_has_no_frames() -> None:
    assert capture(ValueError("x")).exceptions[0].frames == []


def test_the_chain_runs_from_what_was_raised_to_the_root() -> None:
    def fail() -> None:
        try:
            next(iter(()))
        except StopIteration as error:
            raise LookupError("outer") from error

    assert types(capture(raised(fail)).exceptions) == ["LookupError", "StopIteration"]


def test_a_suppressed_context_is_left_out() -> None:
    def fail() -> None:
        try:
            next(iter(()))
        except StopIteration:
            raise LookupError("outer") from None

    assert types(capture(raised(fail)).exceptions) == ["LookupError"]


def test_a_loop_of_causes_is_followed_once() -> None:
    first, second = ValueError("1"), TypeError("2")
    first.__cause__, second.__cause__ = second, first
    assert types(capture(first).exceptions) == ["ValueError", "TypeError"]


def test_a_long_chain_is_cut_and_says_so() -> None:
    error = ValueError("0")
    for number in range(100):
        following = ValueError(str(number))
        following.__cause__ = error
        error = following
    event = capture(error)
    assert len(event.exceptions) == 20
    assert "exceptions" in event.truncated


def test_a_groups_members_have_chains_of_their_own() -> None:
    inner = KeyError("k")
    inner.__cause__ = OSError("root")
    group = ExceptionGroup("both", [ValueError("v"), ExceptionGroup("nested", [inner])])
    (info,) = capture(group).exceptions
    assert [types(chain) for chain in info.members] == [["ValueError"], ["ExceptionGroup"]]
    assert types(info.members[1][0].members[0]) == ["KeyError", "OSError"]


def test_a_huge_group_is_bounded() -> None:
    event = capture(ExceptionGroup("many", [ValueError(str(n)) for n in range(10_000)]))
    assert len(event.exceptions[0].members) == 49
    assert "exceptions.members" in event.truncated


def test_notes_travel() -> None:
    error = ValueError("x")
    error.add_note("while paying")
    assert capture(error).exceptions[0].notes == ["while paying"]


class CarrierError(Exception):
    def __init__(self, **attributes: object) -> None:
        super().__init__("carried")
        self.__dict__.update(attributes)


class Answer:
    status_code = 503


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (OSError(28, "full", "/var/secret/name"), {"errno": "ENOSPC"}),
        (OSError(10_060, "a number of Windows's"), {"errno": 10_060}),
        (OSError(10**4_301, "more digits than Python writes"), {}),
        (CarrierError(status=http.HTTPStatus.NOT_FOUND), {"http_status": 404}),
        (CarrierError(status_code=500), {"http_status": 500}),
        (CarrierError(response=Answer()), {"http_status": 503}),
        (
            CarrierError(sqlstate="23505", constraint_name="orders_pkey"),
            {"sqlstate": "23505", "constraint_name": "orders_pkey"},
        ),
        (CarrierError(pgcode="40001"), {"sqlstate": "40001"}),
        (CarrierError(column_name="x" * 101, table_name="orders"), {"table_name": "orders"}),
        (CarrierError(status=[], sqlstate=lambda: None), {}),
        (ValueError("x"), {}),
    ],
)
def test_identity_details_are_read_from_the_exception(
    error: BaseException, attributes: dict[str, object]
) -> None:
    assert capture(error).exceptions[0].attributes == attributes


def test_sqlite_names_its_error() -> None:
    def fail() -> None:
        connection = sqlite3.connect(":memory:")
        try:
            connection.execute("create table t (a unique)")
            connection.executemany("insert into t values (?)", [(1,), (1,)])
        finally:
            connection.close()

    attributes = capture(raised(fail)).exceptions[0].attributes
    assert attributes == {"sqlite_errorname": "SQLITE_CONSTRAINT_UNIQUE"}


@pytest.mark.parametrize(
    ("given_severity", "severity", "text"),
    [("ERROR", "high", "ERROR"), (50, "critical", "50"), ("odd", "medium", "odd"), (None, "high", None)],
)
def test_any_spelling_of_a_severity_is_taken(given_severity: object, severity: str, text: str | None) -> None:
    event = capture(ValueError("x"), given_severity)
    assert (event.severity, event.severity_text) == (severity, text)


def test_a_text_in_place_of_an_exception_is_taken() -> None:
    event = capture("the disk is full")
    assert (event.message, event.exceptions) == ("the disk is full", [])


def test_user_may_be_just_an_id() -> None:
    assert capture(ValueError("x"), user=42).user == {"id": 42}


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Order:
    number: int
    price: decimal.Decimal


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (10**1000, "<int of 3322 bits>"),
        (b"\xff\x00", "b'\\xff\\x00'"),
        ("\ud800x", "?x"),
        (Text("sub"), "sub"),
        (Colour.RED, "red"),
        (http.HTTPStatus.OK, 200),
        (decimal.Decimal("1.50"), "1.50"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02 00:00:00+00:00"),
        (Order(7, decimal.Decimal(2)), {"number": 7, "price": "2"}),
        ((1, (2, {3})), [1, [2, [3]]]),
        (ValueError("x"), "ValueError: x"),
        ({1: True, None: None}, {"1": True, "None": None}),
    ],
)
def test_any_value_of_a_context_becomes_json(value: object, shown: object) -> None:
    assert capture(ValueError("x"), context={"it": value}).context == {"it": shown}


class Raising:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]  # neither can it be hashed


class Endless(Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1

    def __len__(self) -> int:
        return sys.maxsize


class HostileError(Exception):
    @property
    def status(self) -> int:
        raise RuntimeError("no")

    @property
    def sqlstate(self) -> str:
        raise ValueError(self)

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_an_exception_that_cannot_be_printed_is_captured_all_the_same() -> None:
    event = capture(HostileError())
    assert event.exceptions[0].value == "<unprintable HostileError>"


def test_a_value_that_raises_is_named_by_its_type() -> None:
    event = capture(ValueError("x"), context={"bad": Raising(), "good": 1})
    assert event.context == {"bad": "<Raising>", "good": 1}
    assert event.truncated == ["context.bad"]


def test_an_endless_mapping_is_cut() -> None:
    assert len(capture(ValueError("x"), context=Endless()).context) == 50


def test_a_cycle_ends_at_the_depth_limit() -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    event = capture(ValueError("x"), context=loop)
    assert event.truncated == ["context.again.again.again.again.again"]


def test_fifty_levels_are_cut_to_five() -> None:
    deep: Any = "bottom"
    for _ in range(50):
        deep = [deep]
    assert capture(ValueError("x"), context={"deep": deep}).context == {"deep": [[[["<list>"]]]]}


def test_a_wide_and_deep_context_stays_within_the_values_allowed() -> None:
    wide: Any = 1
    for _ in range(5):
        wide = {str(key): wide for key in range(50)}
    event = capture(ValueError("x"), context=wide)
    assert "context" in " ".join(event.truncated)


def test_long_texts_are_cut_and_listed() -> None:
    event = capture(ValueError("m" * 5000), context={"a": "x" * 10**6}, tags={"t": "y" * 3000})
    assert len(event.message) == 1024
    assert len(event.context["a"]) == 1024
    assert len(str(event.tags["t"])) == 1024
    assert event.truncated == ["exceptions.value", "context.a", "tags.t"]


def test_a_huge_argument_is_not_printed_whole() -> None:
    assert len(capture(ValueError(list(range(10**6)))).message) < 200
    assert len(capture(KeyError({n: n for n in range(10**5)})).message) < 400


def test_what_cannot_fit_goes_by_its_usefulness_and_is_listed() -> None:
    noisy = {f"key{n}": "\x00" * 1024 for n in range(50)}
    event = capture(raised(lambda: fail_at(60)), context=noisy, request=noisy, user=noisy)
    assert event.context == {}
    assert event.exceptions[0].frames
    assert "context" in event.truncated


def test_an_events_size_holds_whatever_the_chain() -> None:
    error: Exception = ValueError("0")
    for _ in range(30):
        following = raised(lambda: fail_at(120))
        assert isinstance(following, Exception)
        following.__cause__ = error
        following.add_note("\x01" * 5000)
        error = following
    event = capture(error, context={"a": "b"}, fingerprint=["x"] * 100)
    assert event.exceptions
    assert len(event.fingerprint) <= 10


scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))  # lone surrogates among them
    | st.binary(max_size=20)
    | st.dates()
    | st.uuids()
    | st.decimals()
    | st.builds(Raising)
)
keys = st.text(st.characters(codec=None), max_size=10) | st.integers() | st.none() | st.binary(max_size=3)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(keys, inner) | st.tuples(inner, inner),
    max_leaves=30,
)


@settings(max_examples=settings().max_examples * 3 // 2)
@given(context=values, tags=values, user=values, request=values, text=st.text(st.characters(codec=None)))
def test_whatever_is_handed_over_becomes_an_event_that_reads_back(
    context: object, tags: object, user: object, request: object, text: str
) -> None:
    error = ValidationError(text)
    extras = Extras(context=context, tags=tags, user=user, request=request, transaction=text)
    handled = judge(error, at=NOW, severity=text, extras=extras)
    event = event_from(handled, event_id=ID, origin=ORIGIN, frames=FRAMES)
    body, kept = encode_bounded(event)
    assert codec.decode(body) == kept
    assert codec.encode(codec.decode(body)) == body


class Lazy:
    """Goes to a database at whatever it is asked for, as a query set does."""

    asked: list[str] = []  # noqa: RUF012 - of all of them

    def __getattribute__(self, name: str) -> Any:
        Lazy.asked.append(name)
        return object.__getattribute__(self, name)

    def __repr__(self) -> str:
        Lazy.asked.append("repr")
        return "[<Order 1>, …]"

    def __iter__(self) -> Iterator[int]:
        Lazy.asked.append("iter")
        return iter([1])

    def __len__(self) -> int:
        Lazy.asked.append("len")
        return 1


class LazyPage(Sequence[int]):
    """Says that it is a sequence, and counts its rows when it is asked how many it has."""

    def __getitem__(self, index: Any) -> Any:
        raise AssertionError("it was read")

    def __len__(self) -> int:
        raise AssertionError("it was counted")


class Loud(dict[str, int]):
    """A mapping whose own way to be read is somebody else's code."""

    def items(self) -> Any:
        raise AssertionError("its own code ran")


@dataclass
class Mapped:
    number: int
    customer: Any = field(init=False)

    @property
    def total(self) -> int:
        raise AssertionError("a property was read")


class Login(NamedTuple):
    user: str
    password: str


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Lazy(), "<Lazy>"),
        ([Lazy()], ["<Lazy>"]),
        (LazyPage(), "<LazyPage>"),
        (Loud(a=1), {"a": 1}),
        (Mapped(7), {"number": 7, "customer": "<unset>"}),
        (Login("ann", "x"), {"user": "ann", "password": "x"}),
        (iter([1]), "<list_iterator>"),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (msgspec.defstruct("Point", ["x"])(1), {"x": 1}),
        (fail_at, "<function tests.unit.producer.test_capture.fail_at>"),
    ],
)
def test_what_a_host_hands_over_is_read_without_running_its_code(value: object, shown: object) -> None:
    Lazy.asked.clear()
    assert capture(ValueError("x"), context={"it": value}).context == {"it": shown}
    assert Lazy.asked == []


class StoppedClock(datetime):
    """A time as libraries give it that stop the clock for a test."""


class Price(float):
    """A number of the host's own."""


class Count(int):
    """The same."""


def test_subclasses_of_plain_types_travel_as_what_they_are(harness: Harness) -> None:
    at = StoppedClock(2026, 11, 23, 12, 0, 0, 123_456, tzinfo=timezone(timedelta(hours=1)))
    errors = ErrorManager(service="shop", transport=lambda: harness.transport, clock=lambda: at)
    ticket = errors.handle_error_nowait(
        ValueError(Text("x")), context={"price": Price(1.5), "count": Count(3), "at": at}
    )
    assert ticket.timestamp == "2026-11-23T11:00:00.123Z"
    (sent,) = events_in(errors)
    assert sent.occurred_at == datetime(2026, 11, 23, 11, 0, 0, 123_000, tzinfo=UTC)
    assert sent.context == {"price": 1.5, "count": 3, "at": "2026-11-23 12:00:00.123456+01:00"}


def test_what_a_processor_puts_into_an_event_still_travels(harness: Harness) -> None:
    at = StoppedClock(2026, 11, 23, 12, tzinfo=UTC)

    def processor(event: Event) -> Event:
        return msgspec.structs.replace(
            event, occurred_at=at, transaction=Text("/pay"), context={"p": Price(1)}
        )

    errors = ErrorManager(service="shop", transport=lambda: harness.transport, processors=[processor])
    errors.handle_error_nowait(ValueError("x"))
    (sent,) = events_in(errors)
    assert (sent.occurred_at, sent.transaction, sent.context) == (at, "/pay", {"p": 1.0})


@pytest.mark.parametrize("given", [None, 17, "noon"])
def test_a_clock_that_gives_no_time_costs_no_event(given: Any) -> None:
    errors = ErrorManager(service="shop", transport=FakeTransport, clock=lambda: given)
    errors.add_breadcrumb("looked")
    errors.handle_error_nowait(ValueError("x"))
    assert len(list(events_in(errors))) == 1


def events_in(errors: ErrorManager) -> list[Event]:
    """What would travel."""
    errors._parts.pipeline.hand_over()
    assert errors._parts.outlet is not None
    tickets = [ticket for lane in Lane for ticket in errors._parts.outlet.buffer.take(lane)]
    return [codec.decode(ticket.body) for ticket in tickets]

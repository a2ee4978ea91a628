"""What is bound for a request or job stands in its events, and in nobody else's."""

import asyncio
import gc
import itertools
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.tools.clock import FixedClock
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager
from faultwire.capture import scope
from faultwire.capture.scope import Surroundings
from faultwire.capture.trace import parse_traceparent
from faultwire_shared.event import Event

TRACE = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


class Captured:
    def __init__(self) -> None:
        self.transport = FakeTransport()
        self.errors = ErrorManager(
            service="shop", clock=FixedClock(), transport=lambda: self.transport, max_breadcrumbs=3
        )

    async def event(self, **extra: Any) -> Event:
        """Of an error that is handed over now."""
        await self.errors.handle_error(ValueError("x"), **extra, durability="confirmed")
        return self.transport.events[-1]


@pytest.fixture
def captured() -> Captured:
    return Captured()


async def test_bound_tags_stand_in_every_event_until_the_block_ends(captured: Captured) -> None:
    with captured.errors.bind(order=17, region="eu"), captured.errors.bind(order=18):
        event = await captured.event(tags={"region": "us"})
    assert event.tags == {"order": 18, "region": "us"}
    assert (await captured.event()).tags == {}


async def test_a_task_inherits_what_is_bound_and_keeps_its_own_to_itself(captured: Captured) -> None:
    async def child() -> Event:
        captured.errors.bind(part="child")
        captured.errors.add_breadcrumb("in the child")
        return await captured.event()

    captured.errors.bind(part="parent", order=1)
    event = await asyncio.create_task(child())
    assert (event.tags, len(event.breadcrumbs)) == ({"part": "child", "order": 1}, 1)
    event = await captured.event()
    assert (event.tags, event.breadcrumbs) == ({"part": "parent", "order": 1}, [])


async def test_the_last_breadcrumbs_travel_with_the_error(captured: Captured) -> None:
    for number in range(5):
        captured.errors.add_breadcrumb(f"step {number}", category="query", data={"rows": number})
    event = await captured.event()
    assert event.breadcrumbs[0] == {
        "timestamp": "2026-11-23T12:00:00.000Z",
        "level": "info",
        "message": "step 2",
        "category": "query",
        "data": {"rows": 2},
    }
    assert [crumb["message"] for crumb in event.breadcrumbs] == ["step 2", "step 3", "step 4"]


async def test_user_request_and_transaction_may_be_set_and_said(captured: Captured) -> None:
    captured.errors.set_user(42)
    captured.errors.set_request({"method": "GET"})
    captured.errors.set_transaction("/orders/{id}")
    event = await captured.event()
    assert (event.user, event.request, event.transaction) == ({"id": 42}, {"method": "GET"}, "/orders/{id}")
    event = await captured.event(user={"id": 7}, transaction="job")
    assert (event.user, event.transaction) == ({"id": 7}, "job")


async def test_a_host_is_asked_only_when_there_is_an_error(captured: Captured) -> None:
    asked = []

    def ask() -> Surroundings:
        asked.append(1)
        return Surroundings(transaction="/pay", request={"method": "POST"}, user="u", trace=TRACE)

    captured.errors.bind(old=True)
    with scope.begin(ask):
        assert not asked
        event = await captured.event()
    assert (event.transaction, event.request, event.user) == ("/pay", {"method": "POST"}, {"id": "u"})
    assert (event.trace_id, event.span_id) == TRACE
    assert event.tags == {}, "a request knows nothing of what was bound before it"
    assert (await captured.event()).tags == {"old": True}


async def test_a_host_that_raises_says_nothing(captured: Captured) -> None:
    def ask() -> Surroundings:
        raise RuntimeError("the request is gone")

    with scope.begin(ask):
        captured.errors.set_transaction("/pay")
        assert (await captured.event()).transaction == "/pay"


async def test_undoing_in_another_context_is_no_error(captured: Captured) -> None:
    bound = captured.errors.bind(order=1)
    await asyncio.create_task(asyncio.to_thread(bound.undo))
    assert (await captured.event()).tags == {"order": 1}


async def test_whatever_is_bound_is_taken(captured: Captured) -> None:
    class Mean:
        def __repr__(self) -> str:
            raise RuntimeError

    captured.errors.bind(mean=Mean(), deep={"a": {"b": [1]}})
    captured.errors.add_breadcrumb(Mean(), data={"it": Mean()})  # type: ignore[arg-type]  # as a host may
    event = await captured.event()
    assert event.tags["mean"] == "<Mean>"
    assert event.breadcrumbs[0]["message"] == "<unprintable Mean>"


async def test_opentelemetrys_span_wins_over_the_requests_header(captured: Captured) -> None:
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - without it nothing may look for it

    tracer = TracerProvider().get_tracer("test")
    with scope.begin(lambda: Surroundings(trace=TRACE)), tracer.start_as_current_span("pay") as span:
        event = await captured.event()
    assert event.trace_id == f"{span.get_span_context().trace_id:032x}"
    assert event.span_id == f"{span.get_span_context().span_id:016x}"


@pytest.mark.parametrize(
    ("header", "trace"),
    [
        (f"00-{TRACE[0]}-{TRACE[1]}-01", TRACE),
        (f" 00-{TRACE[0].upper()}-{TRACE[1]}-01", TRACE),
        (f"01-{TRACE[0]}-{TRACE[1]}-01-later", TRACE),
        (f"ff-{TRACE[0]}-{TRACE[1]}-01", None),
        (f"00-{'0' * 32}-{TRACE[1]}-01", None),
        (f"00-{TRACE[0]}-{'0' * 16}-01", None),
        ("nonsense", None),
        ("", None),
        (None, None),
    ],
)
def test_a_traceparent_is_read_as_its_standard_says(header: str | None, trace: object) -> None:
    assert parse_traceparent(header) == trace


def test_what_generators_bind_that_take_turns_ends_with_each_in_whatever_order() -> None:
    errors = Captured().errors

    def rows(**tags: object) -> Iterator[int]:
        with errors.bind(**tags), errors.set_user(tags):
            yield 1

    def bound() -> tuple[dict[str, object], object]:
        return dict(scope.current().tags), scope.current().user

    for order in itertools.permutations(range(3)):
        generators = [rows(first=1, all=1), rows(second=2, all=2), rows(third=3, all=3)]
        for each in generators:
            next(each)
        standing = {0: {"first": 1}, 1: {"second": 2}, 2: {"third": 3}}
        for index in order:
            list(generators[index])
            del standing[index]
            tags, user = bound()
            assert {name: value for name, value in tags.items() if name != "all"} == {
                name: value for each in standing.values() for name, value in each.items()
            }
            newest = max(standing, default=None)
            assert tags.get("all") == (None if newest is None else newest + 1)
            assert (user is None) == (newest is None)
        assert bound() == ({}, None)


def test_what_stands_for_good_holds_nothing_that_stood_before_it() -> None:
    errors = Captured().errors
    with errors.bind(order=1):
        for number in range(100):
            errors.set_user({"id": number})
        depth, layer = 0, scope.current().layer
        while layer is not None:
            depth, layer = depth + 1, layer.below
        assert depth < 5
    assert scope.current().user is None


def test_a_job_of_a_pool_begins_with_nothing_bound() -> None:
    errors = Captured().errors

    def job(number: int) -> dict[str, object]:
        with errors.begin_scope():
            errors.bind(**{f"job_{number}": True})
            return dict(scope.current().tags)

    with ThreadPoolExecutor(1) as pool:
        assert list(pool.map(job, range(2))) == [{"job_0": True}, {"job_1": True}]


async def test_the_publisher_keeps_nothing_of_the_request_that_came_first() -> None:
    class Request:
        """Somebody's."""

    captured = Captured()

    async def serve() -> "weakref.ref[Request]":
        request = Request()
        captured.errors.set_user({"request": request})
        captured.errors.handle_error_nowait(ValueError("x"))
        return weakref.ref(request)

    request = await asyncio.create_task(serve())
    await captured.errors.flush(60)
    gc.collect()
    assert request() is None
    await captured.errors.aclose()

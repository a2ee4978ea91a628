"""A message names the span in which its events were handled, and only where OpenTelemetry is loaded."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from msgspec.structs import replace
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager
from faultwire.publish.publisher import message_of
from faultwire.queue.ticket import SPOOLED, Ticket
from faultwire_shared.event import Event

TRACER: Final = TracerProvider().get_tracer("test")


def manager(transport: FakeTransport, **options: Any) -> ErrorManager:
    return ErrorManager(service="shop", transport=lambda: transport, spool_path=None, **options)


def parent_of(span: trace.Span) -> str:
    found = span.get_span_context()
    return f"00-{found.trace_id:032x}-{found.span_id:016x}-{int(found.trace_flags):02x}"


@contextmanager
def in_span(found: object) -> Iterator[None]:
    """Within a span of that context, which may be none at all."""
    span = NonRecordingSpan(found)  # type: ignore[arg-type]  # a host's own may be anything
    token = contexts.attach(trace.set_span_in_context(span))
    yield
    contexts.detach(token)


async def test_an_event_of_a_span_names_it_in_its_message(transport: FakeTransport) -> None:
    async with manager(transport) as errors:
        with TRACER.start_as_current_span("pay") as span:
            await errors.handle_error(ValueError("x"), durability="confirmed")
        await errors.handle_error(TypeError("y"), durability="confirmed")
    assert [dict(one.headers) for one in transport.messages] == [{"traceparent": parent_of(span)}, {}]


async def test_the_trace_s_state_goes_along_and_a_longer_one_than_the_standard_s_does_not(
    transport: FakeTransport,
) -> None:
    whole, long = (
        TraceState([("rojo", "1"), ("congo", "2")]),
        TraceState([("a", "b" * 200), ("c", "d" * 250)]),
    )
    endless = TraceState([*long.items(), ("e", "f" * 200)])
    async with manager(transport) as errors:
        for state in (whole, endless):
            with in_span(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0), trace_state=state)):
                await errors.handle_error(ValueError("x"), durability="confirmed")
    parent = f"00-{'0' * 31}1-{'0' * 15}2-00"
    assert [dict(one.headers) for one in transport.messages] == [
        {"traceparent": parent, "tracestate": "rojo=1,congo=2"},
        {"traceparent": parent},
    ]


async def test_a_batch_of_one_span_names_it_and_one_of_several_leaves_that_to_its_events(
    transport: FakeTransport,
) -> None:
    transport.hold()
    async with manager(transport, collapse_storms=False) as errors:
        for spans in (1, 2):
            first = errors.handle_error_nowait(OSError("alone"), "high")
            while not transport.attempts:
                await first.delivered(0.01)
            parents = []
            for _ in range(spans):
                with TRACER.start_as_current_span("pay") as span:
                    parents.append(parent_of(span))
                    for _ in range(3):
                        errors.handle_error_nowait(ValueError("x"), "high")
            transport.release()
            assert await errors.flush(60)
            batch = transport.messages[-1]
            assert dict(batch.headers) == ({"traceparent": parents[0]} if spans == 1 else {})
            transport.hold()
            transport.attempts.clear()
        transport.release()
    assert all(event.span_id for event in transport.events if "x" in event.message)


async def test_what_a_processor_takes_out_of_an_event_is_not_told_by_its_message(
    transport: FakeTransport,
) -> None:
    def forget(event: Event) -> Event:
        return replace(event, trace_id=None, span_id=None)

    async with manager(transport, before_send=forget) as errors:
        with TRACER.start_as_current_span("pay"):
            await errors.handle_error(ValueError("x"), durability="confirmed")
    assert dict(transport.messages[0].headers) == {}


def spooled(body: bytes) -> Ticket:
    return Ticket(event_id="e", body=body, state=SPOOLED)


def test_an_event_from_the_disk_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    event = spooled(b'{"id":"e","trace_id":"%s","span_id":"%s"}' % (b"1" * 32, b"2" * 16))
    assert dict(message_of([event]).headers) == {"traceparent": f"00-{'1' * 32}-{'2' * 16}-00"}
    assert dict(message_of([event, event]).headers) == dict(message_of([event]).headers)
    assert dict(message_of([event, spooled(b'{"id":"e"}')]).headers) == {}
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert dict(message_of([event]).headers) == {}


@pytest.mark.parametrize("found", [None, 7, object(), SpanContext(0, 0, is_remote=False)])
async def test_a_span_that_is_none_costs_the_event_nothing(transport: FakeTransport, found: object) -> None:
    async with manager(transport) as errors:
        with in_span(found):
            await errors.handle_error(ValueError("x"), durability="confirmed")
    (event,) = transport.events
    assert event.trace_id is None
    assert dict(transport.messages[0].headers) == {}

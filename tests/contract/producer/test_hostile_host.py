"""Whatever a host hands over: an answer comes back, nothing is raised, and the event keeps to its limits."""

import sys
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.contract.producer.hostile import HostileHost
from tests.tools.fake_transport import FakeTransport

from faultwire import ErrorManager
from faultwire_shared import codec
from faultwire_shared.event import (
    CONTEXT_KEYS,
    EVENT_BYTES,
    FRAMES,
    STRING_CHARACTERS,
    Event,
    ExceptionInfo,
    Lane,
)

pytestmark = pytest.mark.may_block("has no loop")

CALLS = 8
"""More than go whole at once, so that a burst is collapsed."""
NAMES = (
    *("severity", "context", "user_message", "tags", "user"),
    *("request", "transaction", "fingerprint", "handled", "template"),
)


def bodies_of(errors: ErrorManager) -> Iterator[bytes]:
    """What would travel, taken before anything publishes it."""
    errors._parts.pipeline.hand_over()
    assert errors._parts.outlet is not None
    for lane in Lane:
        while tickets := errors._parts.outlet.buffer.take(lane):
            yield from (ticket.body for ticket in tickets)


def exceptions_in(chains: list[list[ExceptionInfo]]) -> Iterator[ExceptionInfo]:
    for chain in chains:
        for each in chain:
            yield each
            yield from exceptions_in(each.members)


def check_limits(event: Event) -> None:
    assert len(event.message) <= STRING_CHARACTERS
    assert len(event.context) <= CONTEXT_KEYS
    found = list(exceptions_in([event.exceptions]))
    assert len(found) <= 50
    assert all(len(each.frames) <= FRAMES and len(each.value) <= STRING_CHARACTERS for each in found)


@pytest.mark.parametrize("collapse_storms", [True, False])
@given(random=st.randoms(use_true_random=False))
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate),  # a smaller case says no more, and a slow one would take for ever
)
def test_nothing_that_a_host_hands_over_is_raised_or_breaks_a_limit(
    random: Random, collapse_storms: bool
) -> None:
    host = HostileHost(random)
    error: Any = host.error()
    extras: dict[str, Any] = {name: host.value() for name in NAMES if random.random() < 0.3}
    errors = ErrorManager(
        service="shop", transport=FakeTransport, collapse_storms=collapse_storms, ignore_errors=["Nobody"]
    )
    ids = set()
    for _ in range(CALLS):
        response = errors.handle_error_nowait(error, **extras)
        ids.add(response.error_id)
        assert set(dict(response)) == {"error_id", "message", "severity", "timestamp"}
        assert 100 <= response.status <= 599
        assert response.body()["error"]["id"] == response.error_id
        for accept in ("application/json", "application/problem+json"):
            assert response.negotiate(accept)[1]
    errors.handle_once(error, **extras)
    bodies = list(bodies_of(errors))
    assert all(len(body) <= EVENT_BYTES for body in bodies)
    events = [codec.decode(body) for body in bodies]
    for event in events:
        check_limits(event)
    assert ids <= {event.id for event in events}
    assert CALLS <= sum(event.count for event in events) <= CALLS + 1
    assert errors.stats().lost == {}


def test_notes_without_an_end_cost_the_line_its_trace_and_the_caller_no_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    errors = ErrorManager(service="shop", transport=FakeTransport)
    endless, plain = ValueError("endless"), ValueError("plain")
    endless.__notes__ = range(10**12)  # type: ignore[assignment]  # that is the hostility
    plain.add_note("what was tried")
    errors.handle_error_nowait(ExceptionGroup("group", [endless]))
    errors.handle_error_nowait(ExceptionGroup("group", [plain]))
    without, with_trace = caplog.records
    assert without.exc_info is None
    assert with_trace.exc_info is not None
    assert "what was tried" in caplog.text


def test_a_recursion_of_a_host_that_raised_its_limit_costs_the_line_its_trace_and_keeps_the_event(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fall(calls: int) -> None:
        if not calls:
            raise ValueError("at the bottom")
        fall(calls - 1)

    errors = ErrorManager(service="shop", transport=FakeTransport)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        for calls in (10_000, 100):
            with pytest.raises(ValueError, match="at the bottom") as deep:
                fall(calls)
            errors.handle_error_nowait(deep.value)
    finally:
        sys.setrecursionlimit(limit)
    without, with_trace = caplog.records
    assert without.exc_info is None, "to format 10,000 calls takes a host's loop a second"
    assert with_trace.exc_info is not None
    first, _ = (codec.decode(body).exceptions[0] for body in bodies_of(errors))
    assert len(first.frames) == FRAMES
    assert (first.frames[0].qualname.rpartition(".")[2], first.frames[-1].ran.strip()) == (
        "test_a_recursion_of_a_host_that_raised_its_limit_costs_the_line_its_trace_and_keeps_the_event",
        'raise ValueError("at the bottom")',
    )

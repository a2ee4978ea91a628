"""W3C's Trace Context is read as its standard says, and whatever else stands there is no context."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.trace_context import (
    STATE_CHARACTERS,
    TraceContext,
    context_in_event,
    read_context,
)

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
SPAN: Final = "b7ad6b7169203331"
PARENT: Final = f"00-{TRACE}-{SPAN}-01"

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(TRACE) | st.just(SPAN),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_anything = _json | st.binary() | st.from_regex(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01](-.*)?")


def test_what_is_written_is_read() -> None:
    context = read_context(PARENT, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
    assert context == TraceContext(TRACE, SPAN, 1, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
    assert read_context(context.parent, context.state) == context


@pytest.mark.parametrize(
    "parent",
    [
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01{'-x' * 300}",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        PARENT.encode(),
        None,
        7,
    ],
)
def test_what_the_standard_does_not_know_is_no_context(parent: object) -> None:
    assert read_context(parent) is None


@pytest.mark.parametrize("state", ["a=" + "b" * STATE_CHARACTERS, "a=\n", "a=é", b"a=b", None, ["a=b"]])
def test_a_state_that_is_not_to_be_passed_on_is_left_out_and_the_span_stays(state: object) -> None:
    assert read_context(PARENT, state) == TraceContext(TRACE, SPAN, 1)


@given(parent=_anything, state=_anything)
def test_whatever_stands_in_headers_is_a_valid_context_or_none(parent: Any, state: Any) -> None:
    found = read_context(parent, state)
    if found is not None:
        assert (len(found.trace_id), len(found.span_id), len(found.parent)) == (32, 16, 55)
        assert int(found.trace_id, 16)
        assert int(found.span_id, 16)
        assert len(found.state) <= STATE_CHARACTERS


@given(trace_id=_json, span_id=_json)
def test_whatever_an_event_says_is_a_valid_context_or_none(trace_id: Any, span_id: Any) -> None:
    found = context_in_event(json.dumps({"trace_id": trace_id, "span_id": span_id}).encode())
    assert (found is None) == ((trace_id, span_id) != (TRACE, SPAN))


@given(st.binary(max_size=64))
def test_a_body_of_any_bytes_is_no_context(noise: bytes) -> None:
    assert context_in_event(b'{"trace_id":' + noise) is None


def test_a_body_that_is_too_deep_is_no_context() -> None:
    assert context_in_event(b'{"trace_id":' + b"[" * 100_000) is None

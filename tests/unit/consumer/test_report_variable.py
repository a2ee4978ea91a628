"""Local variables and source lines in reports: data in code, bounded, whatever a stranger sent."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.report.event import event_report
from faultwire_consumer.domain.report.trace import source_lines, trace_lines
from faultwire_consumer.domain.report.variable import CHARACTERS, VARIABLES, spell_variables, variable_lines
from faultwire_shared.event import ErrorSeverity, Event, ExceptionInfo, Frame

LINES: Final = ["def pay():", "    price = None", "    total += price", "", ""]
JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def event_with(*frames: Frame) -> Event:
    return Event(
        id="error_20261123_aaaaaaaaaaaaaaaa",
        schema_version=1,
        occurred_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
        severity=ErrorSeverity.HIGH,
        service="billing",
        message="bad",
        exceptions=[ExceptionInfo(type="E", frames=list(frames))],
    )


def report_of(*frames: Frame) -> str:
    return event_report("error_20261123_aaaaaaaaaaaaaaaa", "INC-12", event_with(*frames))


def test_values_are_spelled_as_json_so_that_a_text_is_told_from_a_number() -> None:
    variables = {"text": "17", "number": 17, "none": None, "order": {"id": 17, "sku": "ä"}, "it": "<Order>"}
    assert variable_lines(variables) == [
        'text = "17"',
        "number = 17",
        "none = null",
        'order = {"id": 17, "sku": "ä"}',
        'it = "<Order>"',
    ]


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_any_variables_are_spelled_within_bounds(variables: dict[str, Any]) -> None:
    told = spell_variables(variables)
    assert [name for name, _ in told] == list(variables)
    assert all(len(value) <= CHARACTERS for _, value in told)


def test_what_is_beyond_the_bounds_is_counted() -> None:
    lines = variable_lines({f"v{number}": "x" * 1_000_000 for number in range(VARIABLES + 3)})
    assert (len(lines), lines[-1]) == (VARIABLES + 1, "(and 3 more)")
    assert lines[0].endswith("…")


def test_a_report_has_the_variables_in_code_the_crash_first() -> None:
    report = report_of(
        Frame(file="shop/app.py", qualname="main", line=3, vars={"argv": ["serve"]}),
        Frame(file="shop/pay.py", qualname="pay", line=9, vars={"order": "```\n# planted `x`"}),
        Frame(file="lib.py", qualname="get", line=1, in_app=False),
    )
    _, _, section = report.partition("## Local variables of its own calls, the crash first\n\n")
    assert section.startswith('`shop/pay.py:9 in pay`:\n\n````text\norder = "```\\n# planted `x`"\n````\n')
    assert section.index("shop/pay.py") < section.index('argv = ["serve"]')
    assert "Local variables" not in report_of(Frame(qualname="f"))


def test_an_annotated_trace_has_the_lines_around_near_the_crash_and_without_empty_edges() -> None:
    frame = Frame(file="shop/pay.py", qualname="pay", line=3, context=LINES)
    lines = trace_lines([ExceptionInfo(type="E", frames=[frame] * 12)], annotated=True)
    assert lines[1:3] == ['  File "shop/pay.py", line 3, in pay', "    total += price"]
    assert lines[-5:-1] == [
        '  File "shop/pay.py", line 3, in pay',
        "    def pay():",
        "        price = None",
        "   >    total += price",
    ]
    assert len([line for line in lines if line.startswith("   >")]) == 10
    library = Frame(file="lib.py", qualname="get", line=1, in_app=False, context=["get()"])
    deep = trace_lines([ExceptionInfo(type="E", frames=[frame, *[library] * 30])], annotated=True)
    assert "   >    total += price" in deep, "calls of libraries below do not count"


def test_python_s_own_form_has_the_line_alone_that_ran() -> None:
    frame = Frame(file="shop/pay.py", qualname="pay", line=3, context=LINES)
    assert trace_lines([ExceptionInfo(type="E", frames=[frame])])[1:3] == [
        '  File "shop/pay.py", line 3, in pay',
        "    total += price",
    ]


@pytest.mark.parametrize(
    ("context", "told"),
    [
        (["a"], [("a", True)]),
        (["", "", "a", "", ""], [("a", True)]),
        (["x", "", "a", "", "y"], [("x", False), ("", False), ("a", True), ("", False), ("y", False)]),
        (["", "b", "", "", ""], [("b", False), ("", True)]),
        (["a", "b"], [("a", False), ("b", True)]),
    ],
)
def test_the_middle_line_ran(context: list[str], told: list[tuple[str, bool]]) -> None:
    assert source_lines(context) == told

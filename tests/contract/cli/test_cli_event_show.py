"""``events show``: what led to an event, nested values as JSON, and a traceback to be pasted."""

from typing import Any

import pytest
from tests.tools.api_stub import ApiStub
from tests.tools.terminal import columns_of, run_on_terminal

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.event_view import python_traceback

pytestmark = pytest.mark.may_block("commands are synchronous")

EVENT_ID = "error_20261123_k3v9x2m7q4w8r1t6"
EVENT: dict[str, Any] = {
    "id": EVENT_ID,
    "incident_id": "INC-54",
    "message": "order 17 is bad",
    "severity": "high",
    "service": "billing",
    "occurred_at": "2026-11-23T12:00:05Z",
    "tags": {"region": "eu", "retried": False},
    "context": {"order": {"id": 17, "lines": ["a'b", None]}, "amount": 0},
    "breadcrumbs": [
        {
            "timestamp": "2026-11-23T11:57:05Z",
            "category": "query",
            "message": "read \x1b[2J",
            "level": "info",
        },
        {"timestamp": "2026-11-23T12:00:03.700Z", "category": "http", "data": {"url": "/pay", "status": 502}},
        {"timestamp": 1, "message": ["odd"]},
        {},
    ],
    "exceptions": [
        {
            "type": "PaymentError",
            "module": "shop.pay",
            "value": "order 17 is bad\nand its card",
            "frames": [
                {"file": "shop/app.py", "line": 3, "qualname": "App.<locals>.pay", "context": ["  charge()"]}
            ],
        },
        {"type": "TimeoutError", "module": "builtins", "frames": []},
    ],
}


@pytest.fixture
def shown(stub: ApiStub) -> ApiStub:
    stub.answer(f"events/{EVENT_ID}", EVENT)
    listed = [
        {"id": "error_20261123_aaaaaaaaaaaaaaaa", "body_kept": False},
        {"id": EVENT_ID, "body_kept": True},
    ]
    stub.answer("incidents/INC-54/events", {"events": listed, "next_cursor": None})
    return stub


@pytest.mark.usefixtures("shown")
def test_breadcrumbs_are_lines_with_their_distance_and_nested_values_are_json(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["events", "show", EVENT_ID]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 'context.order  {"id": 17, "lines": ["a\'b", null]}' in lines
    assert "tags.retried   false" in lines
    assert "context.amount 0" in lines
    assert " -3.0 min query      read \\x1b[2J" in lines
    assert "   -1.3 s http        url=/pay status=502" in lines
    assert any('["odd"]' in line for line in lines)


@pytest.mark.usefixtures("shown")
@pytest.mark.parametrize("words", [["INC-54"], ["inc-54"], ["--latest", "INC-54"]])
def test_an_incident_stands_for_its_newest_event_that_can_be_read(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["events", "show", *words]) == 0
    assert capsys.readouterr().out.startswith(f"{EVENT_ID}  order 17 is bad")


def test_one_event_has_to_be_named_and_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], [EVENT_ID, "--latest", "INC-1"]):
        assert run(["events", "show", *words]) == 2
        assert "name one event" in capsys.readouterr().err


@pytest.mark.usefixtures("shown")
def test_the_traceback_is_python_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["events", "show", EVENT_ID, "--python"]) == 0
    assert capsys.readouterr().out == (
        "TimeoutError\n"
        "\n"
        "The above exception was the direct cause of the following exception:\n"
        "\n"
        "Traceback (most recent call last):\n"
        '  File "shop/app.py", line 3, in pay\n'
        "    charge()\n"
        "shop.pay.PaymentError: order 17 is bad\n"
        "and its card\n"
    )


def test_a_group_s_traceback_has_its_members_beside_their_numbers() -> None:
    member = {"type": "KeyError", "value": "'sku'", "frames": [{"file": "a.py", "line": 2, "qualname": "f"}]}
    group = {"type": "ExceptionGroup", "value": "two of them", "members": [[member], [member]]}
    lines = python_traceback({"exceptions": [group]}).splitlines()
    assert lines[0] == "ExceptionGroup: two of them"
    assert lines[1] == "  +-+---------------- 1 ----------------"
    assert lines[2] == "    | Traceback (most recent call last):"
    assert lines.count("    | KeyError: 'sku'") == 2
    assert lines[-1] == "    +------------------------------------"


def test_an_event_without_a_stack_says_so(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer(f"events/{EVENT_ID}", EVENT | {"exceptions": []})
    assert run(["events", "show", EVENT_ID, "--python"]) == 1
    assert "no stack trace" in capsys.readouterr().err


@pytest.mark.usefixtures("shown")
def test_a_listed_event_shows_its_own_message(stub: ApiStub) -> None:
    row = {
        "id": EVENT_ID,
        "incident_id": "INC-54",
        "severity": "high",
        "service": "billing",
        "title": "of all",
    }
    rows = [row | {"message": "its own"}, row | {"message": None}]
    stub.answer("events", {"events": rows, "next_cursor": None})
    head, first, second = run_on_terminal("events", "list", columns=100).lines
    assert head.endswith("message")
    assert first.endswith("its own")
    assert second.endswith("of all")
    assert columns_of(first) <= 100


BESIDE = "error_20261123_bbbbbbbbbbbbbbbb"


@pytest.mark.usefixtures("shown")
def test_the_event_before_or_after_another_is_shown(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    around = {"id": EVENT_ID, "incident_id": "INC-54", "first": None, "last": None}
    stub.answer(
        f"events/{EVENT_ID}/neighbours",
        around | {"previous": {"id": BESIDE, "body_kept": True}, "next": None},
    )
    stub.answer(f"events/{BESIDE}", EVENT | {"id": BESIDE})
    assert run(["events", "show", EVENT_ID, "--previous"]) == 0
    assert run(["events", "show", "INC-54", "--previous", "--python"]) == 0
    assert capsys.readouterr().out.startswith(f"{BESIDE}  order 17 is bad")
    assert run(["events", "show", EVENT_ID, "--next"]) == 1
    assert f"{EVENT_ID} is the last event of INC-54" in capsys.readouterr().err
    assert run(["events", "show", EVENT_ID, "--next", "--previous"]) == 2


def test_a_call_shows_the_lines_around_and_its_variables(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = {
        "file": "shop/pay.py",
        "line": 3,
        "qualname": "pay",
        "context": ["def pay(order):", "    price = None", "    total += price", "", ""],
        "vars": {"order": {"id": 17}, "price": None, "name": "\x1b[2J"},
    }
    stub.answer(f"events/{EVENT_ID}", EVENT | {"exceptions": [{"type": "TypeError", "frames": [frame]}]})
    assert run(["events", "show", EVENT_ID]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("  shop/pay.py:3 in pay")
    assert lines[at + 1 : at + 7] == [
        "      def pay(order):",
        "          price = None",
        "    >     total += price",
        '      order = {"id": 17}',
        "      price = null",
        '      name = "\\u001b[2J"',
    ]
    assert run(["events", "show", EVENT_ID, "--python"]) == 0
    assert "    total += price\nTypeError" in capsys.readouterr().out

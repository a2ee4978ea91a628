"""`faultwire find`, and lists that say what they were looked for in."""

import json

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

NOTE = "Texts and values are looked up in the events whose bodies are kept."
FOUND = {
    "kind": "trace",
    "id": "8fa6\x1b[2J",
    "incidents": ["INC-1", "INC-2"],
    "events": ["error_20261123_k3v9x2m7q4w8r1t6"],
    "query": 'trace:"8fa6"',
    "page": "/?query=trace%3A%228fa6%22&view=all",
    "api": "/api/v1/events?query=trace%3A%228fa6%22",
    "searched": {"events": "kept", "complete": True, "note": NOTE},
}


def test_what_an_id_leads_to_is_shown_with_the_next_command(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("find", FOUND)
    assert run(["find", "8fa6"]) == 0
    shown = capsys.readouterr().out
    assert stub.queries("find") == [{"id": ["8fa6"]}]
    for text in ("INC-1, INC-2", "faultwire events list 'trace:\"8fa6\"'", f"{stub.url}/?query="):
        assert text in shown
    assert "\x1b[2J" not in shown
    stub.answer("find", FOUND | {"kind": "incident", "id": "INC-1", "query": None})
    assert run(["find", "INC-1"]) == 0
    assert "faultwire incidents show INC-1" in capsys.readouterr().out
    assert run(["find", "INC-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "incident"


def test_an_id_that_nothing_has_is_told(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.refuse("find", 404, "nothing has the id 8fa6: no event, no incident")
    assert run(["find", "8fa6"]) == 1
    assert "nothing has the id 8fa6" in capsys.readouterr().err


@pytest.mark.parametrize("what", ["incidents", "events"])
def test_an_empty_list_says_what_it_was_looked_for_in(
    stub: ApiStub, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    stub.answer(what, {what: [], "next_cursor": None, "searched": FOUND["searched"]})
    assert run([what, "list", "zanzibar"]) == 0
    assert NOTE in capsys.readouterr().err
    assert run([what, "list", "zanzibar", "--quiet"]) == 0
    assert NOTE not in capsys.readouterr().err

"""`faultwire alerts resend` and `send-test` against a stub of the API."""

import json
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

ALERT = {"id": 17, "receiver": "pager", "state": "waiting", "stages": [], "tries": [], "told": []}
TESTED: dict[str, Any] = {
    "receiver": "pager", "outcome": "sent", "reason": None, "detail": "", "seconds": 0.25,
    "idempotency_key": "k",
}  # fmt: skip


def test_a_notification_is_sent_again_with_a_note(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.answer("alerts/17/resend", ALERT)
    assert run(["alerts", "resend", "17", "--note", "it is back", "--actor", "ana"]) == 0
    assert stub.asked[0][2] == {"note": "it is back", "actor": "ana"}
    assert capsys.readouterr().err == "alert 17 to pager is waiting, due now\n"
    stub.refuse("alerts/17/resend", 409, "notification 17 is not sent again: it is waiting")
    assert run(["alerts", "resend", "17"]) == 1
    assert "not sent again" in capsys.readouterr().err


def test_a_test_says_what_became_of_it_and_ends_with_1_where_it_failed(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("receivers/pager/test", TESTED)
    assert run(["alerts", "send-test", "pager", "--actor", "ana"]) == 0
    assert stub.asked[0][2] == {"actor": "ana"}
    assert capsys.readouterr().err == "pager took the test in 0.25 s\n"
    failed = TESTED | {"outcome": "permanent", "reason": "gone", "detail": "410\x1b[2J"}
    stub.answer("receivers/pager/test", failed)
    assert run(["alerts", "send-test", "pager"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("the test did not reach pager: gone, 410")
    assert "\x1b[2J" not in told
    assert run(["alerts", "send-test", "pager", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["outcome"] == "permanent"

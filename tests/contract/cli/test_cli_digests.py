"""`faultwire digests` against a stub of the API."""

import json
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

PREVIEW: dict[str, Any] = {
    "rule": "medium", "receiver": "log", "receivers": ["log"], "due_at": "2026-11-24T09:00:00Z",
    "is_empty": True, "subject": "Digest: no incidents", "text": "Digest: no incidents.\n\x1b[2Jx\n",
}  # fmt: skip


def test_a_preview_prints_the_text_with_when_it_is_due(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.answer("digests/preview", PREVIEW)
    assert run(["digests", "preview", "medium", "--receiver", "log"]) == 0
    assert stub.queries("digests/preview") == [{"rule": ["medium"], "receiver": ["log"]}]
    printed = capsys.readouterr()
    assert printed.out == "Digest: no incidents.\n\\x1b[2Jx\n"
    assert printed.err == "to log, due at 2026-11-24T09:00:00Z; it is empty\n"
    assert run(["digests", "preview", "medium", "--receiver", "log", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["is_empty"] is True


def test_a_rule_without_digests_is_an_error(stub: ApiStub, capsys: pytest.CaptureFixture[str]) -> None:
    stub.refuse("digests/preview", 404, "no rule 'critical' sends digests")
    assert run(["digests", "preview", "critical"]) == 1
    assert "no rule 'critical' sends digests" in capsys.readouterr().err

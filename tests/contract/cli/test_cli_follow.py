"""Lists that go on, as processes: lines as they come, in pipes and on terminals, until Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest
from tests.tools.api_stub import ApiStub
from tests.tools.terminal import columns_of

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.follow import PAGE, Followed, follow, line_of
from faultwire_consumer.cli.option import Output

pytestmark = pytest.mark.may_block("commands are synchronous")


def event(number: int) -> dict[str, Any]:
    return {
        "id": f"error_20261123_{number:016}",
        "incident_id": "INC-1",
        "received_at": "2026-11-23T12:00:00Z",
        "severity": "high",
        "service": "billing",
        "message": f"number {number}",
        "title": "of all",
    }


class Events:
    """Events as the API lists them: the newest first, in pages."""

    def __init__(self, stub: ApiStub, count: int) -> None:
        self.count = count
        stub.answer("events", self._page)

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        newest = int(query.get("cursor", [str(self.count)])[0])
        rows = [event(number) for number in range(newest, max(0, newest - PAGE), -1)]
        return {"events": rows, "next_cursor": str(newest - PAGE) if newest > PAGE else None}


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Let processes take Ctrl-C: what a shell has put in the background ignores it, as its children do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "faultwire_consumer.cli", *arguments, "--every", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": ""},
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout
    finally:
        process.kill()
        process.communicate()


def test_events_come_as_lines_and_ctrl_c_ends_them_without_a_word(stub: ApiStub) -> None:
    events = Events(stub, 3)
    with running("events", "tail", "service:billing", "--lines", "2", "--jsonl") as (process, out):
        assert [json.loads(out.readline())["message"] for _ in range(2)] == ["number 2", "number 3"]
        events.count = 5
        assert [json.loads(out.readline())["message"] for _ in range(2)] == ["number 4", "number 5"]
        process.send_signal(signal.SIGINT)
        rest, err = process.communicate(timeout=60)
        assert (process.returncode, rest, err) == (130, "", "")
    assert stub.queries("events")[0] == {"query": ["service:billing"], "limit": ["100"]}


def test_a_pipe_gets_values_with_tabs_at_once(stub: ApiStub) -> None:
    Events(stub, 1)
    with running("events", "tail") as (_, out):
        assert out.readline().split("\t")[:2] == ["received_at", "id"]
        assert out.readline().rstrip().split("\t")[-1] == "number 1"


def test_a_reader_that_goes_away_ends_it(stub: ApiStub) -> None:
    events = Events(stub, 1)
    with running("events", "tail", "--jsonl") as (process, out):
        out.readline()
        out.close()
        process.stdout = None
        events.count = 2
        assert process.wait(60) == 1


def test_incidents_are_told_again_when_they_are_seen_again_or_change(stub: ApiStub) -> None:
    row = {
        "id": "INC-1",
        "count": 1,
        "status": "open",
        "title": "bad",
        "last_seen_at": "2026-11-23T12:00:00Z",
    }
    stub.answer("incidents", {"incidents": [row], "next_cursor": None})
    with running("incidents", "watch", "--jsonl") as (_, out):
        out.readline()
        for change in ({"count": 2}, {"count": 2, "status": "resolved"}):
            stub.answer("incidents", {"incidents": [row | change], "next_cursor": None})
            assert json.loads(out.readline()) == row | change


def test_alerts_are_told_again_when_they_were_sent(stub: ApiStub) -> None:
    row = {"id": 7, "state": "waiting", "receiver": "pager", "created_at": "2026-11-23T12:00:00Z"}
    stub.answer("alerts", {"alerts": [row], "next_cursor": None})
    with running("alerts", "tail", "--jsonl", "--receiver", "pager") as (_, out):
        out.readline()
        stub.answer("alerts", {"alerts": [row | {"state": "sent"}], "next_cursor": None})
        assert json.loads(out.readline())["state"] == "sent"


def test_a_worker_that_never_answered_is_a_failure() -> None:
    with running("events", "tail", "--url", "http://127.0.0.1:1") as (process, _):
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err.count("\n")) == (1, 1)


FOLLOWED = Followed(
    path=("api", "v1", "events"), key="events", parameters={}, identity=("id",), columns={"message": 0}
)


def test_a_burst_is_read_back_page_by_page_and_told_in_its_order(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    events = Events(stub, 1)
    looks = iter([1 + 3 * PAGE + 7, None])

    def wait(_: float) -> None:
        count = next(looks)
        if count is None:
            raise KeyboardInterrupt
        events.count = count

    with pytest.raises(KeyboardInterrupt):
        follow(ApiClient(Output()), FOLLOWED, Output(jsonl=True), every=1, lines=0, wait=wait)
    told = [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()]
    assert told == [f"number {number}" for number in range(2, 2 + 3 * PAGE + 7)]


def test_a_worker_that_goes_away_is_waited_for_and_said_once(
    stub: ApiStub, capsys: pytest.CaptureFixture[str]
) -> None:
    events = Events(stub, 1)

    looks = iter(("away", "", "", "back", ""))

    def wait(_: float) -> None:
        match next(looks, "over"):
            case "away":
                stub.refuse("events", 503, "no database")
            case "back":
                Events(stub, 2)
            case "over":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(ApiClient(Output()), FOLLOWED, Output(jsonl=True), every=1, lines=0, wait=wait)
    out, err = capsys.readouterr()
    assert [json.loads(line)["message"] for line in out.splitlines()] == ["number 2"]
    assert err.count("trying again") == 1
    assert events.count == 1


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_line_on_a_terminal_fits_it(columns: int) -> None:
    shown = {"received_at": 8, "id": 31, "severity": 8, "message": 0}
    row = event(1) | {"message": "\x1b[2J決済 " * 30}
    line = line_of(row, shown, Output(), room=columns).plain
    assert line.startswith("12:00:00  error_20261123_0000000")
    assert columns_of(line) <= columns
    assert "\x1b" not in line
    assert columns_of(line_of(row, shown, Output(wide=True), room=columns).plain) > 200

"""The commands against a small server that answers as the API does."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import CommandError
from faultwire_consumer.cli.option import Output
from faultwire_consumer.domain.report.comparison import difference

pytestmark = pytest.mark.may_block("commands are synchronous")

INCIDENT = {
    "id": "INC-1",
    "service": "billing",
    "title": "Boom: \x1b[31m[bold]x[/bold]\tend",
    "culprit": "shop.pay in charge",
    "severity": "high",
    "category": "system",
    "code": "INTERNAL_ERROR",
    "status": "open",
    "count": 3,
    "first_seen_at": "2026-11-23T12:00:00Z",
    "last_seen_at": "2026-11-23T12:00:05.123456Z",
    "episode": 1,
}
DETAIL = INCIDENT | {
    "resolved_at": None,
    "last_release": None,
    "environments": ["production"],
    "releases": [],
    "history": [
        {
            "at": "2026-11-23T12:00:00Z",
            "actor": "worker",
            "reason": "opened",
            "event_id": None,
            "before": None,
            "after": "open",
        }
    ],
}


class Api(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, str, Any]]] = []
    answers: ClassVar[dict[str, tuple[int, Any]]] = {}
    logins: ClassVar[list[str | None]] = []
    redirects: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        Api.asked.append((self.command, self.path, body))
        Api.logins.append(self.headers.get("Authorization"))
        path = self.path.partition("?")[0]
        unknown = {"error": {"id": "error_x", "message": f"there is nothing at {path}", "code": "NOT_FOUND"}}
        status, document = Api.answers.get(path, (404, unknown))
        if path in Api.redirects:
            status = 302
        payload = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        if path in Api.redirects:
            self.send_header("Location", Api.redirects[path])
        self.end_headers()
        self.wfile.write(payload)

    do_POST = do_GET  # noqa: N815 - the standard library's name

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@pytest.fixture(autouse=True)
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Api]]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Api.asked.clear()
    Api.logins.clear()
    Api.redirects.clear()
    Api.answers.clear()
    Api.answers["/api/v1/incidents"] = 200, {"incidents": [INCIDENT], "next_cursor": "abc"}
    Api.answers["/api/v1/incidents/INC-1"] = 200, DETAIL
    monkeypatch.setenv("FAULTWIRE_URL", f"http://127.0.0.1:{server.server_port}")
    yield Api
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_piped_list_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "list"]) == 0
    out, err = capsys.readouterr()
    head, row = out.splitlines()
    assert head.split("\t")[:3] == ["id", "severity", "status"]
    assert len(row.split("\t")) == len(head.split("\t"))
    assert row.endswith(r"Boom: \x1b[31m[bold]x[/bold]\tend")
    assert err == "more, by the same command and:\n--cursor=abc\n"


def test_json_is_the_apis_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "list", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == {"incidents": [INCIDENT], "next_cursor": "abc"}
    assert err == ""
    assert run(["incidents", "list", "--jsonl", "-q"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line) for line in out.splitlines()] == [INCIDENT]
    assert err == ""


def test_a_user_in_the_address_logs_in_at_the_proxy_and_is_not_shown(
    api: type[Api], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = os.environ["FAULTWIRE_URL"].partition("://")[2]
    monkeypatch.setenv("FAULTWIRE_URL", f"http://ada:hunter2@{place}")
    api.answers["/readyz"] = 200, {"status": "healthy", "checks": []}
    assert run(["incidents", "list", "-v"]) == run(["health", "-q"]) == 0
    assert api.logins == ["Basic YWRhOmh1bnRlcjI="] * 2
    assert "hunter2" not in "".join(capsys.readouterr())


def test_a_token_of_the_environment_is_shown(
    api: type[Api], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    path.write_text("fwt_filed\n")
    monkeypatch.setenv("FAULTWIRE_TOKEN_FILE", str(path))
    api.answers["/readyz"] = 200, {"status": "healthy", "checks": []}
    assert run(["incidents", "list", "-v"]) == run(["health", "-q"]) == 0
    monkeypatch.setenv("FAULTWIRE_TOKEN", "fwt_given")
    assert run(["incidents", "list"]) == 0
    assert api.logins == ["Bearer fwt_filed"] * 2 + ["Bearer fwt_given"]
    assert "fwt_" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"FAULTWIRE_TOKEN_FILE": "/nonexistent"}, "FAULTWIRE_TOKEN_FILE: cannot read /nonexistent"),
        ({"FAULTWIRE_TOKEN": "fwt_a b"}, "FAULTWIRE_TOKEN holds no token"),
        ({"FAULTWIRE_TOKEN": "fwt_a", "FAULTWIRE_URL": "http://ada:x@127.0.0.1:1"}, "leave the other out"),
    ],
)
def test_a_token_that_cannot_be_is_one_line_and_exit_78(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for command in (["incidents", "list"], ["health", "-q"]):
        assert run(command) == 78
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1
        assert "fwt_a" not in err


def test_no_redirect_is_followed_with_a_token(
    api: type[Api], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAULTWIRE_TOKEN", "fwt_given")
    api.redirects["/api/v1/incidents"] = "http://user:hunter2@127.0.0.1:1/else\x1b[2J"
    assert run(["incidents", "list"]) == 1
    err = capsys.readouterr().err
    assert "leads elsewhere: if http://" in err
    assert "hunter2" not in err
    assert "\x1b" not in err
    assert len(api.asked) == 1


def test_who_is_not_let_in_is_told_where_a_token_goes(
    api: type[Api], capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = {"error": {"id": "error_x", "message": "nobody is signed in here", "code": "NOT_SIGNED_IN"}}
    api.answers["/api/v1/incidents"] = 401, refusal
    assert run(["incidents", "list"]) == 1
    assert "nobody is signed in here (FAULTWIRE_TOKEN, or FAULTWIRE_TOKEN_FILE" in capsys.readouterr().err


def test_filters_travel(api: type[Api]) -> None:
    run(["incidents", "list", "--service", "a b", "--service", "c", "--since", "2h", "--limit", "7"])
    ((method, path, _),) = api.asked
    assert (method, path) == ("GET", "/api/v1/incidents?service=a+b&service=c&since=2h&limit=7")


def test_a_query_travels_as_it_was_written(api: type[Api]) -> None:
    Api.answers["/api/v1/events"] = (200, {"events": [], "next_cursor": None})
    for noun in ("incidents", "events"):
        for query in ('-code:T "a b"', "service:api"):
            assert run([noun, "list", query, "--severity", "high"]) == 0
            asked = urlsplit(api.asked[-1][1])
            assert (asked.path, parse_qs(asked.query)) == (
                f"/api/v1/{noun}",
                {"query": [query], "severity": ["high"], "limit": ["50"]},
            )


def test_what_is_wrong_in_a_query_is_underlined(api: type[Api], capsys: pytest.CaptureFixture[str]) -> None:
    message = "query: severty is not a key (column 4)"
    Api.answers["/api/v1/incidents"] = (
        400,
        {"error": {"id": "error_x", "message": message, "details": {"column": 4, "length": 7}}},
    )
    assert run(["incidents", "list", "名: severty:high"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"faultwire: {message}",
        "  名: severty:high",
        "      ^^^^^^^",
    ]


def test_show_is_safe_to_print(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "show", "INC-1"]) == 0
    out = capsys.readouterr().out
    assert r"\x1b[31m[bold]x[/bold]" in out
    assert "\x1b" not in out
    assert "opened by worker" in out


def test_a_verb_names_who_asks(
    api: type[Api], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    done = {"id": "INC-1", "outcome": "changed", "status": "resolved", "version": 2, "detail": ""}
    api.answers["/api/v1/incidents/bulk"] = 200, {"incidents": [done]}
    assert run(["incidents", "resolve", "INC-1"]) == 0
    ((method, path, body),) = api.asked
    assert (method, path) == ("POST", "/api/v1/incidents/bulk")
    assert (body["verb"], body["ids"], body["actor"]) == ("resolve", ["INC-1"], "ada")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "INC-1 is resolved\n")


def test_an_unknown_id_is_one_line_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["incidents", "show", "INC-9"],
        ["events", "show", "x/../y"],
        ["dead-letters", "show", "1"],
    ):
        assert run(command) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("faultwire: there is nothing at /api/v1/")
        assert err.count("\n") == 1


def test_a_refusal_gives_its_connection_back() -> None:
    client = ApiClient(Output())
    with pytest.raises(CommandError) as caught:
        client.get("api", "v1", "incidents", "INC-9")
    refusal = caught.value.__context__
    assert isinstance(refusal, HTTPError)
    assert refusal.closed


def test_no_worker_is_one_line_that_says_how_to_start_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTWIRE_URL", "http://user:secret@127.0.0.1:1")
    assert run(["health"]) == 1
    err = capsys.readouterr().err
    assert "faultwire worker" in err
    assert "secret" not in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "command",
    [
        ["nonsense"],
        ["incidents", "lst"],
        ["incidents", "show"],
        ["incidents", "list", "--limit", "0"],
        ["send"],
        ["send", "-m", "x", "--tag", "y"],
    ],
)
def test_usage_errors_are_one_line_and_exit_2(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("faultwire: ")
    assert err.count("\n") == 1


def test_a_filter_that_the_worker_refuses_is_a_usage_error(
    api: type[Api], capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["/api/v1/events"] = 400, {"error": {"message": "severity: one of low, medium"}}
    assert run(["events", "list", "--severity", "loud"]) == 2
    assert capsys.readouterr().err == "faultwire: severity: one of low, medium\n"


def test_health_says_it_by_its_exit_code(api: type[Api], capsys: pytest.CaptureFixture[str]) -> None:
    failed = {"name": "store", "status": "fail", "error": "gone"}
    api.answers["/readyz"] = 503, {"status": "unhealthy", "checks": [failed]}
    assert run(["health"]) == 1
    assert "gone" in capsys.readouterr().out
    api.answers["/readyz"] = 200, {"status": "healthy", "checks": []}
    assert run(["health", "--json"]) == 0
    api.answers["/startupz"] = 503, {"status": "unhealthy", "checks": [failed]}
    assert run(["health", "--probe", "startup"]) == 1


def test_health_in_a_container_is_silent_or_one_line(
    api: type[Api], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers["/readyz"] = 200, {"status": "healthy", "checks": []}
    assert run(["health", "-q"]) == 0
    assert capsys.readouterr() == ("", "")
    failed = {"name": "store", "status": "fail", "error": "gone \x1b[31m"}
    passed = {"name": "lane high", "status": "pass", "response_time": 0.0}
    api.answers["/readyz"] = 503, {"status": "unhealthy", "checks": [failed, passed]}
    assert run(["health", "-q"]) == 1
    assert capsys.readouterr() == ("", "faultwire: the worker answers 503: store: gone \\x1b[31m\n")
    monkeypatch.setenv("FAULTWIRE_URL", "http://ada:secret@127.0.0.1:1")
    assert run(["health", "-q"]) == 1
    assert "secret" not in capsys.readouterr().err
    monkeypatch.setenv("FAULTWIRE_URL", "ftp://nowhere")
    assert run(["health", "-q"]) == 78


def test_health_in_a_container_loads_nothing_but_the_standard_library(api: type[Api]) -> None:
    heavy = ("cyclopts", "rich", "aiohttp", "sqlalchemy", "pydantic", "msgspec")
    api.answers["/readyz"] = 200, {"status": "healthy", "checks": []}
    script = f"""
import sys
from faultwire_consumer.cli import main
sys.argv[1:] = ["health", "-q"]
try:
    main()
except SystemExit as end:
    print(end.code, [name for name in {heavy!r} if name in sys.modules])
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "0 []\n"


@pytest.mark.parametrize("command", [["worker"], ["db", "status"], ["db", "upgrade"], ["demo"]])
def test_a_bad_database_is_one_line_and_exit_78(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", "mysql://ada:secret@db/")
    assert run(command) == 78
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("faultwire: FAULTWIRE_DATABASE_URL: mysql://ada:***@db/")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "setting",
    [{"FAULTWIRE_ACCESS": "login"}, {"FAULTWIRE_HTTP_HOST": "0.0.0.0", "FAULTWIRE_ACCESS": "login"}],  # noqa: S104 - refused
)
def test_the_demo_is_for_this_machine_alone(
    setting: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    assert run(["demo"]) == 78
    assert "for this machine alone" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["worker"], ["demo"], ["topology", "apply"]])
def test_a_bad_broker_is_one_line_and_exit_78(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAULTWIRE_BROKER_URL", "http://ada:secret@mq/")
    assert run(command) == 78
    err = capsys.readouterr().err
    assert err.startswith("faultwire: FAULTWIRE_BROKER_URL: http://ada:***@mq/")
    assert err.count("\n") == 1


def test_the_database_asks_for_no_broker(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FAULTWIRE_BROKER_URL", "http://localhost:8787")
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", f"sqlite:///{tmp_path / 'faultwire.db'}")
    assert run(["db", "status"]) == 1
    assert run(["db", "upgrade"]) == 0
    capsys.readouterr()
    assert run(["db", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["up_to_date"] is True


def test_topology_can_be_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["topology", "export", "--vhost", "team"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {queue["vhost"] for queue in document["queues"]} == {"team"}


def test_differences_are_marked() -> None:
    assert difference(["a", "b", "d"], ["a", "c", "d"]) == [(" ", "a"), ("-", "b"), ("+", "c"), (" ", "d")]


def answer(letter_id: int, outcome: str) -> dict[str, Any]:
    return {"id": letter_id, "status": "waiting", "outcome": outcome, "detail": "1 stored", "events": []}


def letters(api: type[Api]) -> None:
    listed = [{"id": 7, "reason": "malformed_json"}, {"id": 3, "reason": "malformed_json"}]
    api.answers["/api/v1/dead-letters"] = 200, {"dead_letters": listed, "next_cursor": None}
    api.answers["/api/v1/dead-letters/3/replay"] = 200, answer(3, "replayed")
    api.answers["/api/v1/dead-letters/7/replay"] = 200, answer(7, "replay_failed")
    api.answers["/api/v1/dead-letters/7/discard"] = 200, answer(7, "discarded")


PRODUCER = {
    "id": "94f0",
    "service": "billing",
    "host": "web-\x1b[31m3",
    "state": "quiet",
    "state_reason": "no_goodbye",
    "sdk": "faultwire 1.0",
    "started_at": None,
    "first_seen_at": "2026-11-23T12:00:00Z",
    "last_seen_at": "2026-11-23T12:00:05Z",
    "last_report_at": None,
    "last_sequence": 981,
    "missing": 2,
    "dead_lettered": 1,
    "unfollowed": 0,
    "lost": {"buffer_full": 5, "shutdown": 2},
    "spool_depth": 0,
    "via": "gateway",
    "unnumbered": 17,
    "dropped": {"session": 3},
}


def test_producers_are_a_table_with_their_losses_as_text(
    api: type[Api], capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["/api/v1/producers"] = 200, {"producers": [PRODUCER], "next_cursor": None}
    assert run(["producers", "list", "--service", "billing", "--processes"]) == 0
    assert api.asked[-1][1] == "/api/v1/producers?service=billing&limit=50"
    names, row = capsys.readouterr().out.splitlines()
    assert names.split("\t")[:5] == ["service", "host", "id", "state", "last_sequence"]
    assert row.split("\t") == [
        *("billing", "web-\\x1b[31m3", "94f0", "quiet", "981", "2", "1"),
        *("5 buffer_full, 2 shutdown", "0", "2026-11-23T12:00:05Z", "gateway", "17", "3 session"),
    ]
    assert run(["producers", "list", "--processes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["producers"][0]["lost"] == PRODUCER["lost"]


def test_dead_letters_are_replayed_by_their_ids(api: type[Api], capsys: pytest.CaptureFixture[str]) -> None:
    letters(api)
    assert run(["dead-letters", "replay", "3", "--why", "mended", "--dry-run"]) == 0
    method, path, body = api.asked[-1]
    assert (method, path) == ("POST", "/api/v1/dead-letters/3/replay")
    assert (body["why"], body["dry_run"]) == ("mended", True)
    assert body["actor"]
    assert capsys.readouterr() == ("", "3 replayed: 1 stored\n")


def test_all_that_wait_are_replayed_the_oldest_first_and_a_failure_is_exit_1(
    api: type[Api], capsys: pytest.CaptureFixture[str]
) -> None:
    letters(api)
    assert run(["dead-letters", "replay", "--all", "--reason", "malformed_json", "--json"]) == 1
    assert "status=waiting&reason=malformed_json" in api.asked[0][1]
    assert [path for _, path, _ in api.asked[1:]] == [f"/api/v1/dead-letters/{one}/replay" for one in (3, 7)]
    document = json.loads(capsys.readouterr().out)
    assert [one["outcome"] for one in document["dead_letters"]] == ["replayed", "replay_failed"]


@pytest.mark.parametrize("arguments", [[], ["3", "--all"], ["3", "--reason", "x"]])
def test_what_to_replay_must_be_said_in_one_way(arguments: list[str], api: type[Api]) -> None:
    assert run(["dead-letters", "replay", *arguments]) == 2
    assert run(["dead-letters", "discard", *arguments]) == 2
    assert api.asked == []


def test_a_dead_letter_is_discarded(api: type[Api], capsys: pytest.CaptureFixture[str]) -> None:
    letters(api)
    assert run(["dead-letters", "discard", "7", "-q"]) == 0
    assert api.asked[-1][1] == "/api/v1/dead-letters/7/discard"
    assert capsys.readouterr() == ("", "")

"""Commands where things are not as usual: outputs that take not every character, or none; odd arguments."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from faultwire_consumer.cli.application import run

pytestmark = pytest.mark.may_block("commands are synchronous")

INCIDENT = {"id": "INC-1", "title": "löschen: 😀", "severity": "high"}


class Api(BaseHTTPRequestHandler):
    queries: ClassVar[list[dict[str, list[str]]]] = []

    def do_GET(self) -> None:
        Api.queries.append(parse_qs(urlsplit(self.path).query))
        payload = json.dumps({"incidents": [INCIDENT] * 500, "events": [], "next_cursor": None}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Api.queries.clear()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("FAULTWIRE_URL", url)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def _command(*arguments: str, stdout: int, **variables: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "faultwire_consumer.cli", *arguments],
        env=os.environ | variables,
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("encoding", "shown"), [("latin-1", b"l\xf6schen: \\U0001f600"), ("ascii", b"l\\xf6schen")]
)
def test_what_the_output_cannot_show_is_escaped(url: str, encoding: str, shown: bytes) -> None:
    done = _command("incidents", "list", stdout=subprocess.PIPE, PYTHONIOENCODING=encoding, FAULTWIRE_URL=url)
    assert (done.returncode, done.stderr) == (0, b"")
    assert shown in done.stdout


def test_an_output_that_takes_nothing_is_one_line(url: str) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = _command("incidents", "list", stdout=full, FAULTWIRE_URL=url)
    finally:
        os.close(full)
    assert (done.returncode, done.stderr) == (1, b"faultwire: No space left on device\n")


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        (["incidents", "list", "--query", "severity:high -code:X"], "severity:high -code:X"),
        (["incidents", "list", "--query=-code:X"], "-code:X"),
        (["incidents", "list", "--query", "-code:X"], "-code:X"),
        (["events", "list", "service:api", "--query", "since:2h"], "service:api since:2h"),
    ],
)
@pytest.mark.usefixtures("url")
def test_a_query_may_be_named(arguments: list[str], query: str) -> None:
    assert run(arguments) == 0
    assert Api.queries[-1]["query"] == [query]


def test_a_message_may_begin_like_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["send", "--message", "-x", "--severity", "grave"]) == 2
    refused = capsys.readouterr().err
    assert "grave" in refused
    assert "--message" not in refused.splitlines()[-1]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('secret = "short"', "receivers.chat: "),
        ('secret_file = "/nowhere"', "receivers.chat.secret_file: cannot read /nowhere: No such file"),
    ],
)
def test_a_check_of_rules_reads_the_secrets_that_a_worker_would_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, why: str
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(f'[receivers.chat]\ntype = "webhook"\nurl = "https://chat.example/x"\n{line}\n')
    assert run(["rules", "check", str(rules)]) == 78
    assert capsys.readouterr().err.startswith(f"faultwire: {why}")


def test_a_check_of_rules_tries_the_templates_and_names_the_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.txt").write_text("{{ severity }}\n{{ severty }}\n")
    rules = tmp_path / "rules.toml"
    rules.write_text(f'[receivers.log]\ntype = "log"\ntemplate = "{tmp_path}"\n')
    assert run(["rules", "check", str(rules)]) == 78
    said = f"faultwire: receivers.log: {tmp_path}/text.txt:2: 'severty' is undefined\n"
    assert capsys.readouterr().err == said
    (tmp_path / "text.txt").write_text("{{ severity }}\n")
    assert run(["rules", "check", str(rules)]) == 0


def test_rules_that_are_nested_beyond_reading_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(f"rules = {'[' * 50_000}")
    assert run(["rules", "check", str(rules)]) == 78
    assert capsys.readouterr().err.count("\n") == 1


def test_a_backup_of_postgresql_is_left_to_its_own_tool(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "backup", "x.dump", "--database-url", "postgresql://db/app"]) == 1
    assert "pg_dump" in capsys.readouterr().err

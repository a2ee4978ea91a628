"""Commands that are called wrongly, and the pages that say how to call them."""

import re
import shlex

import pytest
from cyclopts import App
from tests.tools.api_stub import ApiStub

from faultwire_consumer.cli.application import app, run

pytestmark = pytest.mark.may_block("commands are synchronous")

NOT_OURS = ("dead_letters", "incident_verbs", "access", "find", "mcp")
"""Modules of commands that need no example: their pages say it in other words."""


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("incidents list --sevrity high", "--sevrity: unknown; did you mean --severity?"),
        ("incidents list --sevrity=high", "--sevrity: unknown; did you mean --severity?"),
        ("incidents list service:api --sevrity high", "--sevrity: unknown; did you mean --severity?"),
        ("alerts trace 17 --jsn", "--jsn: unknown; did you mean --json?"),
        ("health --prob live", "--prob: unknown; did you mean --probe?"),
        ("health --probe redy", "--probe: redy: unknown; did you mean ready?"),
        ("alerts trace 1 2", "alerts trace takes one ID, and 2 is one too many"),
        ("events why a b c", "events why takes one ID and one OTHER, and c is one too many"),
        ("alerts list x", "alerts list takes options alone, not x"),
        (
            "incidents list timed out",
            "incidents list takes one QUERY, and out is one too many; quote it as one: '… out'",
        ),
        ("incidents lst", "lst: unknown; did you mean list?"),
        ("incidnts", "incidnts: unknown; did you mean incidents?"),
        ("alerts trace", "ID is missing"),
        ("send", "--message is missing"),
        ("incidents list --since", "--since needs a value"),
        ("incidents list --limit many", "--limit: many: it takes a whole number"),
        ("incidents list --limit 0", "--limit: 0: must be >= 1"),
        ("incidents list --url ftp://x", "--url: ftp://x is not an http:// or https:// address"),
        ("alerts trace '\x1b[2J' '\x1b[31m'", "alerts trace takes one ID, and \\x1b[31m is one too many"),
    ],
)
def test_a_mistake_is_named_with_what_was_meant(
    command: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(command)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"faultwire: {told}")
    assert err.count("\n") == 1


def test_the_worker_to_ask_may_be_named(
    stub: ApiStub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAULTWIRE_URL", "http://127.0.0.1:1")
    stub.answer("incidents", {"incidents": [], "next_cursor": None})
    assert run(["incidents", "list", "--url", f"{stub.url}/", "--json"]) == 0
    assert capsys.readouterr().out.startswith("{")


def commands(noun: App = app, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All commands, by their words."""
    if noun.default_command is not None:
        module = noun.default_command.__module__.rpartition(".")[2]
        return [] if module.startswith(NOT_OURS) else [words]
    names = [name for name in noun if not name.startswith("-")]
    names = [name for name in names if noun[name].name[0] == name]  # not its short form
    return [command for name in names for command in commands(noun[name], (*words, name))]


def page(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    assert run([*words, "--help"]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_help_page_names_every_argument_and_shows_an_example_that_is_right(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    text = page(words, capsys)
    assert text.startswith(f"Usage: faultwire {' '.join(words)}")
    assert "ARGS" not in text
    _, example = re.split(r"[Ee]xample: ", text)
    given = shlex.split(" ".join(re.split(r"\n\n|╭", example)[0].split()))
    if given[0] != "faultwire":
        given = ["faultwire", *words, *given]
    assert tuple(given[1 : 1 + len(words)]) == words
    app.parse_args(given[1:], print_error=False, exit_on_error=False)


def test_where_a_worker_is_asked_is_said_where_one_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert "FAULTWIRE_URL" in page((), capsys)
    assert "FAULTWIRE_URL" in page(("incidents", "list"), capsys)
    for words in (("worker",), ("db",), ("db", "status"), ("topology", "export"), ("spool", "status")):
        assert "FAULTWIRE_URL" not in page(words, capsys)

"""Every verb with its arguments is the same in the API and on the command line: both from one declaration."""

import json
from collections.abc import Mapping
from io import StringIO
from typing import Any, ClassVar

import msgspec
import pytest

from faultwire_consumer.cli import incident_verbs
from faultwire_consumer.cli.application import run
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS
from faultwire_consumer.web.api.acts import REQUESTS, ActRequest, ManyRequest, routes

COMMANDS: dict[Verb, list[list[str]]] = {
    Verb.ACKNOWLEDGE: [["--until", "2026-11-24T10:00:00Z"], ["--for", "2h"]],
    Verb.RESOLVE: [["--in", "2.4.2", "--environment", "production"], ["--next"]],
    Verb.REOPEN: [[]],
    Verb.MUTE: [
        ["--until", "2026-11-24"],
        ["--for", "7d"],
        ["--until-count", "100", "--within", "1h"],
        ["--until-next-release"],
        ["--for-ever", "--reason", "a partner's fault"],
    ],
    Verb.UNMUTE: [[]],
    Verb.ASSIGN: [["--to", "ada"]],
    Verb.UNASSIGN: [[]],
    Verb.COMMENT: [["--note", "the partner knows"]],
    Verb.MERGE: [["--into", "INC-3"]],
    Verb.UNMERGE: [[]],
    Verb.LINK: [["https://git.example/issues/7"]],
    Verb.UNLINK: [[]],
}
"""Commands that together give each argument of a verb once."""


class RecordingClient:
    """Takes requests, and answers that every incident was changed."""

    asked: ClassVar[list[Mapping[str, Any]]] = []
    outcome: ClassVar[str] = "changed"

    def __init__(self, _: object) -> None:
        """Ask nobody."""

    def post(self, *path: str, body: Mapping[str, Any]) -> Any:
        assert path == ("api", "v1", "incidents", "bulk")
        RecordingClient.asked.append(body)
        named = body.get("ids", ["INC-8"])
        return {
            "incidents": [
                {"id": one, "outcome": RecordingClient.outcome, "detail": "in release 2.4.2"} for one in named
            ]
        }


@pytest.fixture(autouse=True)
def client(monkeypatch: pytest.MonkeyPatch) -> type[RecordingClient]:
    RecordingClient.asked.clear()
    RecordingClient.outcome = "changed"
    monkeypatch.setattr(incident_verbs, "ApiClient", RecordingClient)
    monkeypatch.delenv("FAULTWIRE_ACTOR", raising=False)
    return RecordingClient


def fields_of(kind: type) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


@pytest.mark.parametrize("verb", list(Verb))
def test_the_api_has_each_verb_with_its_declared_arguments(verb: Verb) -> None:
    path = f"/api/v1/incidents/{{id}}/{verb}"
    (route,) = [route for route in routes if route.path == path]
    assert (route.method, route.access) == ("POST", AccessScope.ACT)
    assert route.handler.__doc__
    assert fields_of(REQUESTS[verb]) == fields_of(ActRequest) | fields_of(ARGUMENTS[verb])


def test_the_api_has_no_other_verb_and_one_route_for_many() -> None:
    paths = {route.path for route in routes}
    assert paths == {f"/api/v1/incidents/{{id}}/{verb}" for verb in Verb} | {"/api/v1/incidents/bulk"}


@pytest.mark.parametrize("verb", list(Verb))
def test_the_command_line_has_each_verb_with_its_declared_arguments(verb: Verb) -> None:
    for options in COMMANDS[verb]:
        assert run(["incidents", verb.value, "INC-1", "INC-2", *options]) == 0
    given = [body["arguments"] for body in RecordingClient.asked]
    assert {name for arguments in given for name in arguments} == set(fields_of(ARGUMENTS[verb]))
    for body in RecordingClient.asked:
        request = msgspec.convert(body, ManyRequest)
        assert (request.verb, request.ids) == (verb, ["INC-1", "INC-2"])
        assert isinstance(msgspec.convert(request.arguments, ARGUMENTS[verb]), ARGUMENTS[verb])


@pytest.mark.parametrize("verb", list(Verb))
def test_every_verb_takes_a_note_an_actor_a_query_and_a_dry_run(verb: Verb) -> None:
    more = ["--query", "severity:low", "--dry-run", "--actor", "ada"]
    needed = {Verb.ASSIGN: ["--to", "a"], Verb.MERGE: ["--into", "INC-3"], Verb.LINK: ["http://a/7"]}.get(
        verb, []
    )
    assert run(["incidents", verb.value, *more, "--note", "so it is", *needed]) == 0
    (body,) = RecordingClient.asked
    assert (body["query"], body["dry_run"], body["actor"]) == ("severity:low", True, "ada")
    assert body["note"] == "so it is"
    assert "ids" not in body


def test_ids_come_from_standard_input_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("INC-1 INC-2\nINC-1\n"))
    assert run(["incidents", "ack", "-", "INC-3"]) == 0
    assert RecordingClient.asked[0]["ids"] == ["INC-1", "INC-2", "INC-3"]


def test_more_ids_than_one_request_takes_are_asked_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO(" ".join(f"INC-{number}" for number in range(1, 1002))))
    assert run(["incidents", "ack", "-", "-q"]) == 0
    assert [len(body["ids"]) for body in RecordingClient.asked] == [500, 500, 1]


def test_a_mistaken_option_is_named_with_the_one_that_was_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "resolve", "INC-1", "--nxt"]) == 2
    assert "--nxt: unknown; did you mean --next?" in capsys.readouterr().err


def test_neither_ids_nor_a_query_is_a_mistake_of_use_and_both_are() -> None:
    assert run(["incidents", "ack"]) == 2
    assert run(["incidents", "ack", "INC-1", "--query", "severity:low"]) == 2
    assert not RecordingClient.asked


@pytest.mark.parametrize("options", [["--for", "soon"], ["--until", "2h"], ["--within", "2026-11-23"]])
def test_a_time_that_cannot_be_is_a_mistake_of_use(options: list[str]) -> None:
    assert run(["incidents", "mute", "INC-1", *options]) == 2
    assert not RecordingClient.asked


def test_the_actor_comes_from_the_environment_where_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTWIRE_ACTOR", "on-call")
    assert run(["incidents", "ack", "INC-1"]) == 0
    assert RecordingClient.asked[0]["actor"] == "on-call"


@pytest.mark.parametrize(
    ("outcome", "more", "line", "code"),
    [
        ("changed", [], "INC-1 is resolved in release 2.4.2", 0),
        ("changed", ["--dry-run"], "INC-1 would be resolved in release 2.4.2", 0),
        ("unchanged", [], "INC-1 is resolved already", 0),
        ("unchanged", ["--dry-run"], "INC-1 would stay as it is", 0),
        ("refused", [], "INC-1: in release 2.4.2", 1),
        ("not_found", [], "INC-1: in release 2.4.2", 1),
    ],
)
def test_each_incident_is_a_line_and_one_that_refused_is_exit_1(
    outcome: str, more: list[str], line: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    RecordingClient.outcome = outcome
    assert run(["incidents", "resolve", "INC-1", *more]) == code
    assert capsys.readouterr() == ("", f"{line}\n")


def test_the_answer_is_one_document_or_a_line_each_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["incidents", "ack", "INC-1", "INC-2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["id"] for one in document["incidents"]] == ["INC-1", "INC-2"]
    assert run(["incidents", "ack", "INC-1", "INC-2", "--jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2

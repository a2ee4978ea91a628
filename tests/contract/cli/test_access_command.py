"""``faultwire access token``: made, listed and revoked in the database itself."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from faultwire_consumer.cli.application import run
from faultwire_consumer.domain.access.token import is_whole

pytestmark = pytest.mark.may_block("commands are synchronous")


@pytest.fixture(autouse=True)
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", database_url)
    assert run(["db", "upgrade", "--quiet"]) == 0


def create(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a new token's program shows."""
    capsys.readouterr()
    assert run(["access", "token", "create", *arguments]) == 0
    return capsys.readouterr().out.removesuffix("\n")


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capsys.readouterr()
    assert run(["access", "token", "list", "--json"]) == 0
    tokens: list[dict[str, object]] = json.loads(capsys.readouterr().out)["tokens"]
    return tokens


def test_a_token_goes_to_stdout_alone_and_once(capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "access",
        "token",
        "create",
        "ci",
        "--scope",
        "ingest",
        "--service",
        "billing",
        "--service",
        "web-*",
    ]
    assert run(command) == 0
    out, err = capsys.readouterr()
    assert is_whole(out.removesuffix("\n"))
    assert re.fullmatch(r"this is ci's until \d{4}-\d\d-\d\d; it is shown this once\n", err)
    (one,) = listed(capsys)
    assert out[13:] not in str(one)
    assert (one["name"], one["scopes"], one["services"]) == ("ci", ["ingest"], ["billing", "web-*"])
    assert (one["state"], one["last_used_on"], one["prefix"]) == ("valid", None, out[:12])
    days = datetime.fromisoformat(str(one["expires_at"])) - datetime.now(UTC)
    assert timedelta(days=364) < days <= timedelta(days=365)


def test_a_token_may_last_for_good(capsys: pytest.CaptureFixture[str]) -> None:
    create(capsys, "prometheus", "--scope", "metrics", "--expires", "never")
    (one,) = listed(capsys)
    assert one["expires_at"] is None


def test_a_new_token_as_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(create(capsys, "ci", "--scope", "read", "--scope", "act", "--json"))
    assert is_whole(document["token"])
    assert document["access_token"]["scopes"] == ["act", "read"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ci", "--scope", "ingest"], "whose events may it bring?"),
        (["ci", "--scope", "read", "--service", "x"], "services are for the scope ingest"),
        (["a b", "--scope", "read"], "a token's name is"),
        (["ci", "--scope", "read", "--expires", "soon"], "--expires: write 90d"),
        (["ci", "--scope", "read", "--expires", "2020-01-01"], "ends later than now"),
        (["ci", "--scope", "write"], "write"),
        (["ci"], "--scope"),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["access", "token", "create", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert listed(capsys) == []


def test_a_token_is_revoked_by_its_name_its_prefix_or_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (create(capsys, "ci", "--scope", "read") for _ in range(2))
    assert run(["access", "token", "revoke", "ci"]) == 2
    err = capsys.readouterr().err
    assert first[:12] in err
    assert second[:12] in err
    assert run(["access", "token", "revoke", first[:12]]) == 0
    assert capsys.readouterr().err == f"{first[:12]} of ci is revoked\n"
    assert run(["access", "token", "revoke", "ci", "--quiet"]) == 0  # the one that is left
    assert [one["state"] for one in listed(capsys)] == ["revoked", "revoked"]
    third = create(capsys, "cd", "--scope", "read")
    assert run(["access", "token", "revoke", str(listed(capsys)[0]["id"])]) == 0
    assert third[:12] in capsys.readouterr().err
    assert run(["access", "token", "revoke", "nobody"]) == 1
    assert "there is no token nobody" in capsys.readouterr().err


def test_a_list_for_programs_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    create(capsys, "ci", "--scope", "read", "--scope", "act")
    capsys.readouterr()
    assert run(["access", "token", "list"]) == 0
    head, line = capsys.readouterr().out.splitlines()
    assert head.split("\t")[:4] == ["id", "name", "state", "scopes"]
    assert line.split("\t")[1:4] == ["ci", "valid", "act read"]
    assert run(["access", "token", "list", "--cursor", "x"]) == 2

"""``faultwire access token``: DSNs, made in the database or by the worker that has its file."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.tools.api_stub import ApiStub
from tests.tools.prepared_file import put_current_file

from faultwire_consumer.cli.application import run
from faultwire_consumer.store.sqlite.file_lock import lock_file

pytestmark = pytest.mark.may_block("commands are synchronous")

OLD = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
TOKEN = "fwt_AAAAAAAA_" + "A" * 43 + "000000"
CREATE = ("access", "token", "create", "--sentry-dsn")


@pytest.fixture
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", database_url)
    monkeypatch.setenv("FAULTWIRE_PUBLIC_URL", "https://errors.example.com/of")


def out_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == 0
    return capsys.readouterr().out


def err_of(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    capsys.readouterr()
    assert run(list(arguments)) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    tokens: list[dict[str, Any]] = json.loads(out_of(capsys, "access", "token", "list", "--json"))["tokens"]
    return tokens


@pytest.mark.usefixtures("database")
def test_a_dsn_goes_to_stdout_alone_and_is_printed_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CREATE, "shop"]) == 0
    out, err = capsys.readouterr()
    assert err == (
        "this is the DSN of shop, for good; it is no secret, and `access token dsn` prints it again\n"
    )
    (one,) = listed(capsys)
    assert (one["name"], one["kind"], one["project"], one["services"]) == ("shop", "dsn", 1, ["shop"])
    assert (one["dsn"], one["expires_at"], one["scopes"]) == (out.strip(), None, ["ingest"])
    assert out.endswith("@errors.example.com/of/1\n")
    for named in ("shop", one["prefix"], str(one["id"])):
        assert out_of(capsys, "access", "token", "dsn", named) == out
    head, line = out_of(capsys, "access", "token", "list").splitlines()
    told = dict(zip(head.split("\t"), line.split("\t"), strict=True))
    assert (told["kind"], told["project"], told["state"]) == ("dsn", "1", "valid")


@pytest.mark.usefixtures("database")
def test_an_old_dsn_is_taken_over(capsys: pytest.CaptureFixture[str]) -> None:
    given = ("web", "--key", OLD.upper(), "--project", "45", "--origin", "https://Shop.example/")
    out = out_of(capsys, *CREATE, *given, "--origin", "http://localhost:*", "--expires", "90d", "--quiet")
    assert out == f"https://{OLD}@errors.example.com/of/45\n"
    (one,) = listed(capsys)
    assert one["origins"] == ["https://shop.example", "http://localhost:*"]
    assert 89 <= (datetime.fromisoformat(one["expires_at"]) - datetime.now(UTC)).days <= 90
    document = json.loads(out_of(capsys, *CREATE, "billing", "--json", "--quiet"))
    assert (document["token"], document["access_token"]["project"]) == (None, 1)


@pytest.mark.usefixtures("database")
def test_what_no_dsn_is_made_of_is_one_line_at_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CREATE, "shop", "--key", OLD, "--project", "7", "--quiet"]) == 0
    for arguments, said in [
        (["web", "--key", "a b"], "--key: a public key is 1 to 64"),
        (["web", "--key", f"https://{OLD}@sentry.example/7"], "--key: this is a whole address"),
        (["web", "--key", OLD], "--key: this key is the one of shop"),
        (["web", "--project", "7"], "--project: project 7 is the one of shop"),
        (["web", "--project", "0"], "--project: a project is a number"),
        (["web", "--origin", "shop"], "--origin: 'shop' is no origin"),
        (["web-*"], "--sentry-dsn: a DSN is of one service"),
        (["web", "--expires", "soon"], "--expires: write 90d"),
        (["web", "--scope", "read"], "leave the others out"),
        (["web", "--service", "web"], "leave the others out"),
    ]:
        assert said in err_of(capsys, 2, *CREATE, *arguments)
    said = err_of(capsys, 2, "access", "token", "create", "ci", "--scope", "read", "--key", OLD)
    assert "of --sentry-dsn" in said
    assert "a DSN takes --sentry-dsn SERVICE" in err_of(capsys, 2, "access", "token", "create")
    assert len(listed(capsys)) == 1


@pytest.mark.usefixtures("database")
def test_a_dsn_that_is_none_or_not_the_only_one_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        out_of(capsys, *CREATE, "shop")
    out_of(capsys, "access", "token", "create", "ci", "--scope", "read")
    ci, second, first = listed(capsys)
    said = err_of(capsys, 2, "access", "token", "dsn", "shop")
    assert f"{second['prefix']} (project 2), {first['prefix']} (project 1)" in said
    assert "no DSN but a token" in err_of(capsys, 1, "access", "token", "dsn", ci["name"])
    assert "there is no DSN nobody" in err_of(capsys, 1, "access", "token", "dsn", "nobody")
    out_of(capsys, "access", "token", "revoke", first["prefix"])
    assert out_of(capsys, "access", "token", "dsn", "shop") == f"{second['dsn']}\n"
    assert "is revoked" in err_of(capsys, 1, "access", "token", "dsn", first["prefix"])


def test_without_a_public_address_it_says_that_the_dsn_is_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", put_current_file(tmp_path / "faultwire.db"))
    assert run([*CREATE, "shop", "--key", OLD]) == 0
    out, err = capsys.readouterr()
    assert out == f"http://{OLD}@127.0.0.1:8787/1\n"
    assert "it is for this machine; set public_url" in err


def test_beside_a_worker_that_has_the_file_that_worker_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stub: ApiStub
) -> None:
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", put_current_file(tmp_path / "faultwire.db"))
    out_of(capsys, *CREATE, "old")
    (old,) = listed(capsys)
    held = lock_file(tmp_path / "faultwire.db")
    assert held is not None
    said = err_of(capsys, 1, *CREATE, "shop")
    assert "another worker that is running" in said
    assert "FAULTWIRE_TOKEN to a token with the scope admin" in said
    monkeypatch.setenv("FAULTWIRE_TOKEN", TOKEN)
    dsn = f"https://{OLD}@errors.example.com/7"
    stub.answer("access/tokens", {"token": None, "access_token": {"name": "web", "dsn": dsn}})
    stub.answer(f"access/tokens/{old['id']}/revoke", {})
    given = ("--key", OLD, "--project", "7", "--origin", "https://shop.example")
    assert out_of(capsys, *CREATE, "shop", "web", *given) == f"{dsn}\n"
    out_of(capsys, "access", "token", "create", "ci", "--scope", "read", "--expires", "never", "--json")
    assert out_of(capsys, "access", "token", "dsn", "old") == f"{old['dsn']}\n"
    assert out_of(capsys, "access", "token", "revoke", "old") == ""
    (_, _, of_dsn), (_, _, of_token), (method, path, _) = stub.asked
    assert of_dsn == {
        "name": "web",
        "services": ["shop"],
        "expires_at": None,
        "sentry_dsn": {"key": OLD, "project": 7, "origins": ["https://shop.example"]},
    }
    assert of_token == {"name": "ci", "scopes": ["read"], "services": [], "expires_at": None}
    assert (method, path) == ("POST", f"/api/v1/access/tokens/{old['id']}/revoke")
    os.close(held)

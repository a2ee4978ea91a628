"""``faultwire access``: people, looked after in the database itself."""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.tools.clock import FixedClock

from faultwire_consumer.cli.application import run
from faultwire_consumer.domain.access.audit import AuditAction, AuditEntry
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.access.invitations import TicketKind, find_single_use
from faultwire_consumer.store.engine import open_store, open_to_read
from faultwire_shared.clock import utc_now

pytestmark = pytest.mark.may_block("commands are synchronous")


@pytest.fixture(autouse=True)
def database(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", database_url)
    assert run(["db", "upgrade", "--quiet"]) == 0
    return database_url


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    """What a command writes."""
    capsys.readouterr()
    assert run(["access", *arguments]) == code
    written = capsys.readouterr()
    return written.out, written.err


def listed(capsys: pytest.CaptureFixture[str], noun: str, key: str, *options: str) -> list[dict[str, Any]]:
    out, _ = said(capsys, noun, *options, "--json")
    rows: list[dict[str, Any]] = json.loads(out)[key]
    return rows


def secret_of(link: str) -> str:
    return parse_qs(urlsplit(link.strip()).query)["link"][0]


def test_a_link_goes_to_stdout_alone_and_stands_for_who_was_invited(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, "invite", "ada", "--role", "admin")
    assert out.startswith("http://127.0.0.1:8787/invitation?link=")
    assert "ada (admin) sets a password by it, once, until" in err
    assert "set public_url" in err

    async def find() -> Any:
        store = await open_to_read(database)
        try:
            return await find_single_use(store, secret_of(out), TicketKind.INVITATION, now=utc_now())
        finally:
            await store.close()

    link = asyncio.run(find())
    assert (link.name, link.role) == ("ada", "admin")
    (entry,) = listed(capsys, "audit", "entries")
    assert (entry["via"], entry["action"], entry["object"]) == ("command", "account.invited", "ada")


def test_a_link_leads_to_where_people_reach_the_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAULTWIRE_PUBLIC_URL", "https://errors.example.com/faultwire/")
    out, err = said(capsys, "invite", "ada", "--role", "viewer", "--json")
    document = json.loads(out)
    assert document["link"].startswith("https://errors.example.com/faultwire/invitation?link=")
    assert (document["name"], document["role"], err) == ("ada", "viewer", "")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["invite", "ada"], 2, "ada is new: give a role"),
        (["invite", "Ada", "--role", "viewer"], 2, "small letters"),
        (["invite", "ada", "--role", "owner"], 2, "owner"),
        (["role", "nobody", "viewer"], 1, "there is no account nobody"),
        (["disable", "nobody"], 1, "there is no account nobody"),
        (["enable", "nobody"], 1, "there is no account nobody"),
        (["sign-out", "nobody"], 1, "there is no account nobody"),
        (["audit", "--since", "soon"], 2, "--since"),
        (["audit", "--cursor", "x"], 2, "--cursor"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capsys, *arguments, code=code)
    assert out == ""
    assert told in err
    assert err.count("\n") == 1


def test_whom_a_proxy_knows_gets_an_account_without_a_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "role", "ada", "operator", "--new")[1] == "ada is operator, a new account\n"
    assert said(capsys, "role", "ada", "admin", "--new")[1] == "ada is admin from the next sign-in on\n"
    (account,) = listed(capsys, "accounts", "accounts")
    assert (account["name"], account["role"], account["has_password"]) == ("ada", "admin", False)
    assert "by a proxy" in said(capsys, "accounts")[0]


def test_the_last_admin_can_be_disabled_where_the_database_is(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "role", "ada", "admin", "--new")
    said(capsys, "disable", "ada")
    assert listed(capsys, "accounts", "accounts")[0]["disabled_at"] is not None
    assert "disabled" in said(capsys, "accounts")[0]
    assert "enable it first" in said(capsys, "invite", "ada", code=1)[1]
    said(capsys, "enable", "ada")
    assert listed(capsys, "accounts", "accounts")[0]["disabled_at"] is None
    assert "ended: 0" in said(capsys, "sign-out", "ada")[1]
    actions = [entry["action"] for entry in listed(capsys, "audit", "entries", "--object", "ada")]
    assert actions == ["account.enabled", "account.disabled", "account.created"]
    assert listed(capsys, "audit", "entries", "--action", "session.opened") == []


def test_what_a_stranger_wrote_into_the_audit_steers_no_terminal(
    database: str, capsys: pytest.CaptureFixture[str], clock: FixedClock
) -> None:
    async def put() -> None:
        store = await open_store(database)
        async with store.write() as tx:
            hostile = AuditEntry(
                at=clock(),
                actor="\x1b[31mred\x1b[0m",
                via=Via.NOBODY,
                action=AuditAction.SIGN_IN_FAILED,
                object="line\nbreak\u202e",
            )
            await record_audit(tx, hostile)
        await store.close()

    asyncio.run(put())
    out, _ = said(capsys, "audit")
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert len(out.splitlines()) == 2

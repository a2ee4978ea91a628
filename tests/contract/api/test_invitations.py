"""Links that set a password: made by an admin, used once, within a day."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.people import DAY, PASSWORD, PUBLIC, Browser, add_person, audit
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.contract.store import Store

NEW = "another good one"


async def invite(admin: Browser, **body: Any) -> str:
    """The secret of a new link."""
    answer = await admin.ask("POST", "/api/v1/access/invitations", json=body)
    assert answer.status == 200, await answer.text()
    link = urlsplit((await answer.json())["link"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{PUBLIC}/invitation"
    (secret,) = parse_qs(link.query)["link"]
    return str(secret)


async def use(browser: Browser, secret: str, password: str = NEW, again: str | None = None) -> Any:
    form = {"link": secret, "password": password, "again": password if again is None else again}
    return await browser.ask("POST", "/invitation", data=form)


async def test_a_link_makes_an_account_and_signs_it_in(door: Site, admin: Browser, store: Store) -> None:
    secret = await invite(admin, name="ada", role="operator")
    browser = Browser(door)
    shown = await browser.ask("GET", f"/invitation?link={secret}")
    assert (shown.status, "Set a password for ada" in await shown.text()) == (200, True)
    answer = await use(browser, secret)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert await browser.status_of() == 200
    assert (await Browser(door).sign_in("ada", NEW)).status == 303
    told = [(row.actor, row.action, row.object, row.detail) for row in await audit(store, object=("ada",))]
    assert told == [
        ("root", "account.invited", "ada", "as operator"),
        ("ada", "account.password_set", "ada", ""),
        ("ada", "session.opened", "ada", "by a link"),
        ("ada", "session.opened", "ada", ""),
    ]
    assert secret not in str(await audit(store))


async def test_a_link_works_once(door: Site, admin: Browser) -> None:
    secret = await invite(admin, name="ada", role="viewer")
    await use(Browser(door), secret)
    replayed = Browser(door)
    assert (await use(replayed, secret, "yet another one")).status == 410
    assert await replayed.status_of(f"/invitation?link={secret}") == 410
    assert replayed.jar == {}


@pytest.mark.parametrize("secret", ["forged", "", "x" * 3_000])
async def test_a_forged_link_opens_nothing(door: Site, secret: str) -> None:
    assert (await use(Browser(door), secret)).status == 410
    assert await Browser(door).status_of(f"/invitation?link={secret}") in (410, 414)


async def test_a_link_lasts_a_day_and_a_later_one_ends_it(
    door: Site, admin: Browser, clock: FixedClock
) -> None:
    first = await invite(admin, name="ada", role="viewer")
    second = await invite(admin, name="ada", role="viewer")
    assert (await use(Browser(door), first)).status == 410
    clock.advance(DAY)
    assert (await use(Browser(door), second)).status == 410


@pytest.mark.parametrize(("password", "again"), [("short", None), (NEW, "something else"), ("ada" * 4, None)])
async def test_a_password_that_is_not_taken_leaves_the_link(
    door: Site, admin: Browser, password: str, again: str | None
) -> None:
    secret = await invite(admin, name="ada", role="viewer")
    refused = await use(Browser(door), secret, password, again)
    assert refused.status == 400
    assert secret in await refused.text()
    assert (await use(Browser(door), secret)).status == 303


async def test_a_link_of_an_account_that_stands_sets_another_password_and_signs_all_others_out(
    door: Site, admin: Browser, store: Store
) -> None:
    await add_person(store, "ada", AccountRole.VIEWER)
    lost = Browser(door)
    await lost.sign_in("ada")
    for _ in range(6):
        await Browser(door).sign_in("ada", "forgotten, forgotten")
    secret = await invite(admin, name="ada")
    assert (await use(Browser(door), secret)).status == 303
    assert await lost.status_of() == 303
    assert (await Browser(door).sign_in("ada", NEW)).status == 303
    assert (await Browser(door).sign_in("ada", PASSWORD)).status == 401


async def test_another_page_sets_nobody_s_password(door: Site, admin: Browser) -> None:
    secret = await invite(admin, name="ada", role="viewer")
    form = {"link": secret, "password": NEW, "again": NEW}
    for headers in ({}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-door"}):
        async with door.client.post("/invitation", data=form, headers=headers) as answer:
            assert answer.status == 403


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "Ada", "role": "viewer"}, 400, "small letters"),
        ({"name": "token:ci", "role": "viewer"}, 400, "small letters"),
        ({"name": "ada"}, 400, "ada is new: give a role"),
        ({"name": "ada", "role": "owner"}, 400, "owner"),
        ({"name": "root", "role": "viewer"}, 409, "root is admin and stays so"),
        ({"name": "ada", "role": "viewer", "password": "x"}, 400, "password"),
    ],
)
async def test_who_cannot_be_invited_is_said(
    admin: Browser, body: dict[str, str], status: int, said: str
) -> None:
    answer = await admin.ask("POST", "/api/v1/access/invitations", json=body)
    assert answer.status == status
    assert said in await answer.text()


async def change(admin: Browser, name: str, verb: str, **body: str) -> Any:
    return await admin.ask("POST", f"/api/v1/access/accounts/{name}/{verb}", json=body)


async def test_accounts_are_listed_without_their_passwords(admin: Browser, store: Store) -> None:
    await add_person(store, "ada", AccountRole.VIEWER)
    answer = await admin.ask("GET", "/api/v1/access/accounts")
    found = (await answer.json())["accounts"]
    assert [(one["name"], one["role"], one["has_password"]) for one in found] == [
        ("ada", "viewer", True),
        ("root", "admin", True),
    ]
    assert "argon2" not in await answer.text()


async def test_a_role_and_a_disabling_end_the_sessions_and_are_told_to_the_audit(
    door: Site, admin: Browser, store: Store
) -> None:
    await add_person(store, "ada", AccountRole.VIEWER)
    browser = Browser(door)
    await browser.sign_in()
    assert (await (await change(admin, "ada", "role", role="operator")).json())["role"] == "operator"
    assert await browser.status_of() == 303
    await browser.sign_in()
    assert (await (await change(admin, "ada", "disable")).json())["disabled_at"] is not None
    assert await browser.status_of() == 303
    assert (await browser.sign_in()).status == 401
    invited = await admin.ask("POST", "/api/v1/access/invitations", json={"name": "ada"})
    assert invited.status == 409
    assert (await (await change(admin, "ada", "enable")).json())["disabled_at"] is None
    assert (await browser.sign_in()).status == 303
    for again in ("enable", "disable", "disable"):
        assert (await change(admin, "ada", again)).status == 200
    told = [(row.actor, row.action, row.detail) for row in await audit(store, actor=("root",))]
    assert told[1:] == [
        ("root", "account.role_changed", "viewer to operator"),
        ("root", "account.disabled", ""),
        ("root", "account.enabled", ""),
        ("root", "account.disabled", ""),
    ]


async def test_somebody_whom_a_proxy_knows_gets_an_account_without_a_link(
    admin: Browser, store: Store
) -> None:
    path = "/api/v1/access/accounts"
    added = await admin.ask("POST", path, json={"name": "Ada.L", "role": "operator"})
    document = await added.json()
    assert (document["name"], document["role"], document["has_password"]) == ("Ada.L", "operator", False)
    again = await admin.ask("POST", path, json={"name": "Ada.L", "role": "viewer"})
    assert (again.status, "has an account already" in await again.text()) == (409, True)
    assert await admin.status_of(path, "POST", json={"name": "a b", "role": "viewer"}) == 400
    told = [(row.action, row.object, row.detail) for row in await audit(store, actor=("root",))][1:]
    assert told == [("account.created", "Ada.L", "as operator, without a password")]


async def test_an_admin_signs_somebody_out_of_every_browser(door: Site, admin: Browser, store: Store) -> None:
    await add_person(store, "ada", AccountRole.VIEWER)
    browsers = [Browser(door), Browser(door)]
    for browser in browsers:
        await browser.sign_in()
    assert (await (await change(admin, "ada", "sign-out")).json())["name"] == "ada"
    assert [await browser.status_of() for browser in browsers] == [303, 303]
    assert (await browsers[0].sign_in()).status == 303
    assert (await change(admin, "nobody", "sign-out")).status == 404
    told = [(row.action, row.detail) for row in await audit(store, actor=("root",))][1:]
    assert told == [("session.closed", "everywhere, 2 of them")]


async def test_the_last_admin_stays(door: Site, admin: Browser, store: Store) -> None:
    assert (await change(admin, "root", "disable")).status == 409
    assert (await change(admin, "root", "role", role="viewer")).status == 409
    await add_person(store, "ada", AccountRole.ADMIN)
    assert (await change(admin, "ada", "disable")).status == 200
    assert (await change(admin, "root", "disable")).status == 409


async def test_an_account_that_is_not_there_is_said_so(admin: Browser) -> None:
    for verb, body in (("role", {"role": "viewer"}), ("disable", {}), ("enable", {})):
        assert (await change(admin, "nobody", verb, **body)).status == 404


@pytest.mark.parametrize("role", [AccountRole.VIEWER, AccountRole.OPERATOR])
async def test_only_admins_look_after_accounts(door: Site, store: Store, role: AccountRole) -> None:
    await add_person(store, "ada", role)
    browser = Browser(door)
    await browser.sign_in()
    for path in ("accounts", "audit", "tokens"):
        assert await browser.status_of(f"/api/v1/access/{path}") == 403
    body = {"name": "eve", "role": "admin"}
    assert await browser.status_of("/api/v1/access/invitations", "POST", json=body) == 403
    assert (await change(browser, "ada", "role", role="admin")).status == 403


async def test_the_audit_is_read_by_who_and_what_and_page_by_page(admin: Browser) -> None:
    for name in ("ada", "bob", "eve"):
        await invite(admin, name=name, role="viewer")
    answer = await admin.ask("GET", "/api/v1/access/audit?action=account.invited&limit=2")
    document = await answer.json()
    assert [entry["object"] for entry in document["entries"]] == ["eve", "bob"]
    assert 'rel="next"' in answer.headers["Link"]
    cursor = document["next_cursor"]
    more = await admin.ask("GET", f"/api/v1/access/audit?action=account.invited&limit=2&cursor={cursor}")
    assert [entry["object"] for entry in (await more.json())["entries"]] == ["ada"]
    assert await admin.status_of("/api/v1/access/audit?cursor=x") == 400
    assert await admin.status_of("/api/v1/access/audit?colour=red") == 400


async def test_every_act_is_told_to_the_audit_with_where_it_came_from(
    door: Site, admin: Browser, store: Store
) -> None:
    await door.send()
    assert await admin.status_of("/incidents/INC-1/acknowledge", "POST") == 303
    assert await admin.status_of("/api/v1/incidents/INC-1/resolve", "POST", json={}) == 200
    assert await admin.status_of("/api/v1/incidents/INC-9/resolve", "POST", json={}) == 404
    told = await audit(store, action=("act.done",))
    assert [(row.actor, row.via, row.object, row.detail, row.address) for row in told] == [
        ("root", "session", "incidents/INC-1", "acknowledge", "127.0.0.1"),
        ("root", "session", "incidents/INC-1", "resolve", "127.0.0.1"),
    ]
    assert all(row.request_id for row in told)

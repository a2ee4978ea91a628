"""The page's section for admins, and one's own account: accounts, links, tokens, the audit, browsers."""

import html
import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.contract.api.conftest import Site, serve
from tests.contract.api.people import PASSWORD, PUBLIC, Browser, add_person, audit
from tests.contract.api.test_pages import outline
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.audit import AuditAction, AuditSource
from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import ALL_SCOPES, AccountRole
from faultwire_consumer.domain.access.token import digest_of, is_whole
from faultwire_consumer.store.access.accounts import NewAccount, add_account
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.access.sessions import open_session
from faultwire_consumer.store.access.tokens import find_token
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.open_door import open_door

NEW = "another good one"
HOSTILE = '"><script>alert(1)</script>'


async def text_of(browser: Browser, path: str) -> str:
    answer = await browser.ask("GET", path)
    assert answer.status == 200, path
    return outline(await answer.text()).text


async def press(browser: Browser, path: str, **fields: Any) -> tuple[int, str]:
    answer = await browser.ask("POST", path, data=fields)
    return answer.status, await answer.text()


async def notice(browser: Browser, path: str) -> str:
    page = await (await browser.ask("GET", path)).text()
    found = re.search(r'id="notice"><p>(.*?)</p>', page)
    return html.unescape(found[1]) if found else ""


async def test_accounts_are_listed_with_what_can_be_done_to_them(admin: Browser, store: Store) -> None:
    await add_person(store, "ada@example.com", AccountRole.VIEWER)
    text = await text_of(admin, "/access")
    for said in ("2 accounts", "ada@example.com", "by a password", "you", "Disable", "Sign out everywhere"):
        assert said in text
    page = await (await admin.ask("GET", "/access")).text()
    assert 'action="/access/accounts/ada%40example.com/role"' in page
    assert "argon2" not in page
    assert "/accounts/ada" not in await (await admin.ask("GET", "/access?name=root")).text()
    assert "No account has this" in await text_of(admin, "/access?name=nobody")


async def test_an_invitation_s_link_is_shown_once_and_works(door: Site, admin: Browser, store: Store) -> None:
    answer = await admin.ask("POST", "/access/invitations", data={"name": " Ada ", "role": "operator"})
    page = await answer.text()
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    (link,) = re.findall(rf'value="({PUBLIC}/invitation\?link=[^"]+)"', page)
    secret = html.unescape(link).partition("link=")[2]
    for path in ("/access", "/access/audit"):
        assert secret not in await (await admin.ask("GET", path)).text()
    assert "Set-Cookie" not in answer.headers or secret not in answer.headers["Set-Cookie"]
    shown = urlsplit(html.unescape(link))
    ada = Browser(door)
    assert await ada.status_of(f"{shown.path}?{shown.query}") == 200
    form = {"link": secret, "password": NEW, "again": NEW}
    assert (await ada.ask("POST", "/invitation", data=form)).status == 303
    assert "operator" in await text_of(ada, "/account")


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"name": "token:ci", "role": "viewer"}, 400, "small letters"),
        ({"name": "ada", "role": ""}, 400, "ada is new: give a role"),
        ({"name": "ada", "role": "owner"}, 400, "one of viewer"),
        ({"name": "root", "role": "viewer"}, 409, "root is admin and stays so"),
        ({"name": HOSTILE, "role": "viewer"}, 400, "small letters"),
    ],
)
async def test_who_cannot_be_invited_is_said_at_the_field_and_what_was_typed_stays(
    admin: Browser, fields: dict[str, str], status: int, said: str
) -> None:
    answered, page = await press(admin, "/access/invitations", **fields)
    assert answered == status
    assert said in outline(page).text
    assert f'value="{html.escape(fields["name"]).replace("&quot;", "&#34;")}"' in page
    assert "<script>alert" not in page


async def test_a_role_a_link_and_a_disabling_are_buttons(door: Site, admin: Browser, store: Store) -> None:
    await add_person(store, "ada", AccountRole.VIEWER)
    browser = Browser(door)
    await browser.sign_in()
    assert (await press(admin, "/access/accounts/ada/role", role="operator"))[0] == 303
    assert "ada is operator" in await notice(admin, "/access")
    assert await browser.status_of() == 303
    await browser.sign_in()
    assert (await press(admin, "/access/accounts/ada/sign-out"))[0] == 303
    assert "1 session ended" in await notice(admin, "/access")
    assert await browser.status_of() == 303
    status, page = await press(admin, "/access/accounts/ada/link")
    assert status == 200
    assert "another password" in page
    await press(admin, "/access/accounts/ada/disable")
    assert (await browser.sign_in()).status == 401
    assert (await press(admin, "/access/accounts/ada/link"))[0] == 303
    assert "ada is disabled" in await notice(admin, "/access")
    await press(admin, "/access/accounts/ada/enable")
    assert (await browser.sign_in()).status == 303
    told = [(row.action, row.detail) for row in await audit(store, actor=("root",), object=("ada",))]
    assert told == [
        ("account.role_changed", "viewer to operator"),
        ("session.closed", "everywhere, 1 of them"),
        ("account.invited", "to set another password"),
        ("account.disabled", ""),
        ("account.enabled", ""),
    ]


async def test_the_last_admin_stays_and_whoever_is_not_there_is_a_page(admin: Browser) -> None:
    for path, fields in (("disable", {}), ("role", {"role": "viewer"})):
        assert (await press(admin, f"/access/accounts/root/{path}", **fields))[0] == 303
        assert "last admin" in await notice(admin, "/access")
    for path in ("disable", "enable", "sign-out"):
        assert (await press(admin, f"/access/accounts/nobody/{path}"))[0] == 404


async def test_a_token_is_made_shown_once_and_revoked(admin: Browser, store: Store) -> None:
    fields = {"name": "ci", "scopes": ["ingest", "read"], "services": "billing, web-*", "expires": "30d"}
    answer = await admin.ask("POST", "/access/tokens", data=fields)
    page = await answer.text()
    assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
    (shown,) = re.findall(r'value="(fwt_[^"]+)"', page)
    assert is_whole(shown)
    token = await find_token(store, digest_of(shown))
    assert token is not None
    assert token.services == ("billing", "web-*")
    assert token.expires_at == FixedClock()() + timedelta(days=30)
    listed = await (await admin.ask("GET", "/access/tokens")).text()
    assert shown[13:] not in listed
    assert shown[:12] in listed
    assert shown not in str(await audit(store))
    assert (await press(admin, f"/access/tokens/{token.id}/revoke"))[0] == 303
    assert "ci is revoked" in await notice(admin, "/access/tokens")
    assert "/revoke" not in await (await admin.ask("GET", "/access/tokens")).text()
    assert (await press(admin, "/access/tokens/77/revoke"))[0] == 404


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"name": "a b", "scopes": "read"}, "name", "letters, digits"),
        ({"name": "ci"}, "scopes", "give it a scope"),
        ({"name": "ci", "scopes": "root"}, "scopes", "ingest, read"),
        ({"name": "ci", "scopes": "ingest"}, "services", "whose events"),
        ({"name": "ci", "scopes": "read", "expires": "soon"}, "expires", "90d, 2027-06-30 or never"),
        ({"name": "ci", "scopes": "read", "expires": "2020-01-01"}, "expires", "later than now"),
        ({"name": HOSTILE, "scopes": "read"}, "name", "letters, digits"),
    ],
)
async def test_what_no_token_is_made_of_is_said_at_the_field_and_what_was_typed_stays(
    admin: Browser, fields: dict[str, str], field: str, said: str
) -> None:
    given = {"expires": "90d", "services": ""} | fields
    status, page = await press(admin, "/access/tokens", **given)
    assert status == 400
    (wrong,) = re.findall(rf'id="{field}-wrong">([^<]+)</span>', page)
    assert said in html.unescape(wrong)
    for name in ("name", "expires"):
        assert f'value="{html.escape(given[name]).replace("&quot;", "&#34;")}"' in page
    assert "<script>alert" not in page
    assert "There is no token yet" in await text_of(admin, "/access/tokens")


async def test_a_dsn_is_made_shown_again_with_a_button_and_revoked(admin: Browser, store: Store) -> None:
    key = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    fields = {"service": "shop", "key": key.upper(), "project": "45", "origins": "https://*.shop.example"}
    assert (await press(admin, "/access/dsns", **fields, expires="never", name=""))[0] == 303
    assert "shop has a DSN, of project 45" in await notice(admin, "/access/tokens")
    page = await (await admin.ask("GET", "/access/tokens")).text()
    (place, shown) = re.findall(r'id="(dsn-of-\d+)" value="([^"]+)"', page)[0]
    scheme, _, host = PUBLIC.partition("://")
    assert shown == f"{scheme}://{key}@{host}/45"
    assert f'data-copy="#{place}"' in page
    for said in ("DSN", "shop", "from https://*.shop.example", "never ends", "never used"):
        assert said in outline(page).text
    assert "token.created" in [row.action for row in await audit(store)]
    number = place.removeprefix("dsn-of-")
    assert (await press(admin, f"/access/tokens/{number}/revoke"))[0] == 303
    page = await (await admin.ask("GET", "/access/tokens")).text()
    assert ("dsn-of-" in page, "/revoke" in page) == (False, False)


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"service": ""}, "service", "printable"),
        ({"service": "web-*"}, "service", "no pattern"),
        ({"key": HOSTILE}, "key", "letters and digits"),
        ({"project": "seven"}, "project", "a number"),
        ({"project": "9" * 19}, "project", "from 1 to"),
        ({"origins": "shop"}, "origins", "is no origin"),
        ({"expires": "soon"}, "expires", "90d, 2027-06-30 or never"),
    ],
)
async def test_what_no_dsn_is_made_of_is_said_at_the_field_and_what_was_typed_stays(
    admin: Browser, fields: dict[str, str], field: str, said: str
) -> None:
    given = {"service": "shop", "name": "", "key": "", "project": "", "origins": ""} | fields
    status, page = await press(admin, "/access/dsns", **{"expires": "never"} | given)
    assert status == 400
    (wrong,) = re.findall(rf'id="dsn-{field}-wrong">([^<]+)</span>', page)
    assert said in html.unescape(wrong)
    for name, value in given.items():
        typed = html.escape(value).replace("&quot;", "&#34;")
        assert re.search(rf'id="dsn-{name}" name="{name}" value="{re.escape(typed)}"', page), name
    assert "<script>alert" not in page
    assert "There is no token yet" in await text_of(admin, "/access/tokens")


async def test_the_audit_is_filtered_and_paged_and_a_wrong_filter_told_at_its_field(
    admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.web.page.accounts.audit._ROWS", 2)
    for name in ("ada", "bob", "eve"):
        await press(admin, "/access/invitations", name=name, role="viewer")
    page = await (
        await admin.ask("GET", "/access/audit?action=account.invited&actor=&object=&since=1d")
    ).text()
    assert ("eve" in page, "bob" in page, "<td>ada</td>" in page) == (True, True, False)
    (following,) = re.findall(r'<a href="([^"]+)" rel="next"', page)
    text = await text_of(admin, html.unescape(following))
    assert ("ada" in text, "The newest" in text) == (True, True)
    assert "No entry fits" in await text_of(admin, "/access/audit?object=nobody")
    answer = await admin.ask("GET", "/access/audit?since=soon&actor=root")
    assert answer.status == 400
    page = await answer.text()
    assert re.search(r'id="since-wrong">[^<]*2h, 7d', page)
    assert 'value="root"' in page
    assert await admin.status_of("/access/audit?cursor=x") == 400


async def test_what_a_stranger_wrote_into_the_audit_is_text(admin: Browser, store: Store) -> None:
    hostile = f"{HOSTILE}\x1b[31m\u202egnp.exe"
    async with store.write() as tx:
        source = AuditSource(actor=hostile, via=Via.OPEN, address=hostile)
        entry = source.entry(AuditAction.ACTED, hostile, at=FixedClock()(), detail=hostile * 9)
        await record_audit(tx, entry)
    page = await (await admin.ask("GET", "/access/audit")).text()
    assert outline(page).text.count(HOSTILE) >= 4
    for harm in ("<script>alert", "\x1b", "\u202e"):
        assert harm not in page


@pytest.mark.parametrize("role", [AccountRole.VIEWER, AccountRole.OPERATOR])
async def test_only_admins_see_the_section_and_use_it(door: Site, store: Store, role: AccountRole) -> None:
    await add_person(store, "ada", role)
    browser = Browser(door)
    await browser.sign_in()
    page = await (await browser.ask("GET", "/")).text()
    assert 'href="/access"' not in page
    assert 'href="/account"' in page
    for path in ("/access", "/access/tokens", "/access/audit"):
        assert await browser.status_of(path) == 403
    assert (await press(browser, "/access/invitations", name="eve", role="admin"))[0] == 403
    assert (await press(browser, "/access/accounts/ada/role", role="admin"))[0] == 403
    assert (await press(browser, "/access/tokens", name="x", scopes="admin"))[0] == 403
    assert (await press(browser, "/access/dsns", service="shop"))[0] == 403


async def test_another_page_changes_nothing_in_somebody_s_name(
    door: Site, admin: Browser, store: Store
) -> None:
    cookie = {"Cookie": f"faultwire={admin.jar['faultwire']}", "Accept": "text/html"}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        for path in ("/access/invitations", "/access/tokens", "/account/password", "/account/sessions/end"):
            async with door.client.post(path, data={}, headers=cookie | headers) as answer:
                assert answer.status == 403, (path, headers)


async def test_where_nobody_signs_in_the_page_says_what_would_let_others_in(site: Site) -> None:
    status, page = await site.page("/account")
    assert status == 200
    said = 'set access = "login" and public_url'
    assert said in re.sub(r"\s+", " ", outline(page).text)
    assert 'href="/access"' not in page
    status, page = await site.page("/access")
    assert status == 403
    assert said in outline(page).text


async def test_a_program_with_the_scope_is_told_that_accounts_have_no_use_yet(
    store: Store, clock: FixedClock
) -> None:
    async def root(_: Any) -> Principal | None:
        return Principal(actor="token:root", via=Via.TOKEN, scopes=ALL_SCOPES)

    async with serve(store, clock, recognisers=[root, open_door]) as site:
        _, page = await site.page("/access")
        assert "Nobody signs in at this worker" in outline(page).text


async def test_behind_a_proxy_an_account_is_added_without_a_link(store: Store, clock: FixedClock) -> None:
    async def root(_: Any) -> Principal | None:
        return Principal(actor="root", via=Via.PROXY, scopes=ALL_SCOPES)

    async with serve(store, clock, recognisers=[root]) as site:
        browser = Browser(site)
        assert (await press(browser, "/access/invitations", name="Ada", role="operator"))[0] == 303
        text = await text_of(browser, "/access")
        assert ("Ada" in text, "by a proxy" in text) == (True, True)
        status, page = await press(browser, "/access/invitations", name="Ada", role="viewer")
        assert (status, "has an account already" in page) == (409, True)
        assert (await press(browser, "/access/invitations", name="eve"))[0] == 400


async def test_one_s_own_account_says_who_one_is_and_what_one_may(door: Site, store: Store) -> None:
    await add_person(store, "ada", AccountRole.OPERATOR)
    browser = Browser(door)
    await browser.sign_in(headers={"User-Agent": HOSTILE})
    answer = await browser.ask("GET", "/account")
    page = await answer.text()
    text = outline(page).text
    for said in ("ada", "as operator", "on incidents and dead letters", "this one", HOSTILE):
        assert said in text
    assert "<script>alert" not in page
    assert "tokens and the audit" not in text
    assert browser.jar["faultwire"] not in page


async def test_whoever_knows_the_password_changes_it_and_all_other_browsers_are_out(
    door: Site, store: Store
) -> None:
    await add_person(store)
    browser, other = Browser(door), Browser(door)
    await browser.sign_in()
    await other.sign_in()
    before = browser.jar["faultwire"]
    fields = {"before": PASSWORD, "after": NEW, "again": NEW}
    assert (await press(browser, "/account/password", **fields))[0] == 303
    assert browser.jar["faultwire"] != before
    assert "password is changed" in await notice(browser, "/account")
    assert await other.status_of() == 303
    assert (await other.sign_in()).status == 401
    assert (await other.sign_in(password=NEW)).status == 303
    told = [(row.actor, row.action, row.detail) for row in await audit(store)][2:4]
    assert told == [
        ("ada", "account.password_set", "by the one before"),
        ("ada", "session.opened", "with another password"),
    ]
    assert NEW not in str(await audit(store))


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"before": "wrong one, this"}, 401, "before: This is not your password."),
        ({"after": "short", "again": "short"}, 400, "after: A password has 12 characters or more."),
        ({"again": "something else"}, 400, "again: The two are not the same."),
    ],
)
async def test_a_password_that_cannot_be_is_said_at_its_field(
    door: Site, store: Store, fields: dict[str, str], status: int, said: str
) -> None:
    await add_person(store)
    browser = Browser(door)
    await browser.sign_in()
    given = {"before": PASSWORD, "after": NEW, "again": NEW} | fields
    answered, page = await press(browser, "/account/password", **given)
    assert answered == status
    assert re.findall(r'id="(\w+)-wrong">([^<]+)</span>', page) == [tuple(said.split(": "))]
    assert PASSWORD not in page
    assert NEW not in page
    assert await browser.status_of() == 200


async def test_somebody_at_another_s_browser_cannot_try_passwords_without_end(
    door: Site, store: Store
) -> None:
    await add_person(store)
    browser = Browser(door)
    await browser.sign_in()
    fields = {"before": "not the one it is", "after": NEW, "again": NEW}
    answers = [(await press(browser, "/account/password", **fields))[0] for _ in range(6)]
    assert answers == [401] * 5 + [429]


async def test_one_s_other_browsers_are_signed_out_one_or_all(door: Site, store: Store) -> None:
    await add_person(store)
    await add_person(store, "bob")
    first, second, third, bob = (Browser(door) for _ in range(4))
    for browser in (first, second, third):
        await browser.sign_in()
    await bob.sign_in("bob")
    page = await (await first.ask("GET", "/account")).text()
    handles = re.findall(r'name="session" value="([0-9a-f]+)"', page)
    assert len(handles) == 2
    assert (await press(bob, "/account/sessions/end", session=handles[0]))[0] == 303
    assert [await browser.status_of() for browser in (second, third)] == [200, 200]
    await press(first, "/account/sessions/end", session=handles[0])
    assert "1 other browser is signed out" in await notice(first, "/account")
    assert sorted([await browser.status_of() for browser in (second, third)]) == [200, 303]
    await press(first, "/account/sessions/end", session="not hex")
    assert "had ended" in await notice(first, "/account")
    await press(first, "/account/sessions/end")
    assert [await browser.status_of() for browser in (first, second, third, bob)] == [200, 303, 303, 200]


async def test_only_a_browser_that_is_signed_in_has_sessions_and_a_password(site: Site) -> None:
    for path in ("/account/password", "/account/sessions/end"):
        async with site.client.post(path, data={}) as answer:
            assert answer.status == 404


async def test_an_account_that_signs_in_elsewhere_sets_no_password_here(
    door: Site, store: Store, clock: FixedClock
) -> None:
    new = NewAccount(
        name="ada",
        role=AccountRole.VIEWER,
        at=clock(),
        oidc_issuer="https://id.example.com",
        oidc_subject="7",
    )
    async with store.write() as tx:
        added = await add_account(tx, new)
        await open_session(tx, "a secret", account_id=added or 0, agent="", now=clock())
    browser = Browser(door)
    browser.jar["faultwire"] = "a secret"
    text = await text_of(browser, "/account")
    assert "a browser without a name" in text
    assert "Another password" not in text

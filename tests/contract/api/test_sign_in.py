"""People sign in, stay signed in, and are signed out, at all workers of a database."""

import asyncio
from typing import Literal

import pytest
from aiohttp import web
from argon2 import PasswordHasher
from tests.contract.api.conftest import Site
from tests.contract.api.people import (
    DAY,
    HASHER,
    OWN,
    PASSWORD,
    PUBLIC,
    Browser,
    add_person,
    audit,
    cookie_line,
    serve_people,
)
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.serving.refusal import WorkerBusyError
from faultwire_consumer.store.access import accounts
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.password import AT_ONCE, WAITING_MAX, PasswordKeeper
from faultwire_consumer.web.access.session import SessionRecogniser

WRONG = "incorrect horse"


async def test_whoever_knows_the_password_gets_in_and_to_the_page_that_was_asked_for(
    door: Site, store: Store
) -> None:
    await add_person(store)
    browser = Browser(door)
    turned = await browser.ask("GET", "/incidents/INC-1?cursor=a%26b")
    assert turned.status == 303
    assert turned.headers["Location"] == "/sign-in?next=%2Fincidents%2FINC-1%3Fcursor%3Da%2526b"
    form = await browser.ask("GET", turned.headers["Location"])
    assert form.status == 200
    assert 'value="/incidents/INC-1?cursor=a%26b"' in await form.text()
    opened = await browser.sign_in("Ada ", following="/incidents/INC-1?cursor=a%26b")
    assert (opened.status, opened.headers["Location"]) == (303, "/incidents/INC-1?cursor=a%26b")
    page = await browser.ask("GET", "/")
    assert page.status == 200
    assert "Sign out" in await page.text()
    assert PASSWORD not in str(await audit(store))
    assert [(row.action, row.actor, row.address) for row in await audit(store)] == [
        ("session.opened", "ada", "127.0.0.1")
    ]


async def test_programs_are_told_401_and_pages_lead_to_the_sign_in(door: Site) -> None:
    browser = Browser(door)
    refused = await browser.ask("GET", "/api/v1/incidents", headers={"Accept": "application/json"})
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="faultwire"')
    page = await browser.ask("GET", "/")
    assert (page.status, page.headers["Location"]) == (303, "/sign-in")
    acted = await browser.ask("POST", "/incidents/INC-1/resolve")
    assert (acted.status, acted.headers["Location"]) == (303, "/sign-in")


@pytest.mark.parametrize(("name", "password"), [("ada", WRONG), ("nobody", PASSWORD), ("", ""), ("ada", "")])
async def test_nobody_is_told_whether_it_is_the_name_or_the_password(
    door: Site, store: Store, name: str, password: str
) -> None:
    await add_person(store)
    browser = Browser(door)
    answer = await browser.sign_in(name, password)
    assert answer.status == 401
    assert "The name or the password is not right." in await answer.text()
    assert browser.jar == {}
    assert await browser.status_of() == 303


async def test_a_name_that_nobody_has_takes_as_long_as_one_that_somebody_has() -> None:
    looked: list[str] = []

    class Recording(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - its name there
            looked.append(str(hash))
            return super().verify(hash, password)

    keeper = PasswordKeeper(Recording(time_cost=1, memory_cost=8, parallelism=1))
    kept = await keeper.hash(PASSWORD)
    assert (await keeper.check(PASSWORD, kept)).is_right
    assert not (await keeper.check(PASSWORD, None)).is_right
    assert not (await keeper.check("nobody", None)).is_right
    assert not (await keeper.check(PASSWORD + "x" * 2_000, kept)).is_right
    assert len(looked) == 4


async def test_few_passwords_are_looked_at_at_once_and_few_wait() -> None:
    keeper = PasswordKeeper(HASHER)
    results = await asyncio.gather(
        *(keeper.check(PASSWORD, None) for _ in range(WAITING_MAX + 5)), return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, WorkerBusyError)]
    assert (len(refused), AT_ONCE) == (5, 2)
    assert not (await keeper.check(PASSWORD, None)).is_right


async def test_a_caller_that_hangs_up_leaves_its_turn_to_the_next() -> None:
    keeper = PasswordKeeper(HASHER)
    for _ in range(WAITING_MAX + 5):
        looking = asyncio.create_task(keeper.check(PASSWORD, None))
        await asyncio.sleep(0)
        looking.cancel()
        await asyncio.wait({looking})
    assert not (await keeper.check(PASSWORD, None)).is_right


async def test_a_password_is_hashed_again_when_the_parameters_change(door: Site, store: Store) -> None:
    await add_person(store)
    old = PasswordHasher(time_cost=1, memory_cost=16, parallelism=1).hash(PASSWORD)
    async with store.write() as tx:
        account = await accounts.lock_account(tx, "ada")
        assert account is not None
        await accounts.set_password(tx, account.id, old)
    assert (await Browser(door).sign_in()).status == 303
    found = await accounts.find_password(store, "ada")
    assert found is not None
    assert found[1] != old
    assert not HASHER.check_needs_rehash(found[1] or "")
    assert (await Browser(door).sign_in()).status == 303


async def test_wrong_passwords_make_an_account_wait_and_the_right_one_too(
    door: Site, store: Store, clock: FixedClock
) -> None:
    await add_person(store)
    for _ in range(5):
        assert (await Browser(door).sign_in(password=WRONG)).status == 401
    waiting = await Browser(door).sign_in()
    assert (waiting.status, waiting.headers["Retry-After"]) == (429, "1")
    clock.advance(1)
    assert (await Browser(door).sign_in()).status == 303
    told = [(row.action, row.object, row.detail) for row in await audit(store)]
    assert told == [
        ("session.refused", "ada", "1 of this account in a row"),
        ("session.opened", "ada", "after 5 that failed"),
    ]


async def test_an_address_that_tries_many_names_waits_and_is_told_of_by_powers_of_ten(
    door: Site, store: Store
) -> None:
    statuses = [(await Browser(door).sign_in(f"name-{number}")).status for number in range(30)]
    assert statuses == [401] * 21 + [429] * 9
    told = [(row.action, row.object, row.via) for row in await audit(store)]
    assert told == [("session.refused", "unknown", "nobody")] * 2


async def test_a_cookie_over_tls_is_bound_to_its_host(door: Site, store: Store) -> None:
    await add_person(store)
    browser = Browser(door, host="errors.example.com")
    answer = await browser.sign_in()
    line = cookie_line(answer, "__Host-faultwire")
    assert line.keys() >= {"secure", "httponly"}
    assert (line["samesite"], line["path"], line["max-age"]) == ("Lax", "/", str(30 * 86400))
    assert "domain" not in line
    assert await browser.status_of() == 200


async def test_on_loopback_without_tls_the_cookie_has_a_plain_name(door: Site, store: Store) -> None:
    await add_person(store)
    answer = await Browser(door, host="localhost:8787").sign_in()
    line = cookie_line(answer, "faultwire")
    assert "secure" not in line
    assert (line["samesite"], "httponly" in line) == ("Lax", True)


async def test_the_plain_cookie_opens_nothing_at_the_public_address(door: Site, store: Store) -> None:
    await add_person(store)
    browser = Browser(door)
    await browser.sign_in()
    abroad = Browser(door, host="errors.example.com")
    abroad.jar = dict(browser.jar)
    assert (await browser.status_of(), await abroad.status_of()) == (200, 303)


async def test_a_password_that_comes_without_tls_over_a_network_is_refused(door: Site, store: Store) -> None:
    await add_person(store)
    browser = Browser(door, host="errors.example.com")
    answer = await browser.sign_in(headers={"Origin": "http://errors.example.com"})
    assert answer.status == 403
    assert "TLS" in await answer.text()
    assert browser.jar == {}


async def test_two_cookies_of_one_name_are_refused(door: Site, store: Store) -> None:
    await add_person(store)
    browser = Browser(door)
    await browser.sign_in()
    cookie = f"faultwire=forged; faultwire={browser.jar['faultwire']}"
    assert await browser.status_of(headers={"Cookie": cookie}) == 400


@pytest.mark.parametrize("forged", ["x", "", "secret-1", "a" * 5_000, "'; DROP TABLE sessions; --", "ÿ"])
async def test_a_forged_cookie_is_nobody_s(door: Site, store: Store, forged: str) -> None:
    await add_person(store)
    await Browser(door).sign_in()
    browser = Browser(door)
    browser.jar["faultwire"] = forged
    assert await browser.status_of() == 303


async def test_each_sign_in_is_a_session_of_its_own_and_signing_out_ends_only_that(
    door: Site, store: Store
) -> None:
    await add_person(store)
    first, second = Browser(door), Browser(door)
    await first.sign_in()
    await second.sign_in()
    replayed = dict(first.jar)
    assert replayed != second.jar
    out = await first.ask("POST", "/sign-out")
    assert (out.status, out.headers["Location"], first.jar) == (303, "/sign-in", {})
    first.jar = replayed
    assert (await first.status_of(), await second.status_of()) == (303, 200)
    assert [row.action for row in await audit(store)] == ["session.opened"] * 2 + ["session.closed"]


async def test_a_session_ends_after_a_week_without_use_and_after_a_month_with(
    door: Site, store: Store, clock: FixedClock
) -> None:
    await add_person(store)
    quiet, busy = Browser(door), Browser(door)
    await quiet.sign_in()
    await busy.sign_in()
    for _ in range(6):
        clock.advance(DAY)
        assert await busy.status_of() == 200
    clock.advance(DAY)
    assert (await quiet.status_of(), await busy.status_of()) == (303, 200)
    for _ in range(22):
        clock.advance(DAY)
        assert await busy.status_of() == 200
    clock.advance(DAY)
    assert await busy.status_of() == 303


async def test_whoever_is_disabled_is_out_at_once(door: Site, store: Store, clock: FixedClock) -> None:
    ada = await add_person(store)
    browser = Browser(door)
    await browser.sign_in()
    async with store.write() as tx:
        await accounts.set_disabled(tx, ada, clock())
    assert await browser.status_of() == 303
    assert (await browser.sign_in()).status == 401


async def test_a_role_says_what_somebody_may(door: Site, store: Store) -> None:
    await add_person(store, "vera", AccountRole.VIEWER)
    await add_person(store, "otto", AccountRole.OPERATOR)
    await door.send()
    vera, otto = Browser(door), Browser(door)
    await vera.sign_in("vera")
    await otto.sign_in("otto")
    assert await vera.status_of("/incidents/INC-1") == 200
    assert await vera.status_of("/incidents/INC-1/acknowledge", "POST") == 403
    assert await otto.status_of("/incidents/INC-1/acknowledge", "POST") == 303
    _, document = await door.get("/api/v1/incidents/INC-1", Cookie=f"faultwire={otto.jar['faultwire']}")
    assert document["history"][0]["actor"] == "otto"


UNSAFE = [
    ({}, 303),
    ({"Sec-Fetch-Site": "cross-door"}, 403),
    ({"Sec-Fetch-Site": "same-door"}, 403),
    ({"Sec-Fetch-Site": "none"}, 403),
    ({"Sec-Fetch-Site": None, "Origin": "http://evil.example"}, 403),
    ({"Sec-Fetch-Site": None, "Origin": "null"}, 403),
    ({"Sec-Fetch-Site": None}, 403),
    ({"Sec-Fetch-Site": None, "Origin": PUBLIC}, 303),
    ({"Sec-Fetch-Site": "cross-door", "Origin": PUBLIC}, 403),
]


@pytest.mark.parametrize(("headers", "status"), UNSAFE)
async def test_a_session_changes_something_only_from_a_page_of_the_worker_s(
    door: Site, store: Store, headers: dict[str, str | None], status: int
) -> None:
    await add_person(store)
    await door.send()
    browser = Browser(door)
    await browser.sign_in()
    sent = {"Cookie": f"faultwire={browser.jar['faultwire']}", "Accept": "text/html"} | OWN | headers
    given = {name: value for name, value in sent.items() if value is not None}
    for path in ("/incidents/INC-1/acknowledge", "/sign-out"):
        async with door.client.post(path, headers=given, allow_redirects=False) as answer:
            assert answer.status == status, path


@pytest.mark.parametrize(("headers", "status"), [({"Sec-Fetch-Site": "cross-door"}, 403), ({}, 403)])
async def test_another_page_signs_nobody_in(
    door: Site, store: Store, headers: dict[str, str], status: int
) -> None:
    await add_person(store)
    form = {"name": "ada", "password": PASSWORD, "next": "/"}
    async with door.client.post("/sign-in", data=form, headers=headers, allow_redirects=False) as answer:
        assert answer.status == status
        assert "Set-Cookie" not in answer.headers


async def test_what_shows_a_bearer_is_a_program_whatever_cookie_comes_along(door: Site, store: Store) -> None:
    await add_person(store)
    browser = Browser(door)
    await browser.sign_in()
    headers = {"Authorization": "Bearer anything", "Accept": "application/json"}
    assert await browser.status_of("/api/v1/incidents", headers=headers) == 401


async def test_a_program_signs_nobody_out_by_a_cookie_that_comes_along(
    store: Store, clock: FixedClock
) -> None:
    async def by_token(request: web.Request) -> Principal | None:
        if "Authorization" not in request.headers:
            return None
        return Principal(actor="token:ci", via=Via.TOKEN, scopes=AccountRole.VIEWER.scopes)

    await add_person(store)
    known = [by_token, SessionRecogniser(store, clock=clock)]
    async with serve_people(store, clock, recognisers=known) as site:
        browser = Browser(site)
        await browser.sign_in()
        kept = dict(browser.jar)
        assert await browser.status_of("/sign-out", "POST", headers={"Authorization": "Bearer x"}) == 303
        browser.jar = kept
        assert await browser.status_of() == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("name=ada&name=bob&password=x", 400),
        ("name=ada&password=x&role=admin", 400),
        ("name=%FF&password=x", 400),
        ("&".join(f"a{number}=1" for number in range(20)), 400),
        ("name=" + "a" * 100_000, 401),
    ],
)
async def test_a_form_is_what_the_page_sends_and_nothing_else(door: Site, body: str, status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await Browser(door).ask("POST", "/sign-in", data=body, headers=headers)).status == status
    assert (await Browser(door).ask("POST", "/sign-in", json={"name": "ada"})).status == 415


async def test_a_sign_in_never_leads_to_another_site(door: Site, store: Store) -> None:
    await add_person(store)
    for following in ("//evil.example", "https://evil.example", "/\\evil.example", "/sign-out"):
        assert (await Browser(door).sign_in(following=following)).headers["Location"] == "/"
    shown = await Browser(door).ask("GET", "/sign-in?next=//evil.example")
    assert "evil" not in await shown.text()


async def test_what_is_typed_is_shown_as_text(door: Site) -> None:
    answer = await Browser(door).sign_in('"><script>alert(1)</script>', WRONG, following="/")
    assert "<script>alert" not in await answer.text()
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"


async def test_where_nobody_signs_in_there_is_no_page_for_it(store: Store, clock: FixedClock) -> None:
    async with serve_people(store, clock, sign_in_door=None) as door:
        browser = Browser(door)
        for path in ("/sign-in", "/invitation?link=x"):
            assert await browser.status_of(path) == 404
        assert (await browser.sign_in()).status == 404


async def test_a_password_that_is_changed_while_it_is_looked_at_lets_nobody_in(
    door: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await add_person(store)
    real = PasswordKeeper.check

    async def change_then_check(keeper: PasswordKeeper, password: str, kept: str | None) -> object:
        async with store.write() as tx:
            await accounts.set_password(tx, ada, HASHER.hash("another password"))
        return await real(keeper, password, kept)

    monkeypatch.setattr(PasswordKeeper, "check", change_then_check)
    assert (await Browser(door).sign_in()).status == 401


async def test_the_page_works_below_a_path(store: Store, clock: FixedClock) -> None:
    await add_person(store)
    async with serve_people(store, clock, public_url=f"{PUBLIC}/faultwire") as door:
        browser = Browser(door)
        assert (await browser.ask("GET", "/dead-letters")).headers["Location"] == (
            "./sign-in?next=%2Fdead-letters"
        )
        assert 'action="./sign-in"' in await (await browser.ask("GET", "/sign-in")).text()
        assert (await browser.sign_in(following="/dead-letters")).headers["Location"] == "./dead-letters"

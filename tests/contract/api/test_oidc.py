"""People sign in at a provider: what it signed for this sign-in lets them in, and nothing else."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from aiohttp import ClientResponse, web
from tests.contract.api.conftest import Site
from tests.contract.api.people import PUBLIC, Browser, add_person, audit, cookie_line, serve_people
from tests.contract.api.provider import CLIENT, CLIENT_SECRET, Provider, providing
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.access import accounts
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.oidc import CALLBACK_PATH, ProviderDoor, ProviderPlan
from faultwire_consumer.web.access.signed import AGAIN_SECONDS, PublicKeys

_numbers = count()
ROLES = {AccountRole.ADMIN: ["sre"], AccountRole.OPERATOR: ["dev"]}


@pytest.fixture
async def provider(clock: FixedClock) -> AsyncIterator[Provider]:
    async with providing(clock) as provider:
        yield provider


@asynccontextmanager
async def serve_with(
    store: Store, clock: FixedClock, provider: Provider, *, secret: str | None = CLIENT_SECRET, **more: Any
) -> AsyncIterator[Site]:
    plan = ProviderPlan(
        issuer=provider.issuer,
        client_id=CLIENT,
        client_secret=secret,
        redirect_uri=f"{PUBLIC}{CALLBACK_PATH}",
        scopes="openid profile",
        groups_claim="groups",
        roles=ROLES,
    )
    door = ProviderDoor(
        store,
        plan,
        clock=clock,
        draw=lambda: f"drawn-{next(_numbers)}-of-256-bits-in-a-test-0123456789",
        keys=lambda fetch: PublicKeys(fetch, monotonic=clock.monotonic),
        monotonic=clock.monotonic,
    )
    async with serve_people(store, clock, public_url=PUBLIC, provider_door=door, **more) as site:
        yield site


@pytest.fixture
async def oidc_site(store: Store, clock: FixedClock, provider: Provider) -> AsyncIterator[Site]:
    async with serve_with(store, clock, provider) as site:
        yield site


async def begin(browser: Browser, following: str = "/") -> str:
    """Where the browser is sent to."""
    answer = await browser.ask("GET", f"/sign-in/provider?{urlencode({'next': following})}")
    assert answer.status == 303
    return answer.headers["Location"]


async def come_back(browser: Browser, **parameters: str) -> ClientResponse:
    return await browser.ask(
        "GET",
        f"{CALLBACK_PATH}?{urlencode(parameters)}",
        headers={"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"},
    )


async def sign_in(browser: Browser, provider: Provider, following: str = "/") -> ClientResponse:
    return await come_back(browser, **provider.consent(await begin(browser, following)))


async def test_whom_the_provider_knows_gets_in_with_the_role_of_a_group(
    oidc_site: Site, provider: Provider, store: Store
) -> None:
    browser = Browser(oidc_site)
    page = await browser.ask("GET", "/sign-in?next=/dead-letters")
    assert 'href="/sign-in/provider?next=%2Fdead-letters"' in await page.text()
    answer = await sign_in(browser, provider, "/dead-letters")
    assert (answer.status, answer.headers["Location"]) == (303, "/dead-letters")
    assert set(browser.jar) == {"faultwire"}
    assert await browser.status_of("/dead-letters") == 200
    assert await browser.status_of("/api/v1/access/accounts") == 403
    (account,) = await accounts.list_accounts(store)
    assert (account.name, account.role, account.has_password) == ("ada", "operator", False)
    assert (account.oidc_issuer, account.oidc_subject) == (provider.issuer, "ada-1")
    assert [(row.action, row.object, row.detail) for row in await audit(store)] == [
        ("account.created", "ada", "as operator, by a group at the provider"),
        ("session.opened", "ada", "at the provider"),
    ]


async def test_the_browser_is_sent_with_a_challenge_a_state_and_a_nonce(
    oidc_site: Site, provider: Provider
) -> None:
    browser = Browser(oidc_site, host="errors.example.com")
    answer = await browser.ask("GET", "/sign-in/provider")
    sent = dict(parse_qsl(urlsplit(answer.headers["Location"]).query))
    assert answer.headers["Location"].startswith(f"{provider.issuer}/authorize?realm=main&")
    assert sent["redirect_uri"] == f"{PUBLIC}{CALLBACK_PATH}"
    assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
    assert len({sent["state"], sent["nonce"], sent["code_challenge"]}) == 3
    line = cookie_line(answer, "__Host-faultwire-provider")
    assert line.keys() >= {"secure", "httponly"}
    assert (line["samesite"], line["max-age"]) == ("Lax", "600")


@pytest.mark.parametrize(
    ("claims", "without", "status"),
    [
        ({}, set(), 303),
        ({"exp": 1_700_000_000}, set(), 401),
        ({}, {"exp"}, 401),
        ({"exp": "tomorrow"}, set(), 401),
        ({"iat": 2_700_000_000}, set(), 401),
        ({"nbf": 2_700_000_000}, set(), 401),
        ({"aud": "another"}, set(), 401),
        ({"aud": [CLIENT, "another"]}, set(), 401),
        ({"aud": [CLIENT, "another"], "azp": CLIENT}, set(), 303),
        ({"aud": CLIENT, "azp": "another"}, set(), 401),
        ({}, {"aud"}, 401),
        ({"iss": "https://evil.example"}, set(), 401),
        ({}, {"iss"}, 401),
        ({"nonce": "another sign-in's"}, set(), 401),
        ({}, {"nonce"}, 401),
        ({}, {"sub"}, 403),
        ({"sub": 7}, set(), 403),
        ({"sub": "x" * 256}, set(), 403),
        ({"groups": ["all"]}, set(), 403),
        ({"groups": "dev"}, set(), 303),
        ({"groups": {"dev": True}}, set(), 403),
        ({}, {"groups"}, 403),
    ],
)
async def test_only_claims_for_this_worker_this_sign_in_and_now_let_somebody_in(
    oidc_site: Site, provider: Provider, claims: dict[str, Any], without: set[str], status: int
) -> None:
    provider.claims |= claims
    provider.without = without
    browser = Browser(oidc_site)
    assert (await sign_in(browser, provider)).status == status
    assert ("faultwire" in browser.jar) is (status == 303)


async def forge_none(provider: Provider) -> None:
    provider.answers["/token"] = {"id_token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEtMSJ9."}


async def forge_hmac(provider: Provider) -> None:
    """By a key that everybody has: the public one."""
    public = provider.keys["first"].as_pem(private=False)
    head, claims = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "first"}, provider.id_claims("drawn"))
    )
    mac = hmac.new(public, head + b"." + claims, hashlib.sha256).digest()
    signed = b".".join([head, claims, base64.urlsafe_b64encode(mac).rstrip(b"=")])
    provider.answers["/token"] = {"id_token": signed.decode()}


async def forge_kid(provider: Provider) -> None:
    shown = provider.keys
    provider.new_key("of somebody else")
    provider.keys = shown


async def forge_signature(provider: Provider) -> None:
    shown = provider.keys
    provider.new_key("first")
    provider.keys = shown


async def give_no_token(provider: Provider) -> None:
    provider.answers["/token"] = {"id_token": ["x"], "access_token": "y"}


async def give_much(provider: Provider) -> None:
    provider.answers["/token"] = {"id_token": "x" * 20_000}


@pytest.mark.parametrize(
    "forge", [forge_none, forge_hmac, forge_kid, forge_signature, give_no_token, give_much]
)
async def test_what_the_provider_did_not_sign_lets_nobody_in(
    oidc_site: Site, provider: Provider, forge: Callable[[Provider], Awaitable[None]]
) -> None:
    await forge(provider)
    browser = Browser(oidc_site)
    assert (await sign_in(browser, provider)).status == 401
    assert "faultwire" not in browser.jar


async def test_a_state_works_once_in_its_browser_and_for_ten_minutes(
    oidc_site: Site, provider: Provider, clock: FixedClock
) -> None:
    browser = Browser(oidc_site)
    location = await begin(browser)
    back, kept = provider.consent(location), dict(browser.jar)
    assert (await come_back(Browser(oidc_site), **back)).status == 403
    browser.jar = kept
    assert (await come_back(browser, **back)).status == 403, "used up by the other browser"
    again = provider.consent(await begin(browser))
    assert (await come_back(browser, **again)).status == 303
    replayed = Browser(oidc_site)
    replayed.jar = kept
    assert (await come_back(replayed, **again)).status == 403
    late = provider.consent(await begin(browser))
    clock.advance(600)
    assert (await come_back(browser, **late)).status == 403


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "forged"},
        {"state": ""},
        {"code": "forged"},
        {"iss": "https://evil.example"},
        {"error": "access_denied"},
    ],
)
async def test_a_way_back_that_is_not_the_provider_s_lets_nobody_in(
    oidc_site: Site, provider: Provider, changed: dict[str, str]
) -> None:
    browser = Browser(oidc_site)
    back = provider.consent(await begin(browser)) | changed
    answer = await come_back(browser, **back)
    assert answer.status in (403, 503)
    assert "faultwire" not in browser.jar


@pytest.mark.parametrize("name", ["state", "code", "iss"])
async def test_a_parameter_that_came_twice_is_refused(oidc_site: Site, provider: Provider, name: str) -> None:
    browser = Browser(oidc_site)
    back = provider.consent(await begin(browser))
    doubled = urlencode([*back.items(), (name, "another")])
    assert await browser.status_of(f"{CALLBACK_PATH}?{doubled}") == 400


async def test_a_new_key_is_asked_for_when_it_is_named_and_not_for_every_forgery(
    oidc_site: Site, provider: Provider, clock: FixedClock
) -> None:
    assert (await sign_in(Browser(oidc_site), provider)).status == 303
    clock.advance(AGAIN_SECONDS)
    provider.new_key("second")
    assert (await sign_in(Browser(oidc_site), provider)).status == 303
    assert provider.asked.count("/keys") == 2
    await forge_kid(provider)
    for _ in range(5):
        assert (await sign_in(Browser(oidc_site), provider)).status == 401
    assert provider.asked.count("/keys") == 2
    clock.advance(AGAIN_SECONDS)
    assert (await sign_in(Browser(oidc_site), provider)).status == 401
    assert provider.asked.count("/keys") == 3


async def test_somebody_is_known_by_the_subject_and_never_by_a_name(
    oidc_site: Site, provider: Provider, store: Store
) -> None:
    await add_person(store, "ada", AccountRole.ADMIN)
    await sign_in(Browser(oidc_site), provider)
    provider.claims |= {"preferred_username": "root", "email": "root@example.com"}
    await sign_in(Browser(oidc_site), provider)
    names = [
        (account.name, account.role, account.oidc_subject) for account in await accounts.list_accounts(store)
    ]
    assert names[0] == ("ada", "admin", None)
    assert names[1][0].startswith("ada-")
    assert names[1][1:] == ("operator", "ada-1")
    assert len(names) == 2


async def test_a_role_follows_the_groups_and_sessions_end_with_it(
    oidc_site: Site, provider: Provider, store: Store
) -> None:
    before, after = Browser(oidc_site), Browser(oidc_site)
    await sign_in(before, provider)
    provider.claims["groups"] = ["sre"]
    await sign_in(after, provider)
    assert await before.status_of() == 303
    assert await after.status_of("/api/v1/access/accounts") == 200
    provider.claims["groups"] = []
    assert (await sign_in(Browser(oidc_site), provider)).status == 403
    assert await after.status_of() == 303
    told = [row.detail for row in await audit(store, action=("account.role_changed",))]
    assert told == ["operator to admin, by a group at the provider"]


async def test_whoever_is_disabled_here_stays_out(
    oidc_site: Site, provider: Provider, store: Store, clock: FixedClock
) -> None:
    await sign_in(Browser(oidc_site), provider)
    (account,) = await accounts.list_accounts(store)
    async with store.write() as tx:
        await accounts.set_disabled(tx, account.id, clock())
    browser = Browser(oidc_site)
    assert (await sign_in(browser, provider)).status == 403
    assert "faultwire" not in browser.jar


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", {"issuer": "https://evil.example"}),
        ("/.well-known/openid-configuration", []),
        ("/.well-known/openid-configuration", {"issuer": None}),
    ],
)
async def test_a_provider_that_is_not_the_configured_one_is_asked_nothing(
    oidc_site: Site, provider: Provider, path: str, answer: Any
) -> None:
    provider.answers[path] = answer
    assert await Browser(oidc_site).status_of("/sign-in/provider") == 503
    assert "/token" not in provider.asked


async def test_an_endpoint_without_tls_elsewhere_is_refused(oidc_site: Site, provider: Provider) -> None:
    provider.answers["/.well-known/openid-configuration"] = {
        "issuer": provider.issuer,
        "authorization_endpoint": f"{provider.issuer}/authorize",
        "token_endpoint": "http://evil.example/token",
        "jwks_uri": f"{provider.issuer}/keys",
    }
    assert await Browser(oidc_site).status_of("/sign-in/provider") == 503


async def test_an_answer_has_a_bound_and_leads_nowhere_else(
    store: Store, clock: FixedClock, provider: Provider
) -> None:
    for answer in (
        web.Response(body=b"{" + b" " * 70_000 + b"}", content_type="application/json"),
        web.Response(status=302, headers={"Location": f"{provider.issuer}/keys"}),
        web.Response(body=b"[" * 60_000),
        web.Response(status=500),
    ):
        provider.answers["/.well-known/openid-configuration"] = answer
        async with serve_with(store, clock, provider) as site:
            assert await Browser(site).status_of("/sign-in/provider") == 503


async def test_a_public_client_shows_no_secret_and_a_provider_may_want_it_in_the_form(
    store: Store, clock: FixedClock, provider: Provider
) -> None:
    async with serve_with(store, clock, provider, secret=None) as site:
        assert (await sign_in(Browser(site), provider)).status == 303
    provider.answers["/.well-known/openid-configuration"] = {
        "issuer": provider.issuer,
        "authorization_endpoint": f"{provider.issuer}/authorize",
        "token_endpoint": f"{provider.issuer}/token",
        "jwks_uri": f"{provider.issuer}/keys",
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
    }
    async with serve_with(store, clock, provider) as site:
        assert (await sign_in(Browser(site), provider)).status == 303
    assert [form.get("client_secret") for form in provider.forms] == [None, CLIENT_SECRET]


async def test_without_a_provider_there_is_no_way_to_one(door: Site) -> None:
    browser = Browser(door)
    assert await browser.status_of("/sign-in/provider") == 404
    assert await browser.status_of(f"{CALLBACK_PATH}?code=x&state=y") == 404
    assert "organisation" not in await (await browser.ask("GET", "/sign-in")).text()

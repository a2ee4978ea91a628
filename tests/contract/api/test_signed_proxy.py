"""A proxy that signs whom it names may stand anywhere; what it did not sign names nobody."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.contract.api.conftest import Site, serve
from tests.contract.api.people import OWN, PUBLIC, add_person, audit
from tests.contract.api.provider import CLIENT, Provider, providing
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.claims import ExpectedClaims
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.json_fetch import fetch_json
from faultwire_consumer.web.access.proxy import RolePolicy
from faultwire_consumer.web.access.proxy_signed import SignedRecogniser, SigningProxy
from faultwire_consumer.web.access.signed import PublicKeys

HEADER = "Cf-Access-Jwt-Assertion"


@pytest.fixture
async def provider(clock: FixedClock) -> AsyncIterator[Provider]:
    async with providing(clock) as provider:
        provider.claims = {"email": "ada@example.com", "groups": ["dev"]}
        yield provider


@pytest.fixture
async def signed_site(store: Store, clock: FixedClock, provider: Provider) -> AsyncIterator[Site]:
    proxy = SigningProxy(
        header=HEADER,
        expected=ExpectedClaims(issuer=provider.issuer, audience=CLIENT),
        user_claim="email",
        groups_claim="groups",
    )
    keys = PublicKeys(lambda: fetch_json(f"{provider.issuer}/keys"), monotonic=clock.monotonic)
    roles = RolePolicy(by_groups={AccountRole.OPERATOR: ["dev"]}, default=None)
    known = [SignedRecogniser(store, proxy, keys, roles, clock=clock)]
    async with serve(store, clock, recognisers=known, public_url=PUBLIC) as site:
        yield site


async def ask(site: Site, text: str, method: str = "GET", path: str = "/api/v1/incidents") -> int:
    async with site.client.request(method, path, headers={HEADER: text} | OWN) as answer:
        return answer.status


async def test_whom_the_proxy_signed_for_is_let_in(
    signed_site: Site, provider: Provider, store: Store
) -> None:
    await signed_site.send()
    text = provider.sign(provider.id_claims(""))
    assert await ask(signed_site, text) == 200
    assert await ask(signed_site, text, "POST", "/api/v1/incidents/INC-1/acknowledge") == 200
    assert [(row.actor, row.via) for row in await audit(store)] == [("ada@example.com", "proxy")]
    provider.claims["groups"] = []
    assert await ask(signed_site, provider.sign(provider.id_claims(""))) == 401
    await add_person(store, "ada@example.com", AccountRole.VIEWER)
    assert await ask(signed_site, provider.sign(provider.id_claims(""))) == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": 1_700_000_000},
        {"aud": "another"},
        {"iss": "https://evil.example"},
        {"nbf": 2_700_000_000},
        {"email": None},
        {"email": "token:ci"},
        {"email": ["ada@example.com"]},
    ],
)
async def test_what_it_signed_for_others_or_for_nobody_is_refused(
    signed_site: Site, provider: Provider, changed: dict[str, Any]
) -> None:
    provider.claims |= changed
    assert await ask(signed_site, provider.sign(provider.id_claims(""))) == 401


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "..", "eyJhbGciOiJub25lIn0.e30.", "ä.b.c", "." * 5_000])
async def test_what_is_no_token_is_refused(signed_site: Site, provider: Provider, text: str) -> None:
    assert await ask(signed_site, text) == 401
    assert provider.asked == []


async def test_another_s_signature_is_refused_and_two_are(signed_site: Site, provider: Provider) -> None:
    text = provider.sign(provider.id_claims(""))
    shown = provider.keys
    provider.new_key("first")
    provider.keys = shown
    assert await ask(signed_site, provider.sign(provider.id_claims(""))) == 401
    async with signed_site.client.get(
        "/api/v1/incidents", headers=[(HEADER, text), (HEADER, text)]
    ) as answer:
        assert answer.status == 400


async def test_a_change_comes_from_a_page_of_the_worker_s_here_too(
    signed_site: Site, provider: Provider
) -> None:
    await signed_site.send()
    path, text = "/api/v1/incidents/INC-1/acknowledge", provider.sign(provider.id_claims(""))
    async with signed_site.client.post(path, headers={HEADER: text}) as answer:
        assert answer.status == 403


async def test_keys_that_cannot_be_asked_for_let_nobody_in(signed_site: Site, provider: Provider) -> None:
    provider.answers["/keys"] = {"keys": "none"}
    assert await ask(signed_site, provider.sign(provider.id_claims(""))) == 401

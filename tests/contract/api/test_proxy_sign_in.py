"""A proxy that knows who asks is believed, and nobody else is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import pytest
from tests.contract.api.conftest import Site, serve
from tests.contract.api.people import OWN, PUBLIC, add_person, audit
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.setting.proxy import RoleGroups
from faultwire_consumer.store.access.accounts import set_disabled
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.proxy import ProxyRecogniser, RolePolicy, TrustedProxy

SECRET = "a secret of the proxy's"  # noqa: S105 - a test's own
USER, GROUPS = "X-Forwarded-User", "X-Forwarded-Groups"
SHOWN = {"X-Faultwire-Proxy-Secret": SECRET}
ROLES: RoleGroups = {AccountRole.ADMIN: ("sre",), AccountRole.OPERATOR: ("dev",)}


@asynccontextmanager
async def behind(
    store: Store, clock: FixedClock, *, network: str = "127.0.0.0/8", secret: str | None = SECRET, **more: Any
) -> AsyncIterator[Site]:
    """A worker behind a proxy."""
    proxy = TrustedProxy(
        user_header=USER, groups_header=GROUPS, networks=[ip_network(network)], secret=secret
    )
    roles = RolePolicy(by_groups=ROLES, default=more.pop("default", AccountRole.VIEWER))
    recognisers = [ProxyRecogniser(store, proxy, roles)]
    settings = {"loopback_only": False, "public_url": PUBLIC, "trusted_networks": proxy.networks}
    async with serve(store, clock, recognisers=recognisers, **settings | more) as site:
        yield site


async def ask(site: Site, path: str = "/api/v1/incidents", method: str = "GET", **headers: str) -> int:
    """The status of an answer; a header's dashes are written as underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with site.client.request(method, path, headers=SHOWN | OWN | named) as answer:
        return answer.status


async def test_whom_the_proxy_names_is_let_in_under_that_name(store: Store, clock: FixedClock) -> None:
    async with behind(store, clock) as site:
        await site.send()
        assert await ask(site) == 401
        assert await ask(site, X_Forwarded_User="Ada") == 200
        assert await ask(site, "/api/v1/incidents/INC-1/resolve", "POST", X_Forwarded_User="Ada") == 403
        acted = "/api/v1/incidents/INC-1/acknowledge"
        named = {"X_Forwarded_User": "Ada", "X_Forwarded_Groups": "all, dev"}
        assert await ask(site, acted, "POST", **named) == 200
        _, document = await site.get(
            "/api/v1/incidents/INC-1", X_Forwarded_User="Ada", X_Faultwire_Proxy_Secret=SECRET
        )
    assert document["history"][0]["actor"] == "Ada"


@pytest.mark.parametrize(
    ("network", "secret", "status"),
    [
        ("10.0.3.0/24", SECRET, 401),
        ("127.0.0.2/32", SECRET, 401),
        ("127.0.0.1/32", SECRET, 200),
        ("127.0.0.1/32", None, 401),
        ("127.0.0.1/32", "another secret of theirs", 401),
        ("::1/128", SECRET, 401),
    ],
)
async def test_the_header_is_believed_of_the_proxy_s_socket_and_secret_alone(
    store: Store, clock: FixedClock, network: str, secret: str | None, status: int
) -> None:
    async with behind(store, clock, network=network, secret=secret) as site:
        forwarded = {"X_Forwarded_For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X_Real_IP": "127.0.0.1"}
        assert await ask(site, X_Forwarded_User="ada", **forwarded) == status


async def test_on_the_worker_s_machine_a_proxy_without_a_secret_is_not_believed(
    store: Store, clock: FixedClock
) -> None:
    async with (
        behind(store, clock, secret=None) as site,
        site.client.get("/api/v1/incidents", headers={USER: "ada"}) as answer,
    ):
        assert answer.status == 401
        assert "proxy_secret_file" in await answer.text()


@pytest.mark.parametrize("doubled", [USER, GROUPS, "X-Faultwire-Proxy-Secret"])
async def test_a_header_that_came_twice_is_refused(store: Store, clock: FixedClock, doubled: str) -> None:
    async with behind(store, clock) as site:
        headers = [(USER, "ada"), (GROUPS, "dev"), *SHOWN.items(), (doubled, "root")]
        async with site.client.get("/api/v1/incidents", headers=headers) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]["code"] == "DOUBLED_HEADER"


@pytest.mark.parametrize("name", ["", " ", "token:ci", "worker", "a b", "x" * 65, "ada,root", "ä"])
async def test_what_can_be_no_name_is_nobody_s(store: Store, clock: FixedClock, name: str) -> None:
    async with behind(store, clock) as site:
        assert await ask(site, X_Forwarded_User=name) == 401


async def test_an_account_gives_its_role_and_keeps_out_whom_it_was_disabled_for(
    store: Store, clock: FixedClock
) -> None:
    ada = await add_person(store, "ada", AccountRole.OPERATOR)
    async with behind(store, clock, default=None) as site:
        await site.send()
        acted = "/api/v1/incidents/INC-1/acknowledge"
        assert await ask(site, acted, "POST", X_Forwarded_User="ada") == 200
        assert await ask(site, X_Forwarded_User="bob") == 401
        assert await ask(site, X_Forwarded_User="Ada") == 401
        assert await ask(site, "/api/v1/access/accounts", X_Forwarded_User="ada") == 403
        promoted = {"X_Forwarded_User": "ada", "X_Forwarded_Groups": "sre"}
        assert await ask(site, "/api/v1/access/accounts", **promoted) == 200
        async with store.write() as tx:
            await set_disabled(tx, ada, clock())
        assert await ask(site, **promoted) == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": PUBLIC}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({}, 403),
    ],
)
async def test_a_change_comes_from_a_page_of_the_worker_s(
    store: Store, clock: FixedClock, headers: dict[str, str], status: int
) -> None:
    async with behind(store, clock) as site:
        await site.send()
        named = {USER: "ada", GROUPS: "dev"} | SHOWN | headers
        async with site.client.post("/api/v1/incidents/INC-1/acknowledge", headers=named) as answer:
            assert answer.status == status


async def test_the_audit_has_the_address_before_the_proxy_and_no_other(
    store: Store, clock: FixedClock
) -> None:
    async with behind(store, clock) as site:
        await site.send()
        named = {"X_Forwarded_User": "ada", "X_Forwarded_Groups": "dev"}
        for verb, told in (("acknowledge", "203.0.113.9, 192.0.2.7"), ("resolve", "203.0.113.9, evil")):
            path = f"/api/v1/incidents/INC-1/{verb}"
            assert await ask(site, path, "POST", X_Forwarded_For=told, **named) == 200
    assert [row.address for row in await audit(store, action=("act.done",))] == ["192.0.2.7", "127.0.0.1"]

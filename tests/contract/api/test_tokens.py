"""Tokens by the API, and the requests of programs that show one."""

from datetime import timedelta
from typing import Any

import pytest
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import ALL_SCOPES
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.bearer import BearerRecogniser, TokenBook
from faultwire_consumer.web.access.guard import Recogniser

PATH = "/api/v1/access/tokens"


async def ada(_: Any) -> Principal | None:
    return Principal(actor="ada", via=Via.SESSION, scopes=ALL_SCOPES)


def bearer(store: Store, clock: FixedClock) -> Recogniser:
    return BearerRecogniser(TokenBook(store, clock=clock, monotonic=lambda: clock().timestamp()))


async def make(site: Site, **asked: Any) -> tuple[int, Any]:
    return await site.post(PATH, json={"name": "ci", "scopes": ["read"]} | asked)


async def test_an_admin_issues_lists_and_revokes(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, recognisers=[bearer(store, clock), ada]) as site:
        end = (clock() + timedelta(days=30)).isoformat()
        status, made = await make(site, scopes=["ingest", "read"], services=["billing"], expires_at=end)
        assert status == 200
        token, shown = made["access_token"], made["token"]
        assert (token["name"], token["created_by"], token["state"]) == ("ci", "ada", "valid")
        authorization = f"Bearer {shown}"
        assert (await site.get("/api/v1/incidents", Authorization=authorization))[0] == 200
        _, document = await site.get(PATH)
        assert document == {"tokens": [token | {"last_used_on": "2026-11-23"}], "next_cursor": None}
        assert shown[13:] not in str(document)
        status, revoked = await site.post(f"{PATH}/{token['id']}/revoke")
        assert (status, revoked["state"]) == (200, "revoked")
        clock.advance(timedelta(seconds=5))
        status, document = await site.get("/api/v1/incidents", Authorization=authorization)
        assert (status, document["error"]["code"]) == (401, "TOKEN_REFUSED")
        assert document["error"]["message"] == "this token was revoked"
        assert (await site.post(f"{PATH}/{token['id']}/revoke"))[1] == revoked


async def test_tokens_come_in_pages(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, recognisers=[ada]) as site:
        for number in range(3):
            await make(site, name=f"ci-{number}")
        _, page = await site.get(f"{PATH}?limit=2")
        assert [token["name"] for token in page["tokens"]] == ["ci-2", "ci-1"]
        _, page = await site.get(f"{PATH}?limit=2&cursor={page['next_cursor']}")
        assert [token["name"] for token in page["tokens"]] == ["ci-0"]


@pytest.mark.parametrize(
    "asked",
    [
        {"name": "a b"},
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": ["ingest"]},
        {"services": ["billing"]},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2027-01-01T00:00:00"},
        {"hash": "x"},
    ],
)
async def test_what_no_token_is_made_of_is_refused(
    store: Store, clock: FixedClock, asked: dict[str, Any]
) -> None:
    async with serve(store, clock, recognisers=[ada]) as site:
        assert (await make(site, **asked))[0] == 400
        assert (await site.get(PATH))[1]["tokens"] == []


async def test_what_is_no_token_cannot_be_revoked(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, recognisers=[ada]) as site:
        for name in ("7", "ci", "0", "9" * 30):
            status, document = await site.post(f"{PATH}/{name}/revoke")
            assert (status, document["error"]["code"]) == (404, "TOKEN_NOT_FOUND")


async def test_a_token_is_shown_by_its_header_alone_and_once(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, recognisers=[bearer(store, clock), ada]) as site:
        shown = (await make(site))[1]["token"]
    async with serve(store, clock, recognisers=[bearer(store, clock)]) as site:
        path = "/api/v1/incidents"
        for query in (f"?token={shown}", f"?access_token={shown}"):
            assert (await site.get(path + query))[0] == 401
        assert (await site.get(path, Cookie=f"token={shown}"))[0] == 401
        assert (await site.get(path, Authorization=f"Basic {shown}"))[0] == 401
        assert (await site.get(path, Authorization=shown))[0] == 401
        assert (await site.get(path, Authorization=f"bearer   {shown} "))[0] == 200
        for second in (shown, "x"):
            headers = [("Authorization", f"Bearer {shown}"), ("Authorization", f"Bearer {second}")]
            async with site.client.get(path, headers=headers) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]["code"] == "DOUBLED_HEADER"


async def test_what_is_forged_is_refused_also_where_the_door_is_open(store: Store, clock: FixedClock) -> None:
    forged = "fwt_AAAAAAAA_" + "A" * 43 + "000000"
    async with serve(store, clock, recognisers=[bearer(store, clock), ada]) as site:
        async with site.client.get(PATH, headers={"Authorization": f"Bearer {forged}"}) as answer:
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')
            assert forged not in await answer.text()
        # Not one of ours, but of the proxy in front: it says nothing here.
        assert (await site.get(PATH, Authorization="Bearer eyJhbGciOi"))[0] == 200


OLD = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


async def make_dsn(site: Site, dsn: dict[str, Any], **asked: Any) -> tuple[int, Any]:
    return await site.post(PATH, json={"name": "", "services": ["shop"], "sentry_dsn": dsn} | asked)


async def test_a_dsn_is_made_shown_again_and_revoked(store: Store, clock: FixedClock) -> None:
    public_url = "https://errors.example.com/of"
    async with serve(store, clock, recognisers=[ada], public_url=public_url) as site:
        status, made = await make_dsn(site, {})
        assert (status, made["token"]) == (200, None)
        dsn = made["access_token"]
        key = dsn["dsn"].removeprefix("https://").removesuffix("@errors.example.com/of/1")
        assert len(key) == 32
        assert (dsn["kind"], dsn["name"], dsn["project"], dsn["origins"]) == ("dsn", "shop", 1, [])
        assert (dsn["scopes"], dsn["services"], dsn["expires_at"]) == (["ingest"], ["shop"], None)
        old = {"key": OLD.upper(), "project": 4505281256357888, "origins": ["https://Shop.example/"]}
        _, taken = await make_dsn(site, old, name="web", scopes=["ingest"])
        dsn_of_old = taken["access_token"]["dsn"]
        assert dsn_of_old == f"https://{OLD}@errors.example.com/of/4505281256357888"
        assert taken["access_token"]["origins"] == ["https://shop.example"]
        _, listed = await site.get(PATH)
        assert listed["tokens"] == [taken["access_token"], dsn]
        _, revoked = await site.post(f"{PATH}/{dsn['id']}/revoke")
        assert (revoked["state"], revoked["dsn"]) == ("revoked", dsn["dsn"])


async def test_a_dsn_without_a_public_address_leads_to_where_the_worker_was_asked(
    store: Store, clock: FixedClock
) -> None:
    async with serve(store, clock, recognisers=[ada]) as site:
        _, made = await make_dsn(site, {"key": OLD})
        assert made["access_token"]["dsn"] == f"http://{OLD}@127.0.0.1:{site.client.port}/1"


@pytest.mark.parametrize(
    ("dsn", "asked", "told"),
    [
        ({"key": "a b"}, {}, ("sentry_dsn.key", "1 to 64 letters and digits")),
        ({"key": OLD}, {}, ("sentry_dsn.key", "the one of taken")),
        ({"project": 7}, {"services": ["web"]}, ("sentry_dsn.project", "project 7 is the one of taken")),
        ({"project": 0}, {}, ("sentry_dsn.project", "a number from 1")),
        ({"origins": ["shop"]}, {}, ("sentry_dsn.origins", "'shop' is no origin")),
        ({}, {"services": ["web-*"]}, ("services", "no pattern")),
        ({}, {"services": []}, ("services", "of one service")),
        ({}, {"services": ["a", "b"]}, ("services", "of one service")),
        ({}, {"scopes": ["ingest", "read"]}, ("scopes", "no other")),
        ({}, {"name": "a b"}, ("name", "letters, digits")),
        ({}, {"expires_at": "2020-01-01T00:00:00Z"}, ("expires_at", "later than now")),
    ],
)
async def test_what_no_dsn_is_made_of_is_said_at_its_place(
    store: Store, clock: FixedClock, dsn: dict[str, Any], asked: dict[str, Any], told: tuple[str, str]
) -> None:
    async with serve(store, clock, recognisers=[ada]) as site:
        await make_dsn(site, {"key": OLD, "project": 7}, name="taken")
        status, document = await make_dsn(site, dsn, **asked)
        assert status == 400
        (error,) = document["error"]["details"]["errors"]
        assert (error["field"], told[1] in error["message"]) == (told[0], True), error
        assert len((await site.get(PATH))[1]["tokens"]) == 1

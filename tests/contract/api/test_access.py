"""What every route declares of who may use it, and what the guard makes of that."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer, make_mocked_request
from tests.contract.api.conftest import Site, make_parts, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.web.access.declared import DECLARED, OPEN, Access
from faultwire_consumer.web.access.guard import Recogniser
from faultwire_consumer.web.access.open_door import open_door, trusting_door
from faultwire_consumer.web.access.refusal import DoubledHeaderError, TokenRefusedError
from faultwire_consumer.web.mcp import MCP_PATH

# Nothing here depends on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PROBES = {"/livez", "/readyz", "/startupz"}
AT_THE_PROVIDER = {"/sign-in/provider", "/sign-in/provider/callback"}
OPEN_TO_ANYBODY = PROBES | {"/static/{name}", "/sign-in", "/invitation", *AT_THE_PROVIDER}
ONE_S_OWN = (
    "/sign-out",
    "/account/password",
    "/account/sessions/end",
    "/preferences",
    "/views/keep",
    "/views/forget",
)
"""What whoever may only read changes all the same: their own account, and what their browser keeps."""


@pytest.fixture
async def app(store: Store, clock: FixedClock) -> web.Application:
    return make_parts(store, clock, await asyncio.to_thread(read_policy)).app


@pytest.fixture
async def stranger(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    async with serve(store, clock, recognisers=()) as site:
        yield site


def declared_in(app: web.Application) -> dict[tuple[str, str], Access | None]:
    """Every route of the application, also one that came in beside the tables."""
    table = {}
    for route in app.router.routes():
        assert route.resource is not None
        table[route.method, route.resource.canonical] = app[DECLARED].get(route)
    return table


async def test_every_route_declares_who_may_use_it(app: web.Application) -> None:
    table = declared_in(app)
    assert len(table) > 40
    assert {route for route, access in table.items() if access is None} == set()


async def test_only_probes_static_files_and_signing_in_are_open_to_anybody(app: web.Application) -> None:
    assert {path for (_, path), access in declared_in(app).items() if access is OPEN} == OPEN_TO_ANYBODY


async def test_whoever_may_only_read_changes_nothing(app: web.Application) -> None:
    for (method, path), access in declared_in(app).items():
        reads = method in ("GET", "HEAD") or path in (MCP_PATH, *ONE_S_OWN)
        assert reads or access in (AccessScope.ACT, AccessScope.INGEST, AccessScope.ADMIN, OPEN), path


async def test_a_route_that_declares_nothing_is_refused_to_everybody(store: Store, clock: FixedClock) -> None:
    async def tell(_: web.Request) -> web.Response:
        raise AssertionError("nobody may come here")

    parts = make_parts(store, clock, await asyncio.to_thread(read_policy))
    parts.app.router.add_get("/stray", tell)
    async with parts.report, TestClient(TestServer(parts.app)) as client, client.get("/stray") as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "ACCESS_UNDECLARED"


async def test_nobody_is_let_in_but_where_anybody_is(stranger: Site) -> None:
    for (method, path), access in declared_in(stranger.client.app).items():
        verb = "replay" if "dead" in path else "resolve"
        address = re.sub(r"\{\w+\}", "1", path.replace("{verb}", verb).replace("{name}", "page.css"))
        async with stranger.client.request(method, address) as answer:
            assert (answer.status == 401) is (access is not OPEN), path
            if access is not OPEN:
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="faultwire"'
    status, document = await stranger.get("/api/v1/incidents")
    assert (status, document["error"]["code"]) == (401, "NOT_SIGNED_IN")


async def test_an_unknown_route_is_unknown_to_everybody(stranger: Site) -> None:
    assert (await stranger.get("/api/v1/nothing"))[0] == 404
    async with stranger.client.delete("/api/v1/incidents") as answer:
        assert answer.status == 405


async def test_whoever_lacks_a_scope_is_told_which(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, recognisers=[reader()]) as site:
        assert (await site.get("/api/v1/incidents"))[0] == 200
        async with site.client.post("/api/v1/incidents/INC-1/resolve") as answer:
            assert answer.status == 403
            assert answer.headers["WWW-Authenticate"].endswith('error="insufficient_scope", scope="act"')
            document = await answer.json()
    assert document["error"]["code"] == "SCOPE_MISSING"
    assert document["error"]["message"] == "token:ci may not do this: it takes the scope act"
    assert document["error"]["details"] == {"scope": "act"}


async def test_the_first_that_recognises_decides(store: Store, clock: FixedClock) -> None:
    async def nobody(_: web.Request) -> Principal | None:
        return None

    all_may = known_as(set(AccessScope))
    async with serve(store, clock, recognisers=[nobody, reader(), all_may]) as site:
        assert (await site.post("/api/v1/incidents/INC-1/resolve"))[0] == 403


@pytest.mark.parametrize(
    ("via", "claimed", "kept"),
    [
        (Via.OPEN, None, "ci"),
        (Via.OPEN, "ada", "ada"),
        (Via.TOKEN, None, "ci"),
        (Via.TOKEN, "ada", "ci for ada"),
        (Via.SESSION, None, "ci"),
        (Via.PROXY, "ci", "ci"),
    ],
)
async def test_a_history_keeps_who_acted_and_for_whom(
    store: Store, clock: FixedClock, via: Via, claimed: str | None, kept: str
) -> None:
    everything = known_as(set(AccessScope), via=via, actor="ci")
    async with serve(store, clock, recognisers=[everything]) as site:
        await site.send()
        body = {} if claimed is None else {"actor": claimed}
        status, document = await site.post("/api/v1/incidents/INC-1/acknowledge", json=body)
    assert status == 200
    assert document["history"][0]["actor"] == kept


async def test_whoever_signed_in_acts_as_nobody_else(store: Store, clock: FixedClock) -> None:
    signed_in = known_as(set(AccessScope), via=Via.SESSION, actor="ada")
    async with serve(store, clock, recognisers=[signed_in]) as site:
        await site.send()
        status, document = await site.post("/api/v1/incidents/INC-1/acknowledge", json={"actor": "bob"})
    assert status == 400
    assert document["error"]["details"]["field"] == "actor"


async def test_an_open_door_gives_no_tokens_away(store: Store) -> None:
    for path in ("/", "/api/v1/incidents"):
        principal = await open_door(make_mocked_request("GET", path))
        assert principal is not None
        assert set(AccessScope) - principal.scopes == {AccessScope.ADMIN}


async def test_only_who_may_read_is_told_why_a_worker_is_not_ready(store: Store, clock: FixedClock) -> None:
    for recognisers, told in (([], False), ([known_as({AccessScope.INGEST})], False), ([reader()], True)):
        async with serve(store, clock, recognisers=recognisers) as site:
            site.ready.append(RuntimeError("queue high of host mq-1"))
            status, document = await site.get("/readyz")
        assert status == 503
        assert [check["name"] for check in document["checks"]] == ["store", "lane"]
        assert ("mq-1" in str(document)) is told


@pytest.mark.parametrize(
    "failure",
    [TokenRefusedError("unknown"), DoubledHeaderError("Authorization"), StoreUnavailableError("away")],
)
async def test_a_probe_answers_also_whom_nobody_knows(
    store: Store, clock: FixedClock, failure: Exception
) -> None:
    async def refuse(_: web.Request) -> Principal | None:
        raise failure

    async with serve(store, clock, recognisers=[refuse]) as site:
        for probe in ("livez", "readyz", "startupz"):
            assert (await site.get(f"/{probe}"))[0] == 200


async def test_on_a_trusted_network_events_take_a_token(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, loopback_only=False, recognisers=[trusting_door]) as site:
        assert (await site.get("/api/v1/incidents"))[0] == 200
        status, document = await site.post("/ingest/v1/events", json=[])
    assert (status, document["error"]["code"]) == (401, "NOT_SIGNED_IN")


def reader() -> Recogniser:
    return known_as({AccessScope.READ})


def known_as(scopes: set[AccessScope], *, via: Via = Via.TOKEN, actor: str = "token:ci") -> Recogniser:
    async def recognise(_: web.Request) -> Principal | None:
        return Principal(actor=actor, via=via, scopes=frozenset(scopes))

    return recognise

"""Every route, asked by nobody, with each scope, and with tokens that are none or hold no longer."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler
from tests.contract.api.conftest import Site, make_parts, serve
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import TokenDraft, make_token
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.receive.http import IntakeReceiver, storing_intake
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.access.tokens import issue_token, revoke_token
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.bearer import BearerRecogniser, TokenBook
from faultwire_consumer.web.access.declared import DECLARED, OPEN
from faultwire_shared.event import Lane

REACHED: Final = 299
"""The answer of a stand-in for every handler: what is walked here is who gets so far."""


Walked = TestClient[web.Request, web.Application]


class Draw:
    """Digits that follow from each other, for tokens that are all different."""

    def __init__(self) -> None:
        self._state = 7

    def __call__(self, below: int) -> int:
        self._state = self._state * 48271 % (2**31 - 1)
        return self._state % below


draw = Draw()
ADA: Final = AuditSource(actor="ada", via=Via.COMMAND)


@web.middleware
async def reached(request: web.Request, handler: Handler) -> web.StreamResponse:
    return await handler(request) if request.match_info.http_exception else web.Response(status=REACHED)


async def issue(store: Store, clock: FixedClock, *scopes: AccessScope, **fields: object) -> str:
    services = ("billing",) if AccessScope.INGEST in scopes else ()
    values: dict[str, object] = {"name": "ci", "scopes": frozenset(scopes), "services": services}
    async with store.write() as tx:
        draft = TokenDraft(**values | fields)  # type: ignore[arg-type]  # what a test says is what it means
        _, shown = await issue_token(tx, draft, source=ADA, now=clock(), draw=draw)
    return shown


async def revoked(store: Store, clock: FixedClock) -> str:
    async with store.write() as tx:
        draft = TokenDraft(name="gone", scopes=frozenset(AccessScope), services=("*",))
        token, shown = await issue_token(tx, draft, source=ADA, now=clock(), draw=draw)
        await revoke_token(tx, token.id, source=ADA, now=clock())
    return shown


def bearer(store: Store, clock: FixedClock) -> BearerRecogniser:
    return BearerRecogniser(TokenBook(store, clock=clock))


@asynccontextmanager
async def walked(store: Store, clock: FixedClock) -> AsyncIterator[Walked]:
    policy = await asyncio.to_thread(read_policy)
    parts = make_parts(store, clock, policy, recognisers=[bearer(store, clock)])
    parts.app.middlewares.append(reached)
    async with parts.report, TestClient(TestServer(parts.app)) as client:
        yield client


async def statuses(
    client: TestClient[web.Request, web.Application], *shown: str
) -> dict[tuple[str, str], int]:
    """Every route's answer to whoever shows these headers."""
    found = {}
    for route in client.app.router.routes():
        assert route.resource is not None
        path = re.sub(
            r"\{verb\}",
            "replay" if "dead" in route.resource.canonical else "resolve",
            route.resource.canonical,
        )
        headers = [("Authorization", one) for one in shown]
        async with client.request(route.method, re.sub(r"\{\w+\}", "1", path), headers=headers) as answer:
            found[route.method, route.resource.canonical] = answer.status
    return found


def expected(
    app: web.Application, scopes: frozenset[AccessScope], refused: int
) -> dict[tuple[str, str], int]:
    table = {}
    for route, access in app[DECLARED].items():
        assert route.resource is not None
        let_in = access is OPEN or access in scopes
        table[route.method, route.resource.canonical] = REACHED if let_in else refused
    return table


@pytest.mark.parametrize("scope", AccessScope)
async def test_a_token_reaches_what_its_scope_allows_and_nothing_else(
    store: Store, clock: FixedClock, scope: AccessScope
) -> None:
    shown = await issue(store, clock, scope)
    async with walked(store, clock) as client:
        assert await statuses(client, f"Bearer {shown}") == expected(client.app, frozenset({scope}), 403)


async def test_a_token_of_every_scope_reaches_every_route(store: Store, clock: FixedClock) -> None:
    shown = await issue(store, clock, *AccessScope)
    async with walked(store, clock) as client:
        assert set((await statuses(client, f"Bearer {shown}")).values()) == {REACHED}


async def test_nobody_and_whoever_shows_no_token_that_holds_reaches_what_is_open(
    store: Store, clock: FixedClock
) -> None:
    valid = await issue(store, clock, *AccessScope)
    expired = await issue(store, clock, *AccessScope, expires_at=clock() + timedelta(seconds=1))
    clock.advance(timedelta(seconds=1))
    kinds: dict[str, list[str]] = {
        "nobody": [],
        "revoked": [f"Bearer {await revoked(store, clock)}"],
        "expired": [f"Bearer {expired}"],
        "forged": [f"Bearer {make_token(draw)}"],
        "mistyped": [f"Bearer {valid[:-1]}"],
        "of somebody else": ["Bearer eyJhbGciOiJub25lIn0.e30."],
        "by another scheme": [f"Basic {valid}"],
    }
    async with walked(store, clock) as client:
        for kind, shown in kinds.items():
            assert await statuses(client, *shown) == expected(client.app, frozenset(), 401), kind


async def test_a_doubled_header_is_refused_whatever_it_holds(store: Store, clock: FixedClock) -> None:
    valid = f"Bearer {await issue(store, clock, *AccessScope)}"
    async with walked(store, clock) as client:
        for other in (valid, "Basic x", f"Bearer {make_token(draw)}"):
            assert await statuses(client, valid, other) == expected(client.app, frozenset(), 400)


@asynccontextmanager
async def storing(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker that really takes events in."""
    metrics = Metrics()
    doors = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
    pipeline = Pipeline(store, metrics=metrics, clock=clock)
    loops = [LaneLoop(door, pipeline, metrics=metrics) for door in doors]
    tasks = [asyncio.create_task(door.run()) for door in doors]
    tasks += [asyncio.create_task(loop.run()) for loop in loops]
    try:
        async with serve(
            store, clock, recognisers=[bearer(store, clock)], intake=storing_intake(doors)
        ) as site:
            yield site
    finally:
        for door in doors:
            await door.stop()
            await door.close()
        await asyncio.wait(tasks, timeout=20)


async def test_a_token_of_one_service_neither_writes_nor_reads_another(
    store: Store, clock: FixedClock
) -> None:
    billing = f"Bearer {await issue(store, clock, AccessScope.INGEST)}"
    events = [wire_event(now=clock(), service=service) for service in ("billing", "bank")]
    report = {"producer_id": "p1", "service": "bank", "host": "h", "last_sequence": 9}
    report["started_at"] = clock().isoformat()
    async with storing(store, clock) as site:
        status, document = await site.post("/ingest/v1/events", json=events, Authorization=billing)
        assert status == 202
        assert [one["status"] for one in document["results"]] == ["stored", "dead_lettered"]
        assert document["results"][1]["reason"] == "service_not_allowed"
        _, document = await site.post("/ingest/v1/events", json=report, Authorization=billing)
        assert document["results"][0]["reason"] == "service_not_allowed"
        for path in (
            "incidents",
            "events",
            f"events/{events[0]['id']}",
            "producers",
            "dead-letters",
            "events/export",
        ):
            assert (await site.get(f"/api/v1/{path}", Authorization=billing))[0] == 403
        reader = f"Bearer {await issue(store, clock, AccessScope.READ)}"
        _, document = await site.get("/api/v1/incidents", Authorization=reader)
        assert [one["service"] for one in document["incidents"]] == ["billing"]
        assert (await site.get("/api/v1/producers", Authorization=reader))[1]["producers"] == []
        _, document = await site.get("/api/v1/dead-letters", Authorization=reader)
        assert {one["reason"] for one in document["dead_letters"]} == {"service_not_allowed"}
        assert (await site.post("/ingest/v1/events", json=events, Authorization=reader))[0] == 403
        assert (await site.post("/ingest/v1/events", json=events))[0] == 401

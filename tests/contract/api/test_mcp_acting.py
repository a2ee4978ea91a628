"""Agents that act: only a token that may is offered the verbs, and every act is that token's."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import ip_network
from typing import Any

import httpx2
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent
from tests.contract.api.conftest import Site, serve
from tests.contract.api.people import audit
from tests.contract.api.test_access_walk import bearer, issue
from tests.tools.clock import FixedClock

from faultwire_consumer.agents.acting import ACTING
from faultwire_consumer.agents.reading import READING
from faultwire_consumer.agents.rules import TRYING_RULES
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.store.contract.store import Store

ALL = [tool.name for tool in (*READING, *ACTING)]
ALL_THAT_CHANGE_NOTHING = [*READING, TRYING_RULES]


@pytest.fixture
async def site(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker that lets nobody in without a token."""
    async with serve(store, clock, recognisers=[bearer(store, clock)]) as site:
        yield site


@asynccontextmanager
async def over_http(site: Site, token: str, **more: str) -> AsyncIterator[Client]:
    url = str(site.client.make_url("/mcp"))
    http = httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"} | more, timeout=120)
    async with (
        http,
        Client(streamable_http_client(url, http_client=http), read_timeout_seconds=120) as client,
    ):
        yield client


@asynccontextmanager
async def over_streams(site: Site, token: str) -> AsyncIterator[Client]:
    environment = os.environ | {"FAULTWIRE_URL": str(site.client.make_url("/")), "FAULTWIRE_TOKEN": token}
    arguments = ["-m", "faultwire_consumer.cli", "mcp"]
    started = StdioServerParameters(command=sys.executable, args=arguments, env=environment)
    async with Client(started, read_timeout_seconds=120) as client:
        yield client


Connect = Callable[[Site, str], AbstractAsyncContextManager[Client]]
WAYS = pytest.mark.parametrize("connect", [over_http, over_streams])


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@WAYS
async def test_a_token_that_may_act_is_offered_every_verb(
    connect: Connect, site: Site, store: Store, clock: FixedClock
) -> None:
    await site.send()
    token = await issue(store, clock, AccessScope.READ, AccessScope.ACT)
    async with connect(site, token) as agent:
        offered = await agent.list_tools()
        assert [tool.name for tool in offered.tools] == ALL
        assert [
            tool.name for tool in offered.tools if tool.annotations and tool.annotations.read_only_hint
        ] == [tool.name for tool in ALL_THAT_CHANGE_NOTHING]
        arguments = {"ids": ["INC-1"], "note": "the bank knows"}
        dry = await agent.call_tool("acknowledge_incidents", arguments | {"dry_run": True})
        assert "changed" in text_of(dry)
        done = await agent.call_tool("acknowledge_incidents", arguments | {"for_seconds": 3600})
        assert not done.is_error
        assert "`INC-1` changed" in text_of(done)
        refused = await agent.call_tool("mute_incidents", {"ids": ["INC-1"]})
        assert refused.is_error
    status, incident = await asked(site, token, "/api/v1/incidents/INC-1")
    assert (status, incident["status"]) == (200, "acknowledged")
    entry = next(one for one in incident["history"] if one["reason"] == "acknowledged")
    assert entry["actor"].startswith("token:ci")
    assert entry["note"] == "the bank knows"


@WAYS
async def test_an_agent_s_act_stands_in_the_audit_with_what_it_did_and_from_where(
    connect: Connect, site: Site, store: Store, clock: FixedClock
) -> None:
    for kind in ("One", "Two", "Three"):
        await site.send(kind=kind)
    token = await issue(store, clock, AccessScope.READ, AccessScope.ACT)
    both = {"ids": ["INC-1", "INC-3"]}
    async with connect(site, token) as agent:
        await agent.call_tool("acknowledge_incidents", both | {"dry_run": True})
        await agent.call_tool("acknowledge_incidents", both)
        await agent.call_tool("acknowledge_incidents", both)
        await agent.call_tool("acknowledge_incidents", {"ids": ["INC-99"]})
        url = "https://git.example/issues/7"
        await agent.call_tool("link_incidents", {"ids": ["INC-2"], "url": url})
    told = await audit(store, action=("act.done",))
    assert [(row.actor, row.via, row.object, row.detail, row.address) for row in told] == [
        ("token:ci", "token", "incidents/INC-1,INC-3", "acknowledge", "127.0.0.1"),
        ("token:ci", "token", "incidents/INC-2", "link", "127.0.0.1"),
    ]


async def test_an_agent_behind_a_proxy_is_told_with_its_own_address_and_request(
    store: Store, clock: FixedClock
) -> None:
    networks = (ip_network("127.0.0.0/8"),)
    async with serve(store, clock, recognisers=[bearer(store, clock)], trusted_networks=networks) as site:
        await site.send()
        token = await issue(store, clock, AccessScope.READ, AccessScope.ACT)
        named = {"X-Forwarded-For": "203.0.113.9", "X-Request-ID": "of-the-agent"}
        async with over_http(site, token, **named) as agent:
            await agent.call_tool("acknowledge_incidents", {"ids": ["INC-1"]})
        (told,) = await audit(store, action=("act.done",))
        assert (told.address, told.request_id) == ("203.0.113.9", "of-the-agent")
        forged = {"Authorization": f"Bearer {token}", "X-Faultwire-On-Behalf": "", "X-Forwarded-For": ""}
        async with site.client.post("/api/v1/incidents/INC-1/reopen", json={}, headers=forged) as answer:
            assert answer.status == 200
        told = (await audit(store, action=("act.done",)))[-1]
        assert told.address == "127.0.0.1"


@WAYS
async def test_a_token_that_only_reads_is_offered_no_verb(
    connect: Connect, site: Site, store: Store, clock: FixedClock
) -> None:
    await site.send()
    token = await issue(store, clock, AccessScope.READ)
    async with connect(site, token) as agent:
        assert [tool.name for tool in (await agent.list_tools()).tools] == [tool.name for tool in READING]
        refused = await agent.call_tool("resolve_incidents", {"ids": ["INC-1"]})
        assert refused.is_error
        assert "there is no tool of that name" in text_of(refused)
    _, incident = await asked(site, token, "/api/v1/incidents/INC-1")
    assert incident["status"] == "open"


@pytest.mark.parametrize("scopes", [(), (AccessScope.INGEST,), (AccessScope.METRICS,)])
async def test_nobody_and_a_token_that_may_not_read_reach_no_tool(
    scopes: tuple[AccessScope, ...], site: Site, store: Store, clock: FixedClock
) -> None:
    headers = {"Accept": "application/json, text/event-stream"}
    if scopes:
        headers["Authorization"] = f"Bearer {await issue(store, clock, *scopes)}"
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with site.client.post("/mcp", json=message, headers=headers) as answer:
        assert answer.status == (403 if scopes else 401)


async def test_whoever_asks_is_told_who_that_is(site: Site, store: Store, clock: FixedClock) -> None:
    token = await issue(store, clock, AccessScope.READ, AccessScope.ACT)
    status, me = await asked(site, token, "/api/v1/me")
    assert status == 200
    assert me == {"actor": "token:ci", "via": "token", "scopes": ["act", "read"], "services": []}


def test_agents_have_each_verb_silences_and_the_trial_of_rules_and_nothing_else() -> None:
    verbs = [f"{verb}_incidents" for verb in Verb]
    assert [tool.name for tool in ACTING] == [*verbs, "create_silence", "end_silence", "test_rules"]


@WAYS
async def test_an_agent_makes_lists_and_ends_a_silence_that_spares_critical(
    connect: Connect, site: Site, store: Store, clock: FixedClock
) -> None:
    token = await issue(store, clock, AccessScope.READ, AccessScope.ACT)
    asked_for = {"comment": "deploy", "for_seconds": 3600, "service": ["billing*"]}
    async with connect(site, token) as agent:
        dry = await agent.call_tool("create_silence", asked_for | {"dry_run": True})
        assert "would_create: active, `service billing*`" in text_of(dry)
        made = await agent.call_tool("create_silence", asked_for | {"windows": ["daily 11:00-13:00"]})
        assert "Silence 1 created: active, `service billing*; every day 11:00 to 13:00 UTC`" in text_of(made)
        listed = text_of(await agent.call_tool("list_silences", {}))
        assert "- 1 active until 2026-11-23T13:00:00Z; hid 0 notifications;" in listed
        assert "`deploy` by `token:ci`" in listed
        ended = await agent.call_tool("end_silence", {"id": 1, "note": "done"})
        assert "Silence 1 ended: ended" in text_of(ended)
        assert "No silences." in text_of(await agent.call_tool("list_silences", {}))
        for refused in ({"also_critical": True}, {"severity": ["critical"]}, {"for_seconds": 8 * 86400}):
            assert (await agent.call_tool("create_silence", asked_for | refused)).is_error
        wrong = await agent.call_tool("create_silence", asked_for | {"windows": ["someday 11:00-13:00"]})
        assert wrong.is_error
        assert "is not a day" in text_of(wrong)


async def asked(site: Site, token: str, path: str) -> tuple[int, dict[str, Any]]:
    async with site.client.get(path, headers={"Authorization": f"Bearer {token}"}) as answer:
        return answer.status, await answer.json()

"""Agents ask about rules: those in use, a digest before it is due, and others on trial."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.contract.api.conftest import Site, serve
from tests.contract.api.test_access_walk import bearer, issue
from tests.contract.api.test_mcp_acting import WAYS, Connect, text_of
from tests.tools.clock import FixedClock
from tests.tools.prepared_file import put_current_file

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.report.quoting import WARNING
from faultwire_consumer.rehearsal.rehearser import RehearsalSource, Rehearser
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.event import ErrorSeverity

RULES = """
[receivers.log]
type = "log"
[rules.everything]
on = ["new"]
send = "now"
"""

pytestmark = pytest.mark.may_block("a zone's file is read once")


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database is enough: agents are told what the same rehearser tells others of both."""
    return put_current_file(tmp_path / "faultwire.db")


@pytest.fixture
async def site(database_url: str, store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker that rehearses, and lets nobody in without a token."""
    rehearser = Rehearser(RehearsalSource(database_url), clock=clock)
    async with serve(store, clock, recognisers=[bearer(store, clock)], rehearser=rehearser) as site:
        yield site


@WAYS
async def test_an_agent_is_told_the_rules_in_use_and_what_a_digest_would_say(
    connect: Connect, site: Site, clock: FixedClock
) -> None:
    await site.send(severity=ErrorSeverity.MEDIUM, text="order 17")
    async with connect(site, await issue(site.store, clock, AccessScope.READ)) as agent:
        rules = text_of(await agent.call_tool("show_rules", {}))
        assert rules.startswith(WARNING)
        assert "- `medium`: where `severity` `medium`; " in rules
        assert "- `log`: type `log`" in rules
        digest = text_of(await agent.call_tool("preview_digest", {"rule": "medium"}))
        assert digest.startswith(WARNING)
        assert "To `log`, due at " in digest
        wrong = await agent.call_tool("preview_digest", {"rule": "nothing of the kind"})
        assert wrong.is_error


@WAYS
async def test_an_agent_tries_rules_if_its_token_may_act(
    connect: Connect, site: Site, clock: FixedClock
) -> None:
    await site.send(severity=ErrorSeverity.MEDIUM, text="order 17")
    clock.advance(60)
    async with connect(site, await issue(site.store, clock, AccessScope.READ, AccessScope.ACT)) as agent:
        tried = text_of(await agent.call_tool("test_rules", {"policy": RULES}))
        assert "1 notifications in 1 messages would have been sent" in tried
        assert "- by rule: `everything` 1" in tried
        assert "## 1 new beside the current rules" in tried
        assert "medium INC-1 new, rule `everything` to `log`" in tried
        broken = await agent.call_tool("test_rules", {"policy": "[rules"})
        assert broken.is_error
        assert "policy" in text_of(broken)
    async with connect(site, await issue(site.store, clock, AccessScope.READ)) as agent:
        refused = await agent.call_tool("test_rules", {"policy": RULES})
        assert "there is no tool of that name" in text_of(refused)

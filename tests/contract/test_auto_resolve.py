"""What a rule's quiet days do to incidents, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_body

from faultwire_consumer.domain.incident import WORKER, Status, Verb
from faultwire_consumer.domain.lifecycle.arguments import AssignArguments, MuteArguments
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.maintenance.auto_resolve import AutoResolver
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.incidents import get_incident, list_history
from faultwire_consumer.store.schema.events import incidents
from faultwire_shared.codec import EVENT_TYPE

POLICY = parse_policy(
    """
[receivers.log]
type = "log"
[rules.shop]
service = "shop*"
on = "new"
send = "now"
auto_resolve_days = 14
[rules.low]
severity = "low"
on = "new"
send = "weekly"
auto_resolve_days = 30
[rules.rest]
on = "new"
send = "now"
"""
)
DAY = timedelta(days=1)

pytestmark = pytest.mark.may_block("a zone's file is read once")


class Quiet:
    """A pipeline and a resolver on one clock."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        self.store, self.clock = store, clock
        self.resolver = AutoResolver(store, lambda: POLICY, clock=clock)
        self._pipeline = Pipeline(store, metrics=Metrics(), clock=clock)

    async def occur(self, kind: str, *, service: str = "billing", severity: str = "high") -> None:
        body = wire_body(
            now=self.clock(), fingerprint=[kind], message=kind, service=service, severity=severity
        )
        await self._pipeline.ingest([read_delivery(body, EVENT_TYPE, origin="test", handle=None)])

    async def statuses(self) -> list[str]:
        rows = await self.store.read(select(incidents.c.status).order_by(incidents.c.id))
        return [row.status for row in rows]


@pytest.fixture
def quiet(store: Store, clock: FixedClock) -> Quiet:
    return Quiet(store, clock)


async def test_an_incident_is_resolved_after_its_rule_s_quiet_days_and_no_other_is(quiet: Quiet) -> None:
    await quiet.occur("a", service="shop-1")
    await quiet.occur("b", severity="low")
    await quiet.occur("c")
    quiet.clock.advance(14 * DAY - timedelta(seconds=1))
    await quiet.resolver.resolve()
    assert await quiet.statuses() == ["open", "open", "open"]
    quiet.clock.advance(1)
    await quiet.resolver.resolve()
    assert await quiet.statuses() == ["resolved", "open", "open"]
    quiet.clock.advance(16 * DAY)
    await quiet.resolver.resolve()
    assert await quiet.statuses() == ["resolved", "resolved", "open"]
    entry, *_ = await list_history(quiet.store, 1)
    assert (entry.reason, entry.actor) == ("auto_resolved", WORKER)
    assert entry.detail == "nothing for 14 days, as rule shop asks for"


async def test_what_occurs_after_it_comes_back_and_keeps_whoever_had_it(quiet: Quiet) -> None:
    await quiet.occur("a", service="shop")
    await act_with(quiet.store, 1, AssignArguments(to="ada"), now=quiet.clock())
    await change_status(quiet.store, 1, Verb.ACKNOWLEDGE, actor="ada", now=quiet.clock())
    quiet.clock.advance(14 * DAY)
    await quiet.resolver.resolve()
    quiet.clock.advance(1)
    await quiet.occur("a", service="shop")
    found = await get_incident(quiet.store, 1)
    assert found is not None
    assert (found.status, found.episode, found.assignee) == (Status.OPEN, 2, "ada")


async def test_a_muted_incident_is_left_as_it_is(quiet: Quiet) -> None:
    await quiet.occur("a", service="shop")
    await act_with(quiet.store, 1, MuteArguments(for_ever=True, reason="known"), now=quiet.clock())
    quiet.clock.advance(100 * DAY)
    await quiet.resolver.resolve()
    assert await quiet.statuses() == ["open"]


async def test_no_rule_resolves_unless_it_says_so(quiet: Quiet) -> None:
    await quiet.occur("a", service="shop")
    quiet.clock.advance(1000 * DAY)
    shipped = parse_policy('[receivers.log]\ntype = "log"\n[rules.all]\non = "new"\nsend = "now"\n')
    await AutoResolver(quiet.store, lambda: shipped, clock=quiet.clock).resolve()
    assert await quiet.statuses() == ["open"]


async def test_more_quiet_incidents_than_a_page_are_all_resolved(
    quiet: Quiet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.maintenance.auto_resolve.PAGE", 2)
    monkeypatch.setattr("faultwire_consumer.store.events.quiet.PAGE", 2)
    for kind in "abcde":
        await quiet.occur(kind, service="shop")
    quiet.clock.advance(14 * DAY)
    await quiet.resolver.resolve()
    assert await quiet.statuses() == ["resolved"] * 5

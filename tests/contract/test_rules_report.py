"""The incident that a broken rules' file opens, on both databases: one, told, resolved when it is good."""

from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select
from tests.tools.clock import FixedClock
from tests.tools.fakes import BreakableStore

from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.rules_report import CODE, RulesReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import outbox
from faultwire_shared.codec import EVENT_TYPE

POLICY = parse_policy('[receivers.log]\ntype = "log"\n[rules.a]\non = ["new", "regressed"]\nsend = "now"\n')
GOOD = PolicyStatus(file="/etc/rules.toml", read_at=datetime(2026, 11, 23, 11, tzinfo=UTC))

pytestmark = pytest.mark.may_block("a zone's file is read once")


def broken(why: str) -> PolicyStatus:
    return PolicyStatus(file=GOOD.file, read_at=GOOD.read_at, wrong=why, wrong_since=GOOD.read_at)


class Worker:
    """A report whose events take the path of all events."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        self.store, self.clock, self.taken, self.is_away = store, clock, 0, False
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry)
        self._pipeline = Pipeline(store, metrics=metrics, evaluator=Evaluator(POLICY), clock=clock)
        self.report = RulesReport(store, self._ingest, metrics=metrics, clock=clock)

    async def tell(self, *statuses: PolicyStatus) -> None:
        for status in statuses:
            self.clock.advance(2)
            await self.report.tell(status)

    async def incidents(self) -> list[tuple[str, str, int]]:
        table = incidents.c
        rows = await self.store.read(
            select(table.code, table.status, table["count"].label("events")).order_by(table.id)
        )
        return [(row.code, row.status, row.events) for row in rows]

    async def _ingest(self, body: bytes) -> bool:
        self.taken += 1
        if self.is_away:
            return False
        await self._pipeline.ingest([read_delivery(body, EVENT_TYPE, origin="maintenance", handle=None)])
        return True


async def test_a_broken_file_is_one_incident_however_often_it_changes_and_good_again_resolves_it(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.tell(
        GOOD, broken("rules.toml:1: this"), broken("rules.toml:1: this"), broken("rules.toml:2: that")
    )
    assert await worker.incidents() == [(CODE, "open", 2)]
    assert worker.registry.get_sample_value("faultwire_rules_broken") == 1
    (row,) = await store.read(select(outbox.c.rule, outbox.c.reason, outbox.c.severity))
    assert (row.rule, row.reason) == ("a", "new"), "the rules in use tell of it"
    await worker.tell(GOOD, GOOD)
    assert await worker.incidents() == [(CODE, "resolved", 2)]
    assert worker.registry.get_sample_value("faultwire_rules_broken") == 0
    await worker.tell(broken("rules.toml:3: again"))
    assert await worker.incidents() == [(CODE, "open", 3)]
    reasons = await store.read(select(outbox.c.reason).order_by(outbox.c.id))
    assert [one.reason for one in reasons] == ["new", "regressed"]


async def test_a_worker_that_starts_with_a_good_file_resolves_what_one_that_is_gone_had_opened(
    store: Store, clock: FixedClock
) -> None:
    await Worker(store, clock).tell(broken("rules.toml:1: this"))
    await Worker(store, clock).tell(GOOD)
    assert await Worker(store, clock).incidents() == [(CODE, "resolved", 1)]


async def test_what_the_store_does_not_take_is_told_again_until_it_does(
    store: Store, clock: FixedClock
) -> None:
    breakable = BreakableStore(store)
    worker = Worker(breakable, clock)
    worker.is_away = True
    await worker.tell(broken("rules.toml:1: this"), broken("rules.toml:1: this"))
    worker.is_away = False
    await worker.tell(broken("rules.toml:1: this"), broken("rules.toml:1: this"))
    assert worker.taken == 3
    breakable.is_away = True
    await worker.tell(GOOD)
    breakable.is_away = False
    await worker.tell(GOOD)
    assert await worker.incidents() == [(CODE, "resolved", 1)]

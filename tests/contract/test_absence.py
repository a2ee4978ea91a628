"""A service that goes quiet and comes back, from its rule to the notification, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_body

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.absence import AbsenceWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import absences, outbox
from faultwire_shared.codec import EVENT_TYPE

HEAD = '[receivers.pager]\ntype = "log"\nrecovery = true\n'
REST = '[rules.rest]\nservice = "nobody"\non = "new"\nsend = "now"\n'
NIGHTLY = '[rules.nightly]\nservice = ["backup", "shop-*"]\nabsent_for = "30m"\nsend = "now"\n'
POLICY = parse_policy(HEAD + NIGHTLY)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.may_block("a zone's file is read once")


class House:
    """A pipeline, and a watch that was just started at each look."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        self.store, self.clock, self.policy = store, clock, POLICY
        self._pipeline = Pipeline(store, metrics=Metrics(), evaluator=Evaluator(POLICY), clock=clock)

    async def ingest(self, body: bytes) -> bool:
        await self._pipeline.ingest([read_delivery(body, EVENT_TYPE, origin="test", handle=None)])
        return True

    async def hear(self, service: str) -> None:
        await self.ingest(wire_body(now=self.clock(), service=service, severity="low"))

    async def watch(self, minutes: int, policy: Policy | None = None) -> None:
        """Look once a minute, as often as that, each time as another worker."""
        for _ in range(minutes):
            self.clock.advance(MINUTE)
            await AbsenceWatch(
                self.store, self.ingest, lambda: policy or self.policy, clock=self.clock
            ).look()

    async def absent(self) -> list[tuple[str, str]]:
        rows = await self.store.read(
            select(incidents.c.title, incidents.c.status)
            .where(incidents.c.code == "SERVICE_ABSENT")
            .order_by(incidents.c.id)
        )
        return [(row.title, row.status) for row in rows]

    async def told(self) -> list[str]:
        rows = await self.store.read(select(outbox.c.rule, outbox.c.reason).order_by(outbox.c.id))
        return [f"{row.rule} {row.reason}" for row in rows]


@pytest.fixture
def house(store: Store, clock: FixedClock) -> House:
    return House(store, clock)


async def test_a_service_that_goes_quiet_is_told_once_and_resolved_when_it_reports_again(
    house: House,
) -> None:
    await house.watch(31)
    said = "service backup sent nothing for 30m, as rule nightly asks"
    assert await house.absent() == [(said, "open")]
    await house.watch(40)
    assert await house.told() == ["nightly new"]
    await house.hear("backup")
    await house.watch(1)
    assert await house.absent() == [(said, "resolved")]
    assert await house.told() == ["nightly new", "nightly resolved"]
    await house.watch(30)
    assert await house.told() == ["nightly new", "nightly resolved", "nightly regressed"]


async def test_services_like_a_pattern_are_watched_once_they_were_heard_and_faultwire_is_not(
    house: House,
) -> None:
    await house.hear("shop-1")
    await house.hear("mail")
    await house.watch(20)
    await house.hear("backup")
    await house.watch(20)
    assert [title.split()[1] for title, _ in await house.absent()] == ["shop-1"]


async def test_a_worker_that_dies_between_the_event_and_its_note_tells_nothing_twice(house: House) -> None:
    await house.watch(31)
    async with house.store.write() as tx:
        await tx.execute(update(absences).values(event_id=None))
    await house.watch(5)
    assert await house.told() == ["nightly new"]
    (row,) = await house.store.read(select(incidents.c.count.label("n")))
    assert row.n == 1


async def test_an_outage_of_an_hour_makes_nobody_absent(house: House) -> None:
    await house.watch(20)
    house.clock.advance(60 * MINUTE)
    await house.watch(10)
    assert await house.absent() == []
    await house.watch(2)
    assert len(await house.absent()) == 1


async def test_what_no_rule_watches_any_more_is_forgotten_and_its_incident_resolved(house: House) -> None:
    await house.watch(31)
    await house.watch(1, parse_policy(HEAD + REST))
    assert [status for _, status in await house.absent()] == ["resolved"]
    assert await house.store.read(select(absences)) == []

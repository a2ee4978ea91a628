"""A producer with a wrong key is an incident of faultwire's own: one for each, and few whatever is tried."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import select
from tests.contract.test_self_report import Path
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.gateway.reports.keeper import GatewayReports
from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.gateway.reports.tally import GatewayIdentity
from faultwire_consumer.gateway.reports.wrong_key import KINDS_MAX, WrongKey
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import events, incidents

KEY = "a94a8fe5ccb19ba61c4c0873d391e987"


class Refusing:
    """A gateway that refuses senders, and tells the worker's own report of them."""

    def __init__(self, path: Path, own: SelfReport, clock: FixedClock) -> None:
        def tell(wrong: WrongKey) -> None:
            own.report(wrong.error(), part=wrong.part, fingerprint=wrong.fingerprint)

        async def keep(body: bytes, message_type: str, routing_key: str) -> bool:
            return await path(body, message_type)

        self.reports = GatewayReports(
            keep,
            metrics=GatewayMetrics(CollectorRegistry()),
            tell=tell,
            who=GatewayIdentity(host="edge-1", process="5d0c9a17"),
            clock=clock,
            monotonic=clock.monotonic,
        )

    def refuse(self, project: int, key: str = KEY) -> None:
        path = f"/errors/of/shop/api/{project}/envelope/"
        self.reports.refused(
            reason="unknown", path=path, user_agent="sentry.python/2.75.0", key_start=key[:4]
        )


@pytest.fixture
async def own(store: Store, clock: FixedClock) -> AsyncIterator[tuple[Refusing, SelfReport]]:
    path = Path(store, clock)
    async with SelfReport(path, clock=clock, monotonic=clock.monotonic) as report:
        yield Refusing(path, report, clock), report


async def titles(store: Store) -> list[tuple[str, str]]:
    rows = await store.read(select(incidents.c.code, incidents.c.title).order_by(incidents.c.id))
    return [(row.code, row.title) for row in rows]


async def test_each_project_with_a_wrong_key_is_one_incident_that_says_what_mends_it(
    store: Store, own: tuple[Refusing, SelfReport]
) -> None:
    gateway, report = own
    for _ in range(30):
        gateway.refuse(17)
    gateway.refuse(18)

    async def are_told() -> bool:
        return len(await store.read(select(events.c.event_id))) == 2

    await until(are_told, "both are stored")
    await report.close_bursts()
    found = await titles(store)
    assert {code for code, _ in found} == {"GATEWAY_WRONG_KEY"}
    assert all("a producer reports with a wrong key" in title for _, title in found)
    rows = await store.read(select(events.c.doc))
    assert len(rows) == 2
    assert not any(KEY.encode() in bytes(row.doc or b"") for row in rows)


async def test_whoever_tries_many_keys_opens_few_incidents(
    store: Store, own: tuple[Refusing, SelfReport]
) -> None:
    gateway, _ = own
    for number in range(KINDS_MAX + 60):
        gateway.refuse(number, f"{number:04}")

    async def are_told() -> bool:
        return len(await titles(store)) == KINDS_MAX + 1

    await until(are_told, "all that may be are stored")

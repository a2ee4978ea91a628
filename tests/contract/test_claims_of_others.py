"""One publisher among many takes nobody's ids and ends nobody's audit."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.domain.access.allowance import Allowance
from faultwire_consumer.domain.outcome import DeadLettered, Outcome, must_return
from faultwire_consumer.domain.producer.sequence import JUMP_MAX, GapState
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.maintenance.gaps import CROWD, OPEN_SECONDS, GapWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.audit.gaps import count_missing
from faultwire_consumer.store.audit.producer_list import list_producers
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.events import incidents, sequence_gaps
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE


class Bench:
    """A worker's pipeline and its loss audit, by one clock."""

    def __init__(self, store: Store, clock: FixedClock) -> None:
        self.store, self.clock, self.metrics = store, clock, Metrics()
        self._pipeline = Pipeline(store, metrics=self.metrics, clock=clock)
        self.watch = GapWatch(store, self._own, metrics=self.metrics, clock=clock)

    async def _own(self, body: bytes) -> bool:
        (outcomes,) = await self._pipeline.ingest(
            [read_delivery(body, EVENT_TYPE, origin="test", handle=None)]
        )
        return not must_return(outcomes)

    async def put(self, *found: dict[str, Any], by: Allowance | None = None) -> list[Outcome]:
        body = json.dumps(found).encode()
        (outcomes,) = await self._pipeline.ingest(
            [read_delivery(body, BATCH_TYPE, origin="test", handle=None, allowance=by)]
        )
        return outcomes

    async def report(
        self, producer: str, last: int, service: str = "bank", by: Allowance | None = None, **fields: Any
    ) -> list[Outcome]:
        document = {
            "producer_id": producer,
            "service": service,
            "host": "web-1",
            "started_at": self.clock().isoformat(),
            "last_sequence": last,
        }
        body = json.dumps(document | fields).encode()
        (outcomes,) = await self._pipeline.ingest(
            [read_delivery(body, PRODUCER_TYPE, origin="test", handle=None, allowance=by)]
        )
        return outcomes

    def event(self, **fields: Any) -> dict[str, Any]:
        return wire_event(now=self.clock(), **({"service": "bank"} | fields))

    async def gaps(self) -> list[tuple[str, int, int]]:
        table = sequence_gaps.c
        rows = await self.store.read(
            select(table.producer_id, table.first, table.last)
            .where(table.state == GapState.OPEN.value)
            .order_by(table.producer_id, table.first)
        )
        return [tuple(row) for row in rows]

    async def told(self) -> list[tuple[str, str]]:
        self.clock.advance(OPEN_SECONDS + 1)
        await self.watch.run_once()
        rows = await self.store.read(
            select(incidents.c.title, incidents.c.status).where(incidents.c.service == "faultwire")
        )
        return [(row.title, row.status) for row in rows]

    def ignored(self, reason: str) -> float | None:
        return self.metrics.registry.get_sample_value("faultwire_audit_ignored_total", {"reason": reason})


def names_of(outcomes: Sequence[Outcome]) -> list[str]:
    return [one.reason if isinstance(one, DeadLettered) else type(one).__name__ for one in outcomes]


async def test_an_id_that_another_took_first_makes_a_dead_letter_and_no_duplicate(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    real = bench.event(producer_id="p", sequence=1)
    forged = bench.event(id=real["id"], service="evil")
    assert names_of(await bench.put(forged)) == ["Stored"]
    assert names_of(await bench.put(real, forged, bench.event())) == ["id_taken", "Duplicate", "Stored"]
    (letter,) = await store.read(select(dead_letters))
    assert (letter.event_id, json.loads(letter.body)["service"]) == (real["id"], "bank")
    assert "service 'evil'" in letter.detail
    value = bench.metrics.registry.get_sample_value
    assert value("faultwire_events_dead_lettered_total", {"reason": "id_taken"}) == 1
    assert value("faultwire_events_duplicate_total") == 0, "in the batch, the real one stood for it"


async def test_the_same_event_again_stays_a_duplicate(store: Store, clock: FixedClock) -> None:
    bench = Bench(store, clock)
    known = [bench.event(producer_id="p", sequence=number) for number in (1, 2)]
    old = bench.event(id=wire_event(now=clock() - timedelta(days=50))["id"])
    await bench.put(*known, old)
    assert names_of(await bench.put(*known, old)) == ["Duplicate"] * 3
    other = known[0] | {"sequence": 7}
    assert names_of(await bench.put(known[1], other, other)) == ["Duplicate", "id_taken", "id_taken"]
    twice = bench.event()
    assert names_of(await bench.put(twice, twice, twice | {"service": "evil"})) == [
        "Stored",
        "Duplicate",
        "id_taken",
    ]


async def test_another_service_neither_fills_nor_opens_nor_explains_a_producer_s_gaps(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    await bench.put(*(bench.event(producer_id="p", sequence=number) for number in (1, 2, 5)))
    evil = {"service": "evil", "producer_id": "p"}
    await bench.put(bench.event(**evil, sequence=3), bench.event(**evil, sequence=90))
    lost = [{"reason": "shutdown", "count": 2, "from": 3, "to": 4}]
    await bench.report("p", 700, service="evil", lost=lost, spool_depth=1)
    assert await bench.gaps() == [("p", 3, 4)]
    (producer,) = (await list_producers(store, limit=9)).rows
    assert (producer.service, producer.last_sequence, producer.spool_depth) == ("bank", 5, 0)
    assert bench.ignored("other_service") == 3
    await bench.put(
        bench.event(producer_id="p", sequence=3),
        bench.event(**evil, sequence=4),
        bench.event(producer_id="p", sequence=6),
    )
    assert await bench.gaps() == [("p", 4, 4)]


async def test_of_two_services_in_one_batch_the_first_owns_the_producer(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    await bench.put(
        bench.event(producer_id="p", sequence=1), bench.event(service="evil", producer_id="p", sequence=9)
    )
    assert (await bench.gaps(), bench.ignored("other_service")) == ([], 1)


async def test_a_token_brings_only_events_of_its_services_and_their_neighbours_are_stored(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    by = Allowance(sender="token:bank", services=("bank", "web-*"))
    found = [bench.event(service=service) for service in ("bank", "evil", "web-eu", "Bank")]
    outcomes = await bench.put(*found, by=by)
    assert names_of(outcomes) == ["Stored", "service_not_allowed", "Stored", "service_not_allowed"]
    letters = await store.read(select(dead_letters).order_by(dead_letters.c.id))
    assert {json.loads(letter.body)["service"] for letter in letters} == {"evil", "Bank"}
    assert {letter.event_id for letter in letters} == {found[1]["id"], found[3]["id"]}
    assert "token:bank may bring no events of 'evil' at $.service" in {letter.detail for letter in letters}
    value = bench.metrics.registry.get_sample_value
    assert value("faultwire_events_dead_lettered_total", {"reason": "service_not_allowed"}) == 2
    rows = await store.read(select(incidents.c.service).where(incidents.c.service != "bank"))
    assert [row.service for row in rows] == ["web-eu"]


async def test_what_is_refused_for_its_service_keeps_no_secret(store: Store, clock: FixedClock) -> None:
    bench = Bench(store, clock)
    event = bench.event(service="evil", context={"password": "hunter2"}) | {"scrubbed": False}
    await bench.put(event, by=Allowance(services=("bank",)))
    (letter,) = await store.read(select(dead_letters))
    assert b"hunter2" not in letter.body


async def test_a_token_tells_nothing_of_a_producer_of_another_service(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    bank, evil = (Allowance(sender=f"token:{one}", services=(one,)) for one in ("bank", "evil"))
    await bench.put(*(bench.event(producer_id="p", sequence=number) for number in (1, 2, 5)), by=bank)
    await bench.put(
        bench.event(producer_id="p", sequence=3),
        {"producer_id": "p", "sequence": 4, "service": "bank", "id": 7},  # which cannot be read besides
        by=evil,
    )
    lost = [{"reason": "shutdown", "count": 2, "from": 3, "to": 4}]
    (outcome,) = await bench.report("p", 700, lost=lost, by=evil)
    assert names_of([outcome]) == ["service_not_allowed"]
    assert await bench.gaps() == [("p", 3, 4)]
    (producer,) = (await list_producers(store, limit=9)).rows
    assert producer.last_sequence == 5
    value = bench.metrics.registry.get_sample_value
    assert value("faultwire_events_dead_lettered_total", {"reason": "service_not_allowed"}) == 3


async def test_of_two_tokens_of_one_service_the_first_owns_the_producer(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    ours, other = (Allowance(sender=f"token:{one}", services=("bank",)) for one in ("ci", "other"))
    await bench.put(bench.event(producer_id="p", sequence=1))  # came before there were tokens
    await bench.put(*(bench.event(producer_id="p", sequence=number) for number in (2, 5)), by=ours)
    outcomes = await bench.put(bench.event(producer_id="p", sequence=3), by=other)
    assert names_of(outcomes) == ["Stored"], "the event is the service's; its number is not this token's"
    await bench.report("p", 700, by=other)
    assert await bench.gaps() == [("p", 3, 4)]
    assert bench.ignored("other_service") == 2
    renewed = Allowance(sender="token:ci", services=("bank", "billing"))
    await bench.put(bench.event(producer_id="p", sequence=4), by=renewed)
    await bench.report("p", 6, by=renewed)
    assert await bench.gaps() == [("p", 3, 3), ("p", 6, 6)]


async def test_a_routing_key_that_the_broker_vouches_for_names_the_service(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    by = Allowance(routing_key="event.high.system.shop_eu")
    found = [bench.event(service=service) for service in ("shop.eu", "shop_eu", "shop", "bank")]
    assert names_of(await bench.put(*found, by=by)) == ["Stored"] * 2 + ["service_not_allowed"] * 2
    by = Allowance(routing_key="producer.shop_eu")
    assert names_of(await bench.report("p", 1, service="shop.eu", by=by)) == ["Noted"]
    assert names_of(await bench.report("p", 1, service="bank", by=by)) == ["service_not_allowed"]


async def test_a_number_that_jumps_ends_no_audit(store: Store, clock: FixedClock) -> None:
    bench = Bench(store, clock)
    await bench.put(*(bench.event(producer_id="p", sequence=number) for number in (1, 2**63 - 1)))
    await bench.report("p", 2**62)
    assert bench.ignored("jump") == 2
    await bench.put(*(bench.event(producer_id="p", sequence=number) for number in (2, 4)))
    assert await bench.gaps() == [("p", 3, 3)]
    await bench.put(bench.event(producer_id="p", sequence=5 + JUMP_MAX))
    assert await bench.gaps() == [("p", 3, 3), ("p", 5, 4 + JUMP_MAX)]


async def test_a_report_that_names_a_start_beyond_the_calendar_leaves_the_list_readable(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    starts = {
        "0001-01-01T00:00:00+14:00": None,
        "0001-01-01T00:00:00Z": None,
        "9999-12-31T23:59:59.999999Z": clock(),
        "2026-11-23T10:00:00Z": clock() - timedelta(hours=2),
    }
    for number, start in enumerate(starts):
        await bench.report(f"p{number}", 1, started_at=start)
    found = (await list_producers(store, limit=9)).rows
    assert {one.producer_id: one.started_at for one in found} == {
        f"p{number}": kept for number, kept in enumerate(starts.values())
    }


async def test_numbers_that_an_earlier_version_followed_can_be_added_up(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    for producer in "ab":
        await bench.put(bench.event(producer_id=producer, sequence=1))
        gap = {"producer_id": producer, "first": 2, "last": 2**63 - 2, "opened_at": clock(), "state": "open"}
        async with store.write() as tx:
            await tx.execute(insert(sequence_gaps).values(gap))
    assert await count_missing(store, opened_before=clock()) >= 2**63
    assert [one.missing for one in (await list_producers(store, limit=9)).rows] == [2**63 - 3] * 2 or (
        store.name == "sqlite"
    )


async def test_the_gaps_of_many_producers_that_never_report_are_one_incident(
    store: Store, clock: FixedClock
) -> None:
    bench = Bench(store, clock)
    await bench.report("known", 2)
    crowd = [f"p{number}" for number in range(CROWD + 5)]
    await bench.put(*(bench.event(producer_id=one, sequence=2) for one in crowd))
    many = "numbered events of many producers of bank did not arrive"
    told = [("events 1 to 2 of producer known (bank) did not arrive", "open"), (many, "open")]
    assert sorted(await bench.told()) == told
    await bench.put(*(bench.event(producer_id=one, sequence=1) for one in crowd[1:]))
    assert sorted(await bench.told()) == told, "one of them still misses an event"
    await bench.put(bench.event(producer_id=crowd[0], sequence=1))
    assert sorted(await bench.told()) == [told[0], (many, "resolved")]

"""The list of producers: how far each has got, what is missing, and what it lost."""

import json
from typing import Any

from tests.contract.api.conftest import Site, make_event

from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.dead_queue import DeadDelivery, DeadQueue, death_in
from faultwire_consumer.metrics import Metrics
from faultwire_shared import codec

PATH = "/api/v1/producers"
KEYS = [
    "id",
    "service",
    "host",
    "state",
    "state_reason",
    "sdk",
    "started_at",
    "first_seen_at",
    "last_seen_at",
    "last_report_at",
    "last_sequence",
    "missing",
    "dead_lettered",
    "unfollowed",
    "lost",
    "spool_depth",
    "via",
    "unnumbered",
    "dropped",
]


async def send_report(site: Site, producer: str, last: int, **fields: Any) -> None:
    document = {
        "producer_id": producer,
        "service": "billing",
        "host": "web-3",
        "started_at": "2026-11-23T10:00:00Z",
        "last_sequence": last,
    }
    body = json.dumps(document | fields).encode()
    delivery = read_delivery(body, codec.PRODUCER_TYPE, origin="test", handle=None)
    await site.pipeline.ingest([delivery])


async def listed(site: Site, query: str = "") -> list[str]:
    status, document = await site.get(f"{PATH}{query}")
    assert status == 200, document
    return [one["id"] for one in document["producers"]]


async def test_a_producer_is_listed_with_what_is_missing_and_what_it_lost(site: Site) -> None:
    await site.send(producer_id="p1", sequence=1)
    await site.send(producer_id="p1", sequence=4)
    body = codec.encode(make_event(site.clock, producer_id="p1", sequence=3))
    death = death_in({})
    dead = DeadDelivery(body, codec.EVENT_TYPE, death.queue, None, 1, [], None, death=death)
    await DeadQueue(site.store, metrics=Metrics(), clock=site.clock).ingest([dead])
    lost = [
        {"reason": "buffer_full", "count": 2, "from": 5, "to": 6},
        {"reason": "dropped_by_processor", "count": 7, "from": 0, "to": 0},
    ]
    await send_report(site, "p1", 8, lost=lost, spool_depth=5)
    status, document = await site.get(PATH)
    assert (status, list(document)) == (200, ["producers", "next_cursor"])
    (producer,) = document["producers"]
    assert list(producer) == KEYS
    assert {name: producer[name] for name in KEYS[10:]} == {
        "last_sequence": 8,
        "missing": 3,
        "dead_lettered": 1,
        "unfollowed": 0,
        "lost": {"buffer_full": 2, "dropped_by_processor": 7},
        "spool_depth": 5,
        "via": None,
        "unnumbered": 0,
        "dropped": {},
    }
    assert (producer["service"], producer["host"]) == ("billing", "web-3")
    assert (producer["state"], producer["state_reason"]) == ("reports", "heard")
    assert producer["sdk"] is None
    assert producer["started_at"] == "2026-11-23T10:00:00Z"
    assert producer["last_report_at"] == f"{site.clock():%Y-%m-%dT%H:%M:%S}Z"


async def test_a_producer_that_reported_nothing_is_listed_by_its_events(site: Site) -> None:
    await site.send(producer_id="p1", sequence=1)
    _, document = await site.get(PATH)
    (producer,) = document["producers"]
    assert (producer["started_at"], producer["last_report_at"], producer["lost"]) == (None, None, {})


async def test_a_report_whose_times_were_never_set_leaves_the_list_readable(site: Site) -> None:
    for number, never_set in enumerate(
        ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z"]
    ):
        await send_report(site, f"p{number}", 1, started_at=never_set)
    status, document = await site.get(PATH)
    assert status == 200, document
    arrived = f"{site.clock():%Y-%m-%dT%H:%M:%S}Z"
    found = {one["id"]: one["started_at"] for one in document["producers"]}
    assert found == {"p0": None, "p1": None, "p2": arrived}


async def test_the_list_is_paged_from_the_last_seen_and_narrowed_by_service(site: Site) -> None:
    for number in range(5):
        await site.send(producer_id=f"p{number}", sequence=1, service=("billing", "orders")[number % 2])
    assert await listed(site) == ["p4", "p3", "p2", "p1", "p0"]
    assert await listed(site, "?service=orders") == ["p3", "p1"]
    seen, query = [], f"{PATH}?limit=2"
    while query:
        _, document = await site.get(query)
        seen += [one["id"] for one in document["producers"]]
        cursor = document["next_cursor"]
        query = f"{PATH}?limit=2&cursor={cursor}" if cursor else ""
    assert seen == ["p4", "p3", "p2", "p1", "p0"]


async def test_what_is_no_parameter_or_no_cursor_of_it_is_refused(site: Site) -> None:
    await site.send()
    await site.send()
    for query in ("?host=web-3", "?limit=0", "?cursor=nonsense"):
        status, document = await site.get(f"{PATH}{query}")
        assert (status, document["error"]["code"]) == (400, "VALIDATION_FAILED"), query
    _, events = await site.get("/api/v1/events?limit=1")
    assert (await site.get(f"{PATH}?cursor={events['next_cursor']}"))[0] == 400


async def test_producers_with_odd_names_are_paged_like_all_others(site: Site) -> None:
    names = ["\n", "\u202e" * 200, "\N{FACE WITH TEARS OF JOY}" * 200, "\x01" * 200, "plain"]
    for name in names:
        await site.send(producer_id=name, sequence=1)
    found, cursor = [], ""
    for _ in names:
        status, document = await site.get(f"{PATH}?limit=1{cursor}")
        assert status == 200, document
        found += [one["id"] for one in document["producers"]]
        cursor = f"&cursor={document['next_cursor']}"
    assert found == names[::-1]


async def test_services_are_listed_by_what_their_processes_add_up_to(site: Site) -> None:
    await site.send(producer_id="p1", sequence=3, service="billing")
    sdk = {"name": "faultwire", "version": "1.4"}
    lost = [{"reason": "buffer_full", "count": 2, "from": 1, "to": 2}]
    await send_report(site, "p2", 5, sdk=sdk, lost=lost, spool_depth=4)
    await site.send(producer_id="p3", sequence=1, service="orders")
    site.clock.advance(91)
    await site.send(producer_id="p4", sequence=1, service="orders")
    status, document = await site.get(f"{PATH}/services")
    assert (status, list(document)) == (200, ["services", "next_cursor"])
    orders, billing = document["services"]
    assert (orders["state"], orders["state_reason"], orders["processes"], orders["quiet"]) == (
        "reports",
        "heard",
        2,
        1,
    )
    assert (billing["state"], billing["state_reason"]) == ("quiet", "on_its_disk")
    assert (billing["numbered"], billing["missing"], billing["lost"]) == (8, 5, {"buffer_full": 2})
    assert (billing["sdks"], billing["spool_depth"]) == (["faultwire 1.4"], 4)
    _, first = await site.get(f"{PATH}/services?limit=1")
    _, rest = await site.get(f"{PATH}/services?limit=1&cursor={first['next_cursor']}")
    assert [one["service"] for one in first["services"] + rest["services"]] == ["orders", "billing"]
    assert (await site.get(f"{PATH}/services?cursor=nonsense"))[0] == 400


async def test_what_the_gateway_reports_of_an_sdk_is_listed_with_its_service(site: Site) -> None:
    lost = [{"reason": "ratelimit_backoff (error)", "count": 64, "from": 0, "to": 0}]
    dropped = [{"kind": "session", "count": 40}, {"kind": "transaction", "count": 7}]
    sdk = {"name": "sentry.python", "version": "2.75.0"}
    said: dict[str, Any] = {"lost": lost, "dropped": dropped, "sdk": sdk, "via": "gateway"}
    await send_report(site, "gateway-edge-1-5d0c-1", 0, **said, unnumbered=12)
    _, document = await site.get(f"{PATH}/services")
    (service,) = document["services"]
    counts = {"session": 40, "transaction": 7}
    assert (service["processes"], service["numbered"], service["unnumbered"]) == (0, 0, 12)
    assert (service["missing"], service["lost"]) == (0, {"ratelimit_backoff (error)": 64})
    assert (service["dropped"], service["sdks"]) == (counts, ["sentry.python 2.75.0"])
    assert service["clients"] == [
        {
            "sdk": "sentry.python 2.75.0",
            "via": "gateway",
            "last_seen_at": service["last_seen_at"],
            "processes": 0,
            "numbered": 0,
            "unnumbered": 12,
            "dropped": counts,
            "lost": {"ratelimit_backoff (error)": 64},
        }
    ]
    _, document = await site.get(PATH)
    (producer,) = document["producers"]
    assert (producer["via"], producer["unnumbered"], producer["dropped"]) == ("gateway", 12, counts)
    site.clock.advance(91)
    _, document = await site.get(f"{PATH}/services")
    assert document["services"][0]["state"] == "settled", "what an SDK does not say it does not owe"

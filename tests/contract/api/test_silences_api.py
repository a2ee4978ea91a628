"""Silences by the API: made, listed, shown, ended and resumed, each by whom and why."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.contract.api.conftest import Site, serve
from tests.contract.api.test_tokens import ada
from tests.tools.clock import FixedClock

from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import silences
from faultwire_consumer.store.silences.hits import record_hits

PATH = "/api/v1/silences"
ASKED = {"where": {"service": ["bill*"]}, "comment": "deploy", "for_seconds": 3600}


async def make(site: Site, **asked: Any) -> Any:
    status, document = await site.post(PATH, json=ASKED | asked)
    assert status == 200, document
    return document["silence"]


async def test_a_silence_is_made_listed_shown_ended_and_resumed(site: Site) -> None:
    window = {"weekdays": ["monday"], "start": "11:00", "end": "13:30", "zone": "Europe/Berlin"}
    made = await make(site, weekly=[window], actor="ana")
    assert (made["id"], made["state"], made["author"], made["hits"]) == (1, "active", "ana", 0)
    assert made["changes_at"] == "2026-11-23T12:30:00Z"
    assert made["ends_at"] == "2026-11-23T13:00:00Z"
    assert made["where"] == {"service": ["bill*"]}
    assert made["described"] == "service bill*; Mon 11:00 to 13:30 Europe/Berlin"
    status, listed = await site.get(PATH)
    assert (status, listed) == (200, {"silences": [made], "next_cursor": None})
    status, answer = await site.post(f"{PATH}/1/end", json={"actor": "ben", "note": "through"})
    assert (status, answer["outcome"], answer["silence"]["state"]) == (200, "ended", "ended")
    assert (answer["silence"]["ended_by"], answer["silence"]["changes_at"]) == ("ben", None)
    assert (await site.post(f"{PATH}/1/end"))[1]["outcome"] == "unchanged"
    assert (await site.post(f"{PATH}/1/resume"))[1]["outcome"] == "resumed"
    status, shown = await site.get(f"{PATH}/1")
    assert status == 200
    assert [(one["action"], one["actor"], one["note"]) for one in shown["history"]] == [
        ("resumed", "api", ""),
        ("ended", "ben", "through"),
        ("created", "ana", "deploy"),
    ]
    audit = await list_audit(site.store, AuditFilter(), limit=10)
    assert [(one.object, one.detail) for one in audit.rows] == [
        ("silences/1", "resumed"),
        ("silences/1", "ended"),
        ("silences/1", "created"),
    ]


async def test_what_it_hid_is_shown_by_incident(site: Site) -> None:
    await site.send(text="first")
    made = await make(site)
    async with site.store.write() as tx:
        await record_hits(tx, {made["id"]: {1: 3, 0: 2}}, now=site.clock())
    _, shown = await site.get(f"{PATH}/{made['id']}")
    assert shown["hits"] == 5
    assert [(one["incident_id"], one["notifications"]) for one in shown["hidden"]] == [
        ("INC-1", 3),
        (None, 2),
    ]


async def test_a_dry_run_makes_nothing(site: Site) -> None:
    status, answer = await site.post(PATH, json=ASKED | {"dry_run": True})
    assert (status, answer["outcome"], answer["silence"]["id"]) == (200, "would_create", 0)
    assert answer["foreseen"] == {
        "since": "2026-11-22T12:00:00Z",
        "looked_at": 0,
        "notifications": 0,
        "incidents": 0,
        "spared": 0,
    }
    assert (await site.get(PATH))[1]["silences"] == []
    assert (await list_audit(site.store, AuditFilter(), limit=10)).rows == ()


async def test_lists_are_filtered_by_phase_and_come_in_pages(site: Site) -> None:
    for day in (1, 2):
        start = (site.clock() + timedelta(days=day)).isoformat()
        await make(site, starts_at=start)
    await make(site)
    assert [one["id"] for one in (await site.get(f"{PATH}?phase=coming"))[1]["silences"]] == [2, 1]
    assert [one["id"] for one in (await site.get(f"{PATH}?phase=current"))[1]["silences"]] == [3]
    _, page = await site.get(f"{PATH}?limit=2")
    assert [one["id"] for one in page["silences"]] == [3, 2]
    _, page = await site.get(f"{PATH}?limit=2&cursor={page['next_cursor']}")
    assert [one["id"] for one in page["silences"]] == [1]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"where": {}}, "where"),
        ({"comment": ""}, "comment"),
        ({"for_seconds": 10}, "for_seconds"),
        ({"ends_at": "2026-11-24T00:00:00Z"}, "ends_at"),
        ({"where": {"moon": ["full"]}}, "body"),
        ({"where": {"severity": ["loud"]}}, "body"),
        ({"weekly": [{"start": "25:00", "end": "01:00"}]}, "start"),
        ({"weekly": [{"start": "22:00", "end": "01:00", "zone": "Mars"}]}, "zone"),
        ({"weekly": [{"weekdays": ["someday"], "start": "22:00", "end": "01:00"}]}, "body"),
        ({"also_critical": "yes"}, "body"),
        ({"actor": "x" * 101}, "actor"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "starts_at"),
        ({"for_seconds": None, "ends_at": "0001-01-01T00:00:00+14:00"}, "ends_at"),
    ],
)
async def test_what_no_silence_is_made_of_is_refused_by_its_field(
    site: Site, asked: dict[str, Any], field: str
) -> None:
    status, document = await site.post(PATH, json=ASKED | asked)
    assert status == 400
    assert [one["field"] for one in document["error"]["details"]["errors"]] == [field]
    assert (await site.get(PATH))[1]["silences"] == []


async def test_what_is_not_a_silence_is_not_found_and_what_is_over_is_not_resumed(site: Site) -> None:
    for name in ("7", "x", "0", "9" * 30):
        status, document = await site.post(f"{PATH}/{name}/end")
        assert (status, document["error"]["code"]) == (404, "SILENCE_NOT_FOUND")
        assert (await site.get(f"{PATH}/{name}"))[0] == 404
    made = await make(site)
    async with site.store.write() as tx:
        await tx.execute(update(silences).values(ends_at=site.clock()))
    status, document = await site.post(f"{PATH}/{made['id']}/resume")
    assert (status, document["error"]["code"]) == (409, "SILENCE_CONFLICT")


async def test_whoever_signed_in_is_the_author(store: Store, clock: FixedClock) -> None:
    async with serve(store, clock, recognisers=[ada]) as site:
        assert (await make(site))["author"] == "ada"
        status, document = await site.post(PATH, json=ASKED | {"actor": "eve"})
        assert (status, document["error"]["details"]["errors"][0]["field"]) == (400, "actor")

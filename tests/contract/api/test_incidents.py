from datetime import timedelta

import pytest
from tests.contract.api.conftest import Site

from faultwire_consumer.store.events.figures.journal import fold_journal
from faultwire_shared.event import Category, ErrorSeverity

KEYS = [
    "id",
    "service",
    "title",
    "culprit",
    "severity",
    "category",
    "code",
    "status",
    "count",
    "first_seen_at",
    "last_seen_at",
    "episode",
    "version",
    "assignee",
    "muted",
    "resolved_in",
    "acknowledged_until",
    "link",
    "users",
    "urgency",
    "growth",
    "new",
]


async def ids(site: Site, query: str = "") -> list[str]:
    status, document = await site.get(f"/api/v1/incidents?{query}")
    assert status == 200, document
    return [incident["id"] for incident in document["incidents"]]


async def test_a_list_has_exactly_the_promised_shape(site: Site) -> None:
    first = await site.send(text="bad order 17")
    await site.send(text="bad order 18")
    status, document = await site.get("/api/v1/incidents")
    assert status == 200
    assert list(document) == ["incidents", "next_cursor", "searched"]
    (incident,) = document["incidents"]
    assert list(incident) == KEYS
    assert incident["id"] == "INC-1"
    assert incident["count"] == 2
    assert incident["severity"] == "high"
    assert incident["status"] == "open"
    assert incident["episode"] == 1
    assert incident["first_seen_at"] == f"{first.occurred_at:%Y-%m-%dT%H:%M:%S}Z"
    assert document["next_cursor"] is None


async def test_filters_narrow_the_list(site: Site) -> None:
    await site.send(kind="A", service="billing", environment="staging", release="1.0")
    await site.send(kind="B", service="orders", severity=ErrorSeverity.CRITICAL, category=Category.EXTERNAL)
    await site.send(kind="C", service="orders", code="OUT_OF_STOCK", text="100% of SKU_7 gone", release="2.0")
    assert await ids(site) == ["INC-3", "INC-2", "INC-1"]
    assert await ids(site, "service=orders") == ["INC-3", "INC-2"]
    assert await ids(site, "service=orders&service=billing") == ["INC-3", "INC-2", "INC-1"]
    assert await ids(site, "severity=critical") == ["INC-2"]
    assert await ids(site, "severity=CRITICAL&severity=low") == ["INC-2"]
    assert await ids(site, "category=external") == ["INC-2"]
    assert await ids(site, "code=OUT_OF_STOCK") == ["INC-3"]
    assert await ids(site, "environment=staging") == ["INC-1"]
    assert await ids(site, "release=2.0") == ["INC-3"]
    assert await ids(site, "environment=staging&release=2.0") == []
    assert await ids(site, "status=resolved") == []
    assert await ids(site, "search=100%25 OF sku_7") == ["INC-3"]
    assert await ids(site, "search=100_ of") == []
    assert await ids(site, "service=&search=") == ["INC-3", "INC-2", "INC-1"]


async def test_time_filters_take_what_was_seen_between(site: Site) -> None:
    await site.send(kind="A")
    site.clock.advance(timedelta(hours=3))
    await site.send(kind="B")
    await site.send(kind="A")
    assert await ids(site, "since=2h") == ["INC-1", "INC-2"]
    assert await ids(site, "until=1h") == ["INC-1"]
    assert await ids(site, "since=2026-11-23T13:00:00Z&until=2026-11-23T14:00:00Z") == ["INC-1"]
    assert await ids(site, "since=2026-11-23T16:00:00+01:00") == ["INC-1", "INC-2"]
    assert await ids(site, "since=2026-11-24") == []


async def test_pages_join_without_gap_or_repetition(site: Site) -> None:
    for number in range(7):
        await site.send(kind=f"Kind{number}")
    seen: list[str] = []
    path = "/api/v1/incidents?limit=3"
    for _ in range(5):
        async with site.client.get(path) as answer:
            document = await answer.json()
            seen += [incident["id"] for incident in document["incidents"]]
            if document["next_cursor"] is None:
                assert "Link" not in answer.headers
                break
            assert answer.headers["Link"].endswith('>; rel="next"')
            path = answer.headers["Link"].partition(">")[0].lstrip("<")
    assert seen == [f"INC-{number}" for number in range(7, 0, -1)]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("severity=hgh", "severity"),
        ("status=closed", "status"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=ten", "limit"),
        ("since=sometime", "since"),
        ("cursor=nonsense", "cursor"),
        ("cursor=WyJldmVudHMiLDEsMV0", "cursor"),
        ("sevrity=high", "sevrity"),
        ("search=a%00b", "search"),
    ],
)
async def test_a_filter_that_cannot_be_is_told_by_its_field(site: Site, query: str, field: str) -> None:
    status, document = await site.get(f"/api/v1/incidents?{query}")
    assert status == 400
    error = document["error"]
    assert error["code"] == "VALIDATION_FAILED"
    assert error["details"]["field"] == field
    assert [one["field"] for one in error["details"]["errors"]] == [field]


async def test_one_incident_comes_with_its_history_and_places(site: Site) -> None:
    event = await site.send(environment="staging", release="1.0")
    await site.send(environment="production")
    await fold_journal(site.store, now=site.clock())
    _, incident = await site.get("/api/v1/incidents/INC-1")
    for path in ("inc-1", "1"):
        assert await site.get(f"/api/v1/incidents/{path}") == (200, incident)
    assert incident["environments"] == ["staging", "production"]
    assert [release["release"] for release in incident["releases"]] == ["1.0"]
    assert (incident["more_environments"], incident["more_releases"]) == (0, 0)
    (opened,) = incident["history"]
    assert opened["reason"] == "opened"
    assert opened["before"] is None
    assert opened["event_id"] == event.id


async def test_verbs_change_the_status_and_are_written_down(site: Site) -> None:
    await site.send()
    status, incident = await site.post("/api/v1/incidents/INC-1/acknowledge", json={"actor": "ada"})
    assert (status, incident["status"]) == (200, "acknowledged")
    status, incident = await site.post("/api/v1/incidents/INC-1/resolve")
    assert (status, incident["status"]) == (200, "resolved")
    assert incident["resolved_at"] is not None
    assert await ids(site, "status=resolved") == ["INC-1"]
    status, incident = await site.post("/api/v1/incidents/INC-1/reopen")
    assert (status, incident["status"], incident["resolved_at"]) == (200, "open", None)
    told = [(entry["reason"], entry["actor"]) for entry in incident["history"]]
    assert told == [("reopened", "api"), ("resolved", "api"), ("acknowledged", "ada"), ("opened", "worker")]


async def test_a_verb_twice_changes_nothing_the_second_time(site: Site) -> None:
    await site.send()
    await site.post("/api/v1/incidents/INC-1/resolve")
    status, incident = await site.post("/api/v1/incidents/INC-1/resolve")
    assert status == 200
    assert [entry["reason"] for entry in incident["history"]] == ["resolved", "opened"]


async def test_a_verb_that_does_not_fit_is_a_conflict(site: Site) -> None:
    await site.send()
    await site.post("/api/v1/incidents/INC-1/resolve")
    status, document = await site.post("/api/v1/incidents/INC-1/acknowledge")
    assert status == 409
    assert document["error"]["code"] == "INCIDENT_CONFLICT"
    assert "reopen" in document["error"]["message"]


async def test_what_occurs_after_the_resolve_regresses(site: Site) -> None:
    await site.send()
    await site.post("/api/v1/incidents/INC-1/resolve")
    event = await site.send()
    _, incident = await site.get("/api/v1/incidents/INC-1")
    assert (incident["status"], incident["episode"]) == ("open", 2)
    assert incident["history"][0]["event_id"] == event.id


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"actor": ""}', b'{"actor": "a\\nb"}', b'{"who": "x"}'])
async def test_a_body_that_says_nothing_sensible_is_refused(site: Site, body: bytes) -> None:
    await site.send()
    async with site.client.post("/api/v1/incidents/INC-1/resolve", data=body) as answer:
        assert answer.status == 400
    assert await ids(site, "status=open") == ["INC-1"]


@pytest.mark.parametrize(
    "path", ["INC-99", "INC-", "nonsense", "0", "99999999999999999999", "9" * 19, "INC-%F0%9F%92%A5"]
)
async def test_an_unknown_incident_is_a_404_for_every_route(site: Site, path: str) -> None:
    for suffix in ("", "/events"):
        status, document = await site.get(f"/api/v1/incidents/{path}{suffix}")
        assert (status, document["error"]["code"]) == (404, "INCIDENT_NOT_FOUND")
    status, document = await site.post(f"/api/v1/incidents/{path}/resolve")
    assert (status, document["error"]["code"]) == (404, "INCIDENT_NOT_FOUND")


async def test_a_query_and_parameters_hold_together(site: Site) -> None:
    await site.send(kind="A", tags={"region": "EU"}, environment="staging")
    await site.send(kind="B", service="orders", severity=ErrorSeverity.CRITICAL)
    await site.send(kind="C", service="orders", text="gateway timed out")
    assert await ids(site, "query=service:orders") == ["INC-3", "INC-2"]
    assert await ids(site, "query=service:orders&severity=critical") == ["INC-2"]
    assert await ids(site, "query=severity:%3E%3Dhigh -%22timed out%22") == ["INC-2", "INC-1"]
    assert await ids(site, "query=TIMED is:open since:1h") == ["INC-3"]
    assert await ids(site, "query=%22region:eu%22") == ["INC-1"]
    assert await ids(site, "query=env:staging&query=") == ["INC-3", "INC-2", "INC-1"]


async def test_a_wrong_query_is_told_with_its_place(site: Site) -> None:
    for path in ("incidents", "events"):
        status, document = await site.get(f"/api/v1/{path}?query=service:a severty:high")
        assert (status, document["error"]["code"]) == (400, "VALIDATION_FAILED")
        details = document["error"]["details"]
        assert (details["field"], details["column"], details["length"]) == ("query", 11, 7)
        assert "did you mean severity?" in document["error"]["message"]

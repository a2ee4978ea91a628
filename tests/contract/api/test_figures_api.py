"""Figures through the API: orders, facets, one incident's users, releases and tags, trends and totals."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update
from tests.contract.api.conftest import Site

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.store.events.figures.journal import fold_journal
from faultwire_consumer.store.events.figures.standing import pass_time
from faultwire_consumer.store.schema.events import fingerprints
from faultwire_shared.event import ErrorSeverity


async def add_up(site: Site) -> None:
    while await fold_journal(site.store, now=site.clock()):
        pass


async def listed(site: Site, query: str) -> list[str]:
    status, document = await site.get(f"/api/v1/incidents?{query}")
    assert status == 200, document
    return [one["id"] for one in document["incidents"]]


async def detail(site: Site, incident: str = "INC-1") -> Any:
    status, document = await site.get(f"/api/v1/incidents/{incident}")
    assert status == 200, document
    return document


async def test_an_incident_tells_its_users_releases_and_tags(site: Site) -> None:
    await site.send(release="1.9.0", user={"id": "1"}, tags={"region": "eu"}, host="web-1")
    await site.send(release="1.10.0", user={"id": "2"}, tags={"region": "us"}, host="web-1")
    last = await site.send(release="1.10.0", user={"id": "1"}, tags={"region": "eu"}, environment="staging")
    await site.send(user={"email": "a@b.c"}, count=40)
    await add_up(site)
    document = await detail(site)
    assert document["users"] == {"count": 3, "exact": True}
    assert [(one["release"], one["count"]) for one in document["releases"]] == [("1.9.0", 1), ("1.10.0", 2)]
    assert document["releases"][1]["last_seen_at"] == f"{last.occurred_at:%Y-%m-%dT%H:%M:%S}Z"
    assert document["environments"] == ["production", "staging"]
    tags = {tag["key"]: tag for tag in document["tags"]}
    assert tags["tag.region"]["values"] == [{"value": "eu", "count": 2}, {"value": "us", "count": 1}]
    assert tags["host"]["values"] == [{"value": "web-1", "count": 2}]
    assert tags["environment"]["values"][0] == {"value": "production", "count": 42}
    assert (document["counted_since"], document["more_releases"], document["uncounted_tags"]) == (None, 0, 0)
    assert sum(document["trend"]["24h"]) == document["count"] == 43
    assert len(document["trend"]["24h"]) == 24
    assert document["new"] is True
    (shown,) = (await site.get("/api/v1/incidents"))[1]["incidents"]
    assert shown["users"] == {"count": 3, "exact": True}
    assert shown["growth"] is None


async def test_hostile_tags_and_users_come_back_as_they_are_and_within_bounds(site: Site) -> None:
    text = "<script>{{7*7}}\u202e\x1b[31m'; DROP TABLE incidents;--"
    await site.send(tags={text: text, "long": "x" * 1000}, user={"id": text}, host=text)
    await add_up(site)
    tags = {tag["key"]: tag["values"][0]["value"] for tag in (await detail(site))["tags"]}
    assert tags[f"tag.{text}"] == tags["host"] == text
    assert tags["tag.long"] == "x" * 199 + "…"
    status, document = await site.get("/api/v1/incidents/facets")
    assert status == 200
    facets = {facet["key"]: facet["values"][0] for facet in document["facets"]}
    assert facets["host"]["value"] == facets[f"tag.{text}"]["value"] == text
    assert facets[f"tag.{text}"]["term"] == "", "no query can name such a tag"


async def test_a_tag_s_name_that_would_be_several_terms_has_none(site: Site) -> None:
    await site.send(tags={"a b:c d": "1", "plain": "two words"})
    await add_up(site)
    _, document = await site.get("/api/v1/incidents/facets")
    terms = {facet["key"]: facet["values"][0]["term"] for facet in document["facets"]}
    assert (terms["tag.a b:c d"], terms["tag.plain"]) == ("", 'tag.plain:"two words"')
    assert (await site.page("/"))[0] == 200


async def test_a_name_that_no_query_can_ask_for_is_counted_and_leads_nowhere(site: Site) -> None:
    name = "billing\x1b[31m"
    await site.send(service=name, environment=name, release=name)
    await add_up(site)
    status, document = await site.get("/api/v1/incidents/facets")
    assert status == 200
    facets = {facet["key"]: facet["values"][0] for facet in document["facets"]}
    for key in ("service", "environment", "release"):
        assert (facets[key]["value"], facets[key]["term"]) == (name, "")
    assert (await site.page("/"))[0] == 200


async def fill_orders(site: Site) -> None:
    await site.send(kind="A", severity=ErrorSeverity.CRITICAL)
    await site.send(kind="B", severity=ErrorSeverity.LOW, count=500, user={"id": "1"})
    for user in range(3):
        await site.send(kind="C", severity=ErrorSeverity.MEDIUM, user={"id": str(user)})
    await site.send(kind="D", severity=ErrorSeverity.HIGH)
    await site.post("/api/v1/incidents/INC-4/acknowledge")
    await add_up(site)


async def test_a_list_has_six_orders(site: Site) -> None:
    await fill_orders(site)
    assert await listed(site, "") == await listed(site, "sort=last") == ["INC-4", "INC-3", "INC-2", "INC-1"]
    assert await listed(site, "sort=urgent") == ["INC-1", "INC-3", "INC-2", "INC-4"]
    assert await listed(site, "sort=first") == ["INC-4", "INC-3", "INC-2", "INC-1"]
    assert await listed(site, "sort=COUNT") == ["INC-2", "INC-3", "INC-4", "INC-1"]
    assert await listed(site, "sort=users") == ["INC-3", "INC-2", "INC-4", "INC-1"]
    assert await listed(site, "sort=growth") == ["INC-4", "INC-3", "INC-2", "INC-1"]
    assert await listed(site, "sort=urgent&status=open&severity=low") == ["INC-2"]
    status, document = await site.get("/api/v1/incidents?sort=urgnt")
    assert status == 400
    assert "did you mean urgent?" in str(document)


@pytest.mark.parametrize("order", IncidentOrder)
async def test_pages_of_an_order_fit_together_also_among_equals(site: Site, order: IncidentOrder) -> None:
    for number in range(9):
        await site.send(kind=f"K{'abcdefghi'[number]}", count=1 + number % 3, user={"id": str(number % 2)})
    await add_up(site)
    whole = await listed(site, f"sort={order}&limit=100")
    assert len(whole) == 9
    pages: list[str] = []
    cursor = ""
    for _ in range(5):
        document = (await site.get(f"/api/v1/incidents?sort={order}&limit=2{cursor}"))[1]
        pages += [one["id"] for one in document["incidents"]]
        if document["next_cursor"] is None:
            break
        cursor = f"&cursor={document['next_cursor']}"
    assert pages == whole
    other = IncidentOrder.COUNT if order is not IncidentOrder.COUNT else IncidentOrder.URGENT
    status, document = await site.get(f"/api/v1/incidents?sort={other}{cursor}")
    assert status == 400
    assert "the cursor belongs to another list" in str(document)


@pytest.mark.parametrize("cursor", ["x", "WyJpbmNpZGVudHMgYnkgY291bnQiLFstMSwtMSwtMV1d", quote("é")])
async def test_a_cursor_that_no_list_gave_is_refused(site: Site, cursor: str) -> None:
    status, document = await site.get(f"/api/v1/incidents?sort=count&cursor={cursor}")
    assert status == 400, document


async def test_facets_count_incidents_and_each_term_narrows_the_list_to_its_number(site: Site) -> None:
    await fill_orders(site)
    await site.send(kind="E", service="a b", environment="staging", release="2.0", tags={"region": "eu"})
    await site.send(kind="E", service="a b", environment="staging", release="2.0", tags={"region": "us"})
    await add_up(site)
    status, document = await site.get("/api/v1/incidents/facets")
    assert status == 200, document
    assert (document["incidents"], document["complete"]) == (5, True)
    facets: Mapping[str, Any] = {facet["key"]: facet["values"] for facet in document["facets"]}
    assert [(one["value"], one["count"]) for one in facets["severity"]] == [
        ("high", 2),
        ("low", 1),
        ("medium", 1),
        ("critical", 1),
    ]
    assert [(one["value"], one["count"]) for one in facets["status"]] == [("open", 4), ("acknowledged", 1)]
    assert [(one["value"], one["count"]) for one in facets["tag.region"]] == [("eu", 1), ("us", 1)]
    for key in ("severity", "status", "service", "environment", "release", "tag.region"):
        for value in facets[key]:
            assert len(await listed(site, f"query={quote(value['term'])}")) == value["count"], value
    of_one = quote('service:"a b"')
    narrowed = (await site.get(f"/api/v1/incidents/facets?query={of_one}"))[1]
    assert narrowed["incidents"] == 1


async def test_a_trend_has_hours_six_hours_and_days_and_marks_of_releases(site: Site) -> None:
    await site.send(release="1.0", count=5)
    site.clock.advance(timedelta(days=3))
    later = await site.send(release="1.1", count=7)
    await add_up(site)
    status, document = await site.get("/api/v1/incidents/INC-1/trend")
    assert status == 200, document
    assert [len(document[name]) for name in ("hours", "week", "days")] == [24, 28, 30]
    assert [sum(one["count"] for one in document[name]) for name in ("hours", "week", "days")] == [7, 12, 12]
    assert document["days"][-1]["at"] == f"{later.occurred_at:%Y-%m-%d}T00:00:00Z"
    assert [one["count"] for one in document["days"][-4:]] == [5, 0, 0, 7]
    assert [one["release"] for one in document["releases"]] == ["1.0", "1.1"]
    assert (await site.get("/api/v1/incidents/INC-9/trend"))[0] == 404


async def test_totals_are_by_hour_service_and_severity(site: Site) -> None:
    await site.send(service="billing", severity=ErrorSeverity.LOW, count=3)
    await site.send(service="orders", severity=ErrorSeverity.CRITICAL)
    await add_up(site)
    status, document = await site.get("/api/v1/stats")
    assert status == 200, document
    assert (document["count"], document["counted_since"], document["other_services"]) == (4, None, 0)
    assert document["services"] == [{"service": "billing", "count": 3}, {"service": "orders", "count": 1}]
    assert document["severities"] == {"critical": 1, "low": 3}
    assert len(document["hours"]) == 24
    assert document["hours"][-1]["count"] == 4
    only = (await site.get("/api/v1/stats?service=orders&since=2h"))[1]
    assert (only["count"], len(only["hours"])) == (1, 3)
    for wrong in ("since=60d", "until=2d&since=1h"):
        assert (await site.get(f"/api/v1/stats?{wrong}"))[0] == 400


async def test_releases_are_listed_newest_first_with_the_incidents_that_began_in_them(site: Site) -> None:
    await site.send(kind="A", release="1.0")
    await site.send(kind="B", release="1.0", service="orders")
    await site.send(kind="A", release="1.1", count=4)
    await add_up(site)
    await site.post("/api/v1/incidents/INC-1/resolve")
    await site.send(kind="A", release="1.1")
    await add_up(site)
    status, document = await site.get("/api/v1/releases?service=billing")
    assert status == 200, document
    assert [
        (one["release"], one["count"], one["new_incidents"], one["regressed"]) for one in document["releases"]
    ] == [("1.1", 5, 0, 1), ("1.0", 1, 1, 0)]
    first = (await site.get("/api/v1/releases?limit=2"))[1]
    second = (await site.get(f"/api/v1/releases?limit=2&cursor={first['next_cursor']}"))[1]
    names = [(one["service"], one["release"]) for one in (*first["releases"], *second["releases"])]
    assert names == [("billing", "1.1"), ("orders", "1.0"), ("billing", "1.0")]


async def test_what_began_before_there_were_figures_says_since_when_it_is_counted(site: Site) -> None:
    await site.send(release="1.0", user={"id": "1"})
    since = site.clock()
    async with site.store.write() as tx:
        await tx.execute(update(fingerprints).values(counted_since=since))
    (before,) = (await detail(site))["releases"]
    assert (before["release"], before["count"], before["last_seen_at"]) == ("1.0", 0, None)
    await add_up(site)
    stamp = f"{since:%Y-%m-%dT%H:%M:%S}Z"
    assert (await detail(site))["counted_since"] == stamp
    assert (await site.get("/api/v1/stats"))[1]["counted_since"] == stamp
    assert (await site.get("/api/v1/releases"))[1]["counted_since"] == stamp


async def test_growth_is_told_as_a_factor_and_orders_the_list(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B")
    site.clock.advance(timedelta(days=2))
    await site.send(kind="A", count=300)
    await site.send(kind="B", count=30)
    await add_up(site)
    await pass_time(site.store, now=site.clock())
    assert await listed(site, "sort=growth") == ["INC-1", "INC-2"]
    found = await asyncio.gather(detail(site, "INC-1"), detail(site, "INC-2"))
    assert found[0]["growth"] > 9 * found[1]["growth"] > 9
    assert found[0]["new"] is False


async def test_a_merge_counts_a_user_of_both_once_and_an_unmerge_gives_each_its_own_back(site: Site) -> None:
    for kind, users in (("A", "12"), ("B", "23")):
        for user in users:
            await site.send(kind=kind, user={"id": user}, release=f"1.{kind}", tags={"kind": kind})
    await add_up(site)
    status, document = await site.post("/api/v1/incidents/INC-2/merge", json={"into": "INC-1"})
    assert status == 200, document
    whole = await detail(site)
    assert whole["users"] == {"count": 3, "exact": True}
    assert [one["release"] for one in whole["releases"]] == ["1.A", "1.B"]
    assert next(one for one in whole["tags"] if one["key"] == "tag.kind")["values"] == [
        {"value": "A", "count": 2},
        {"value": "B", "count": 2},
    ]
    assert await listed(site, "sort=users") == ["INC-1"]
    status, document = await site.post("/api/v1/incidents/INC-2/unmerge")
    assert status == 200, document
    for incident, release in (("INC-1", "1.A"), ("INC-2", "1.B")):
        own = await detail(site, incident)
        assert own["users"] == {"count": 2, "exact": True}
        assert [one["release"] for one in own["releases"]] == [release]
    assert sorted(await listed(site, "sort=first")) == ["INC-1", "INC-2"]

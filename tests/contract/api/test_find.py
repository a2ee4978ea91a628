"""Finding by what any kept event says, and where an id of any kind leads."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import insert
from tests.contract.api.conftest import Site

from faultwire_consumer.store.schema.search import search_fill

TRACE = "8fa6b0c1d2e3f4a58fa6b0c1d2e3f4a5"


async def found(site: Site, what: str, query: str) -> list[str]:
    status, document = await site.get(f"/api/v1/{what}?{urlencode({'query': query})}")
    assert status == 200, document
    assert document["searched"]["events"] == "kept"
    return [one["id"] for one in document[what]]


async def test_the_text_of_every_kept_event_is_searched_and_each_event_by_its_own(site: Site) -> None:
    """The incident's first event says nothing of it: F1 of the operators' findings."""
    first = await site.send(text="gateway refused order 90080")
    newest = await site.send(text="gateway refused order 90108")
    assert await found(site, "incidents", '"order 90108"') == ["INC-1"]
    assert await found(site, "events", '"gateway refused order 90080"') == [first.id]
    assert await found(site, "events", '"order 90108"') == [newest.id]
    assert await found(site, "events", '"gateway refused"') == [newest.id, first.id]
    assert await found(site, "events", '-"order 90080"') == [newest.id]


async def test_user_trace_tag_type_and_host_are_keys(site: Site) -> None:
    await site.send(kind="A", user={"id": 7}, host="web-1")
    event = await site.send(
        kind="A",
        user={"id": 1018, "email": "ada@x.org"},
        tags={"region": "eu", "retry": True},
        host="web-2",
        trace_id=TRACE,
    )
    other = await site.send(kind="B", tags={"region": "us"})
    for query in (
        *("user:1018", "user:ada@*", f"trace:{TRACE}", f"trace:{TRACE.upper()}", f"trace:{TRACE[:8]}*"),
        *("tag.region:eu", "tag.retry:true", "host:web-2", "host:*2", "type:A -user:7", TRACE),
    ):
        assert await found(site, "events", query) == [event.id], query
    for query in ("user:1018", "tag.region:eu type:A", "user:7,1018"):
        assert await found(site, "incidents", query) == ["INC-1"], query
    assert await found(site, "incidents", "user:7 host:web-2") == [], "both of one event"
    assert await found(site, "events", "tag.region:*") == [other.id, event.id]
    assert await found(site, "incidents", "-user:1018") == ["INC-2"]


async def test_a_list_says_where_its_answer_is_bounded_by_what_was_kept(site: Site) -> None:
    await site.send()
    _, document = await site.get("/api/v1/incidents?query=service:billing")
    assert document["searched"] is None
    _, document = await site.get("/api/v1/incidents?query=zanzibar")
    assert document["searched"]["complete"] is True
    assert "only counted" in document["searched"]["note"]
    async with site.store.write() as tx:
        await tx.execute(insert(search_fill).values(name="bodies"))
    _, document = await site.get("/api/v1/events?query=user:nobody")
    assert document["searched"]["complete"] is False
    assert "still being added" in document["searched"]["note"]
    _, page = await site.page("/?query=zanzibar")
    assert "whose bodies are kept" in page


async def found_by_id(site: Site, wanted: str) -> tuple[int, Any]:
    return await site.get(f"/api/v1/find?id={quote(wanted, safe='')}")


async def test_an_id_of_any_kind_leads_where_it_should(site: Site) -> None:
    event = await site.send(kind="A", user={"id": "ada"}, trace_id=TRACE)
    later = await site.send(kind="B", trace_id=TRACE)
    for wanted, kind, events, incidents in (
        (event.id, "event", [event.id], ["INC-1"]),
        ("INC-2", "incident", [], ["INC-2"]),
        (" inc-2 ", "incident", [], ["INC-2"]),
        ("2", "incident", [], ["INC-2"]),
        (TRACE.upper(), "trace", [later.id, event.id], ["INC-2", "INC-1"]),
        ("ada", "user", [event.id], ["INC-1"]),
    ):
        status, document = await found_by_id(site, wanted)
        assert status == 200, document
        assert (document["kind"], document["events"], document["incidents"]) == (kind, events, incidents)
        assert (await site.get(document["api"]))[0] == 200
        status, page = await site.page(document["page"])
        assert status == 200
        assert all(f"/incidents/{name}" in page for name in incidents) or document["id"] in page


@pytest.mark.parametrize("wanted", ["INC-9", "error_20261123_nobodyhasthisone", TRACE, "' OR 1=1 --", "*"])
async def test_an_id_that_nothing_has_is_told_with_what_was_looked_through(site: Site, wanted: str) -> None:
    await site.send(user={"id": "ada"})
    status, document = await found_by_id(site, wanted)
    assert status == 404
    assert document["error"]["code"] == "ID_NOT_FOUND"
    assert "no trace or user of the events whose bodies are kept" in document["error"]["message"]
    assert (await site.get("/api/v1/find"))[0] == 400


async def test_the_search_box_leads_to_what_is_named_in_full(site: Site) -> None:
    event = await site.send(text="INC-9 is older")
    for text, path in ((event.id, f"/e/{event.id}"), ("INC-1", "/incidents/INC-1")):
        async with site.client.get(f"/?query={text}&view=all", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, path)
    assert (await site.page("/?query=INC-9&view=all"))[0] == 200, "no such incident, but a text"


async def test_who_has_it_and_what_is_muted_is_asked_for(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    for number, verb, body in ((1, "assign", {"to": "ada"}), (2, "mute", {"for_seconds": 7200})):
        status, document = await site.post(f"/api/v1/incidents/INC-{number}/{verb}", json=body)
        assert status == 200, document
    for query, expected in (
        ("assigned:ada", ["INC-1"]),
        ("assigned:a*", ["INC-1"]),
        ("-assigned:ada", ["INC-3", "INC-2"]),
        ("is:assigned", ["INC-1"]),
        ("is:unassigned", ["INC-3", "INC-2"]),
        ("is:muted", ["INC-2"]),
        ("-is:muted is:unresolved", ["INC-3", "INC-1"]),
    ):
        _, document = await site.get(f"/api/v1/incidents?{urlencode({'query': query})}")
        assert [one["id"] for one in document["incidents"]] == expected, query


async def test_filters_take_patterns_as_a_query_does(site: Site) -> None:
    await site.send(kind="A", service="svc-a", code="X1")
    await site.send(kind="B", service="other", code="X2")
    for query, expected in (
        ("service=svc-*", ["INC-1"]),
        ("code=X*", ["INC-2", "INC-1"]),
        ("query=service:*th*", ["INC-2"]),
        ("query=-service:svc-*", ["INC-2"]),
        ('query=service:"svc-*"', []),
        ("since=yesterday", ["INC-2", "INC-1"]),
    ):
        _, document = await site.get(f"/api/v1/incidents?{query}")
        assert [one["id"] for one in document["incidents"]] == expected, query

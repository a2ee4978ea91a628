import json

import msgspec
import pytest
from tests.contract.api.conftest import Site, make_event
from tests.tools.factories import wire_event
from tests.tools.secret import CANARY

from faultwire_shared import codec
from faultwire_shared.event import ErrorSeverity


async def listed(site: Site, path: str) -> list[str]:
    status, document = await site.get(path)
    assert status == 200, document
    assert list(document) == ["events", "next_cursor", "searched"]
    return [event["id"] for event in document["events"]]


async def test_an_event_comes_as_on_the_wire_with_its_incident(site: Site) -> None:
    context = {"order": 17, "big": 2**70, "deep": {"x": [1.5, None]}}
    event = await site.send(context=context, scrubbed=True)
    status, document = await site.get(f"/api/v1/events/{event.id}")
    assert status == 200
    assert document.pop("incident_id") == "INC-1"
    assert document.pop("received_at") == f"{site.clock():%Y-%m-%dT%H:%M:%S}Z"
    assert document == msgspec.json.decode(codec.encode(event))


async def test_local_variables_are_kept_scrubbed_and_told_as_they_were_sent(site: Site) -> None:
    variables = {
        "order": {"id": 17, "token": CANARY},
        "text": "a\x00b \ud83d\ude00",
        "none": None,
        "many": [1, 2.5],
    }
    frame = {"qualname": "pay", "vars": variables}
    body = wire_event(now=site.clock(), exceptions=[{"type": "E", "frames": [frame]}])
    await site.send_body(json.dumps(body).encode())
    _, event = await site.get(f"/api/v1/events/{body['id']}")
    (told,) = event["exceptions"][0]["frames"]
    assert told["vars"] == variables | {
        "order": {"id": 17, "token": "[scrubbed]"},
        "text": "a\x00b \U0001f600",
    }
    async with site.client.get(f"/api/v1/events/{body['id']}/report") as answer:
        assert 'order = {"id": 17, "token": "[scrubbed]"}' in await answer.text()


async def test_fields_of_a_later_version_are_kept(site: Site) -> None:
    event = make_event(site.clock)
    body = codec.encode(event)[:-1] + b',"from_the_future":{"a":[1]}}'
    await site.send_body(body)
    _, document = await site.get(f"/api/v1/events/{event.id}")
    assert document["from_the_future"] == {"a": [1]}


async def test_an_event_of_a_wrong_clock_is_found_in_quarantine(site: Site) -> None:
    event = make_event(site.clock)
    wrong = msgspec.structs.replace(event, id="error_20010101_aaaaaaaaaaaaaaaa")
    await site.send_body(codec.encode(wrong))
    status, document = await site.get(f"/api/v1/events/{wrong.id}")
    assert (status, document["id"]) == (200, wrong.id)


@pytest.mark.parametrize(
    "event_id", ["error_20261123_aaaaaaaaaaaaaaaa", "error_20261399_aaaaaaaa", "x", "%00"]
)
async def test_an_unknown_event_is_a_404(site: Site, event_id: str) -> None:
    for suffix in ("", "/grouping"):
        status, document = await site.get(f"/api/v1/events/{event_id}{suffix}")
        assert (status, document["error"]["code"]) == (404, "EVENT_NOT_FOUND")


async def test_events_are_listed_newest_first_and_filtered(site: Site) -> None:
    first = await site.send(kind="A", environment="staging", release="1.0")
    second = await site.send(kind="B", service="orders", severity=ErrorSeverity.LOW)
    third = await site.send(kind="A")
    assert await listed(site, "/api/v1/events") == [third.id, second.id, first.id]
    assert await listed(site, "/api/v1/events?service=orders") == [second.id]
    assert await listed(site, "/api/v1/events?severity=low") == [second.id]
    assert await listed(site, "/api/v1/events?environment=staging") == [first.id]
    assert await listed(site, "/api/v1/events?release=1.0") == [first.id]
    assert await listed(site, "/api/v1/events?incident=INC-1") == [third.id, first.id]
    assert await listed(site, "/api/v1/incidents/INC-1/events") == [third.id, first.id]
    since = f"{second.occurred_at:%Y-%m-%dT%H:%M:%S}Z"
    assert await listed(site, f"/api/v1/events?since={since}") == [third.id, second.id]
    assert await listed(site, f"/api/v1/events?until={since}") == [second.id, first.id]


@pytest.mark.parametrize("path", ["/api/v1/events?", "/api/v1/incidents/INC-1/events?"])
async def test_event_pages_join(site: Site, path: str) -> None:
    sent = [(await site.send()).id for _ in range(5)]
    _, first = await site.get(f"{path}limit=3")
    _, second = await site.get(f"{path}limit=3&cursor={first['next_cursor']}")
    assert [event["id"] for page in (first, second) for event in page["events"]] == sent[::-1]
    assert second["next_cursor"] is None


async def test_why_an_event_is_where_it_is(site: Site) -> None:
    event = await site.send(kind="CardError")
    _, grouping = await site.get(f"/api/v1/events/{event.id}/grouping")
    assert grouping["incident_id"] == "INC-1"
    assert grouping["event_id"] == event.id
    assert any("CardError" in part for part in grouping["parts"])


async def test_what_could_not_be_stored_is_listed_with_its_reason(site: Site) -> None:
    await site.send_body(b'{"id": "error_20261123_abcdefgh", "schema_version": 1, "occurred_at": 5}')
    await site.send_body(b"\xff{nope")
    await site.send_body(b"\xff{nope")
    status, document = await site.get("/api/v1/dead-letters")
    assert status == 200
    newest, oldest = document["dead_letters"]
    keys = ["id", "reason", "detail", "first_seen_at", "attempts", "event_id", "origin", "status", "service"]
    assert list(newest) == keys
    assert newest["attempts"] == 2
    assert oldest["event_id"] == "error_20261123_abcdefgh"
    assert oldest["origin"] == "http"
    _, letter = await site.get(f"/api/v1/dead-letters/{newest['id']}")
    assert letter["body"] == "\\xff{nope"
    _, first = await site.get("/api/v1/dead-letters?limit=1")
    _, second = await site.get(f"/api/v1/dead-letters?limit=1&cursor={first['next_cursor']}")
    assert [one["dead_letters"][0]["id"] for one in (first, second)] == [newest["id"], oldest["id"]]


@pytest.mark.parametrize("letter_id", ["99", "x", "INC-1", "²"])
async def test_an_unknown_dead_letter_is_a_404(site: Site, letter_id: str) -> None:
    status, document = await site.get(f"/api/v1/dead-letters/{letter_id}")
    assert (status, document["error"]["code"]) == (404, "DEAD_LETTER_NOT_FOUND")


async def test_events_are_found_by_the_query_that_finds_their_incidents(site: Site) -> None:
    first = await site.send(kind="A", text="disk full", code="DISK_FULL")
    second = await site.send(kind="B", service="orders")
    assert await listed(site, "/api/v1/events?query=code:DISK_FULL") == [first.id]
    assert await listed(site, "/api/v1/events?query=%22Disk F%22") == [first.id]
    assert await listed(site, "/api/v1/events?query=-code:DISK_FULL since:1h") == [second.id]
    assert await listed(site, f"/api/v1/events?query={second.id}") == [second.id]
    assert await listed(site, f"/api/v1/events?query={second.id}&service=billing") == []


async def test_each_event_of_a_list_says_its_own_message(site: Site) -> None:
    first = await site.send(text="order 17 is bad\nand more")
    second = await site.send(text="order 18 is bad" + "x" * 500)
    raised = await site.send(message="", text="only the exception says it")
    _, document = await site.get("/api/v1/events?service=billing&limit=10")
    told = {event["id"]: event["message"] for event in document["events"]}
    assert told[first.id] == "order 17 is bad"
    assert told[second.id] == "order 18 is bad" + "x" * 184 + "…"
    assert told[raised.id] == "only the exception says it"
    titles = {event["id"]: event["title"] for event in document["events"]}
    assert titles[first.id] == titles[second.id]


async def test_messages_of_many_pages_and_of_quarantine_are_found(site: Site) -> None:
    sent = [await site.send(text=f"order {number} is bad") for number in range(120)]
    wrong = msgspec.structs.replace(
        make_event(site.clock, text="long ago"), id="error_20010101_aaaaaaaaaaaaaaaa"
    )
    await site.send_body(codec.encode(wrong))
    _, document = await site.get("/api/v1/events?limit=1000")
    told = {event["id"]: event["message"] for event in document["events"]}
    assert told == {event.id: event.message for event in (*sent, wrong)}


async def test_the_events_beside_one_are_those_of_its_incident_as_they_occurred(site: Site) -> None:
    first = await site.send(text="order 1")
    await site.send(kind="Other")
    middle = await site.send(text="order 2")
    last = await site.send(text="order 3")
    status, beside = await site.get(f"/api/v1/events/{middle.id}/neighbours")
    assert status == 200
    assert beside == {
        "id": middle.id,
        "incident_id": "INC-1",
        "first": {"id": first.id, "body_kept": True},
        "previous": {"id": first.id, "body_kept": True},
        "next": {"id": last.id, "body_kept": True},
        "last": {"id": last.id, "body_kept": True},
    }
    _, edge = await site.get(f"/api/v1/events/{first.id}/neighbours")
    assert (edge["previous"], edge["next"]["id"]) == (None, middle.id)
    status, _ = await site.get("/api/v1/events/error_20261123_aaaaaaaaaaaaaaaa/neighbours")
    assert status == 404

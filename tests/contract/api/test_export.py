"""Events as JSON lines, over both databases."""

import json
from typing import Any

import pytest
from sqlalchemy import update
from tests.contract.api.conftest import Site, make_event

from faultwire_consumer.store.schema.events import events
from faultwire_shared import codec

EXPORT = "/api/v1/events/export"


async def lines(site: Site, query: str = "") -> tuple[list[dict[str, Any]], Any]:
    async with site.client.get(f"{EXPORT}?{query}") as answer:
        assert (answer.status, answer.content_type) == (200, "application/x-ndjson")
        return [json.loads(line) for line in (await answer.read()).splitlines()], answer.headers


async def drop_body(site: Site, event_id: str) -> None:
    async with site.store.write() as tx:
        await tx.execute(update(events).where(events.c.event_id == event_id).values(doc=None))


async def test_every_event_comes_once_as_it_was_published_in_the_order_of_arrival(site: Site) -> None:
    sent = [await site.send(text=f"number {number}", scrubbed=True) for number in range(5)]
    found: list[dict[str, Any]] = []
    cursor, pages = "", 0
    while True:
        page, headers = await lines(site, f"limit=2{cursor}")
        found, pages = found + page, pages + 1
        if "X-Next-Cursor" not in headers:
            break
        cursor = f"&cursor={headers['X-Next-Cursor']}"
        assert f"cursor={headers['X-Next-Cursor']}" in headers["Link"]
    assert (found, pages) == ([json.loads(codec.encode(event)) for event in sent], 3)


async def test_events_of_one_moment_are_neither_lost_nor_doubled_between_pages(site: Site) -> None:
    ids = set()
    for number in range(450):
        event = make_event(site.clock, kind=f"Kind{number % 3}")
        ids.add(event.id)
        await site.send_body(codec.encode(event))
    found: list[str] = []
    left_out = 0
    query = "limit=200"
    while query:
        page, headers = await lines(site, query)
        found += [event["id"] for event in page]
        left_out += int(headers["X-Left-Out"])
        following = headers.get("X-Next-Cursor")
        query = f"limit=200&cursor={following}" if following else ""
    assert (len(set(found)), set(found) <= ids) == (len(found), True)
    assert len(found) > 200
    assert len(found) + left_out == len(ids)


async def test_a_body_of_several_lines_is_one(site: Site) -> None:
    event = json.loads(codec.encode(make_event(site.clock, text="two\nlines", scrubbed=True)))
    await site.send_body(json.dumps(event, indent=2).replace("\n", "\r\n").encode())
    (found,), _ = await lines(site)
    assert found == event


async def test_what_was_kept_without_its_body_is_left_out_and_counted(site: Site) -> None:
    sent = [await site.send(text=f"number {number}") for number in range(4)]
    await drop_body(site, sent[1].id)
    await drop_body(site, sent[3].id)
    found, headers = await lines(site)
    assert [event["id"] for event in found] == [sent[0].id, sent[2].id]
    assert (headers["X-Left-Out"], headers.get("X-Next-Cursor")) == ("2", None)


async def test_filters_choose_what_is_exported(site: Site) -> None:
    await site.send(service="shop")
    billing = await site.send(service="billing", kind="KeyError")
    found, _ = await lines(site, "service=billing&severity=high&since=1h")
    assert [event["id"] for event in found] == [billing.id]


@pytest.mark.parametrize("query", ["cursor=bogus", "limit=1001", "sevice=x", "since=sometime"])
async def test_a_request_that_cannot_be_is_told(query: str, site: Site) -> None:
    status, answer = await site.get(f"{EXPORT}?{query}")
    assert (status, answer["error"]["code"]) == (400, "VALIDATION_FAILED")

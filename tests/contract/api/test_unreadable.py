"""Bodies that are read with care, and bodies that an earlier release stored and no decoder reads any more."""

import json
from typing import Any

import pytest
from sqlalchemy import update
from tests.contract.api.conftest import Site
from tests.tools.factories import wire_event

from faultwire_consumer.store.contract.packed_body import MAGIC
from faultwire_consumer.store.schema.events import events

UNREADABLE = ["1e400", "9" * 5_000]
LARGE = 2**70


def body_with(site: Site, number: str, **fields: Any) -> tuple[str, bytes]:
    event = wire_event(now=site.clock(), context={"n": "NUMBER"}, **fields)
    return event["id"], json.dumps(event).encode().replace(b'"NUMBER"', number.encode())


@pytest.mark.parametrize("scrubbed", [True, False])
@pytest.mark.parametrize("number", UNREADABLE)
async def test_a_number_that_no_decoder_reads_is_a_dead_letter(
    site: Site, number: str, scrubbed: bool
) -> None:
    event_id, body = body_with(site, number, scrubbed=scrubbed)
    await site.send_body(body)
    status, document = await site.get("/api/v1/dead-letters")
    assert status == 200
    (letter,) = document["dead_letters"]
    assert (letter["reason"], letter["event_id"]) == ("invalid_event", event_id)
    assert (await site.get(f"/api/v1/dead-letters/{letter['id']}"))[0] == 200
    assert (await site.get(f"/api/v1/events/{event_id}"))[0] == 404


@pytest.mark.parametrize("field", ["id", "severity", "schema_version", "count", "sequence"])
@pytest.mark.parametrize("number", UNREADABLE)
async def test_such_a_number_in_any_field_is_a_dead_letter_too(site: Site, field: str, number: str) -> None:
    body = json.dumps(wire_event(now=site.clock()) | {field: "NUMBER"}).encode()
    await site.send_body(body.replace(b'"NUMBER"', number.encode()))
    _, document = await site.get("/api/v1/dead-letters")
    assert len(document["dead_letters"]) == 1


@pytest.mark.parametrize("scrubbed", [True, False])
async def test_an_integer_beyond_64_bits_is_shown_as_it_came(site: Site, scrubbed: bool) -> None:
    event_id, body = body_with(site, str(LARGE), scrubbed=scrubbed, tags={"big": LARGE})
    await site.send_body(body)
    status, document = await site.get(f"/api/v1/events/{event_id}")
    assert (status, document["context"], document["tags"]) == (200, {"n": LARGE}, {"big": LARGE})
    status, page = await site.page(f"/e/{event_id}")
    assert status == 200
    assert str(LARGE) in page


@pytest.mark.parametrize("number", UNREADABLE)
async def test_what_was_stored_and_cannot_be_read_is_shown_as_a_text(site: Site, number: str) -> None:
    event = await site.send()
    _, body = body_with(site, number)
    async with site.store.write() as tx:
        await tx.execute(update(events).values(doc=body))
    status, document = await site.get(f"/api/v1/events/{event.id}")
    assert status == 200, document
    assert (document["id"], document["service"], document["text"]) == (event.id, "billing", body.decode())
    assert document["unreadable"].startswith("invalid_event")
    assert (await site.page(f"/e/{event.id}"))[0] == 200
    assert (await site.page("/incidents/INC-1"))[0] == 200


async def test_what_is_damaged_in_the_store_is_said_to_be_and_an_export_passes_it_over(site: Site) -> None:
    event, other = await site.send(), await site.send()
    async with site.store.write() as tx:
        await tx.execute(update(events).where(events.c.event_id == event.id).values(doc=MAGIC + b"cut"))
    status, document = await site.get(f"/api/v1/events/{event.id}")
    assert (status, document["id"], document["service"]) == (200, event.id, "billing")
    assert document["unreadable"] == "its body is damaged in the store, and cannot be unpacked"
    assert (await site.page(f"/e/{event.id}"))[0] == 200
    async with site.client.get("/api/v1/events/export") as answer:
        (line,) = (await answer.read()).splitlines()
        assert (answer.status, answer.headers["X-Left-Out"]) == (200, "1")
    assert json.loads(line)["id"] == other.id
    status, moved = await site.get("/api/v1/events/regroup")
    assert (status, moved["events"], moved["unreadable"]) == (200, 1, 1)

"""An event whose body is not kept: API, page and command say so, and lead to what can be read."""

from io import StringIO

from rich.console import Console
from tests.contract.api.conftest import Site

from faultwire_consumer.cli.event_view import show_event
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.metrics import Metrics
from faultwire_shared.event import Event


async def send_flood(site: Site) -> list[Event]:
    """Two events are kept with their bodies, one has none, and the last one's lies beside."""
    site.pipeline = Pipeline(site.store, metrics=Metrics(), clock=site.clock, bodies_per_incident=10)
    sent = [await site.send(host="a") for _ in range(2)]
    site.clock.advance(-1.2)
    return [*sent, *[await site.send(host="a") for _ in range(2)]]


async def test_the_api_gives_its_facts_and_names_what_can_be_read(site: Site) -> None:
    first, second, narrow, last = await send_flood(site)
    status, document = await site.get(f"/api/v1/events/{narrow.id}")
    assert status == 200
    assert (document["body_kept"], document["service"], document["count"]) == (False, "billing", 1)
    assert document["kept_events"] == {"first": first.id, "last": last.id, "nearest": second.id}
    for one in (first, second, last):
        assert "kept_events" not in (await site.get(f"/api/v1/events/{one.id}"))[1]


async def test_lists_mark_it(site: Site) -> None:
    sent = await send_flood(site)
    _, document = await site.get("/api/v1/events")
    kept = {event["id"]: event["body_kept"] for event in document["events"]}
    assert [kept[one.id] for one in sent] == [True, True, False, True]


async def test_its_page_says_so_and_links_to_others(site: Site) -> None:
    first, _, narrow, last = await send_flood(site)
    status, page = await site.page(f"/e/{narrow.id}")
    assert status == 200
    assert "its body is not kept" in page
    assert f'href="/e/{first.id}"' in page
    assert f'href="/e/{last.id}"' in page


async def test_the_incident_s_page_marks_it_and_shows_one_that_can_be_read(site: Site) -> None:
    *_, last = await send_flood(site)
    _, page = await site.page("/incidents/INC-1")
    assert page.count("counted, no body") == 1
    assert "shop/app.py:7" in page
    assert f"<code>{last.id}</code>" in page


async def test_the_command_says_so_and_names_others(site: Site) -> None:
    first, second, narrow, _ = await send_flood(site)
    _, document = await site.get(f"/api/v1/events/{narrow.id}")
    written = StringIO()
    show_event(document, Console(file=written, width=200))
    assert "its body is not kept" in written.getvalue()
    assert f"nearest kept   {second.id}" in written.getvalue()
    assert first.id in written.getvalue()

"""Reports by the API: an incident, an event and a comparison as Markdown, on both databases."""

import pytest
from tests.contract.api.conftest import Site


async def report_of(site: Site, path: str) -> str:
    async with site.client.get(f"/api/v1/{path}") as answer:
        text = await answer.text()
        assert answer.status == 200, text
        assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
        return text


async def test_an_incident_is_reported_with_the_newest_event_that_can_be_read(site: Site) -> None:
    await site.send(text="order 17", breadcrumbs=[{"message": "GET /pay"}])
    newest = await site.send(text="order 18", environment="staging", user={"id": "42"})
    report = await report_of(site, "incidents/INC-1/report")
    assert report.startswith("# INC-1: `ValueError: order 17`")
    assert "High, open: 2 events of service `billing`" in report
    assert f"Of event `{newest.id}`." in report
    assert "shop.ValueError: order 18" in report
    assert "`production`, `staging`" in report
    assert "## Why its events are one" in report
    assert "opened by `worker`" in report


async def test_an_event_is_reported_by_its_id(site: Site) -> None:
    event = await site.send(text="order 17", breadcrumbs=[{"message": "GET /pay"}], context={"order": 17})
    report = await report_of(site, f"events/{event.id}/report")
    assert report.startswith(f"# Event `{event.id}` of INC-1")
    assert "GET /pay" in report
    assert "order: 17" in report


async def test_two_events_are_compared(site: Site) -> None:
    one, same = await site.send(text="order 17"), await site.send(text="order 18")
    other = await site.send(kind="KeyError")
    assert "One fingerprint, so one incident: INC-1." in await report_of(
        site, f"events/{one.id}/compare/{same.id}"
    )
    told = await report_of(site, f"events/{one.id}/compare/{other.id}")
    assert "Two fingerprints, two incidents: INC-1 and INC-2." in told
    assert "+ " in told


async def test_a_report_keeps_to_the_size_that_is_asked_for(site: Site) -> None:
    await site.send(context={f"key{number}": "x" * 900 for number in range(40)})
    assert len(await report_of(site, "incidents/INC-1/report?characters=2000")) <= 2000
    assert len(await report_of(site, "incidents/INC-1/report?characters=100000")) > 20_000


@pytest.mark.parametrize("asked", ["1999", "200001", "x", "-1", "9" * 30])
async def test_a_size_out_of_bounds_is_refused_with_the_bounds(site: Site, asked: str) -> None:
    await site.send()
    status, answer = await site.get(f"/api/v1/incidents/INC-1/report?characters={asked}")
    assert status == 400
    assert answer["error"]["details"]["errors"][0]["message"] == "a number from 2000 to 200000"


@pytest.mark.parametrize(
    "path", ["incidents/INC-9/report", "events/error_20261123_aaaaaaaaaaaaaaaa/report", "events/x/compare/y"]
)
async def test_what_does_not_exist_has_no_report(site: Site, path: str) -> None:
    assert (await site.get(f"/api/v1/{path}"))[0] == 404

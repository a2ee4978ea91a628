"""What other languages' clients sent, as operators see it, on both databases."""

import json
from typing import Any

from tests.contract.api.conftest import Site
from tests.tools.factories import wire_body

API = "/api/v1"
LOST = "Cannot read properties of undefined (reading 'total')"


async def send(site: Site, *chain: dict[str, Any], **fields: Any) -> str:
    """Store an event of a browser, and return its id."""
    site.clock.advance(1)
    sdk = {"name": "sentry.javascript.browser", "version": "11.0"}
    body = wire_body(now=site.clock(), exceptions=list(chain), sdk=sdk, **fields)
    await site.send_body(body)
    return str(json.loads(body)["id"])


def thrown(kind: str, value: str, *names: str, build: str = "4f3a9c", **fields: Any) -> dict[str, Any]:
    frames = [{"file": f"/js/main.{build}.js", "qualname": name} for name in names]
    return {"type": kind, "value": value, "frames": frames} | fields


async def listed(site: Site) -> list[tuple[str, str, int]]:
    """Title, culprit and count of each incident, the first first."""
    _, page = await site.get(f"{API}/incidents")
    rows = sorted(page["incidents"], key=lambda one: int(one["id"].removeprefix("INC-")))
    return [(one["title"], one["culprit"], one["count"]) for one in rows]


async def parts_of(site: Site, event_id: str) -> list[str]:
    _, grouping = await site.get(f"{API}/events/{event_id}/grouping")
    assert grouping["version"] == 2
    return [str(part) for part in grouping["parts"]]


async def test_two_builds_of_a_page_are_one_incident_and_it_says_why(site: Site) -> None:
    first = await send(site, thrown("TypeError", LOST, "t", "e.onSubmit", "br"), release="shop@1.4.2+a")
    await send(
        site, thrown("TypeError", LOST, "n", "o.onSubmit", "Xe", build="0b1d4e"), release="shop@1.4.3+b"
    )
    await send(site, thrown("TypeError", LOST.replace("total", "items"), "t", "e.onSubmit", "br"))
    found = await listed(site)
    assert found[0] == (f"TypeError: {LOST}", "/js/main.js in onSubmit", 2)
    assert [count for *_, count in found] == [2, 1]
    parts = await parts_of(site, first)
    assert parts[-3:] == [
        "frame bundle:onSubmit",
        "text counts: the frames are a bundle's, whose names change with each build",
        "message cannot read total of undefined",
    ]
    _, page = await site.page(f"/e/{first}")
    assert "whose names change with each build" in page


async def test_a_thrown_text_is_an_incident_by_its_text_and_names_no_place(site: Site) -> None:
    made: dict[str, Any] = {"attributes": {"synthetic": True}}
    first = await send(site, thrown("Error", "no stock for 17", "report", **made))
    await send(site, thrown("Error", "no stock for 18", "other", **made))
    await send(site, thrown("Error", "no price", "report", **made))
    assert await listed(site) == [("Error: no stock for 17", "", 2), ("Error: no price", "", 1)]
    assert "text counts: what was thrown is no error, and the frames are its reporter's" in (
        await parts_of(site, first)
    )


async def test_a_message_with_a_stack_is_titled_by_its_text_and_its_frames_are_shown(site: Site) -> None:
    first = await send(site, thrown("", "cache is cold", "Object.message"), message="cache is cold")
    await send(site, message="cache is cold")
    assert await listed(site) == [("cache is cold", "", 2)]
    assert (await parts_of(site, first))[-1] == "message cache is cold"
    status, page = await site.page(f"/e/{first}")
    assert (status, "Object.message" in page, "Of the same type" in page) == (200, True, False)
    _, report = await site.get(f"{API}/events/{first}")
    assert report["exceptions"][0]["frames"][0]["qualname"] == "Object.message"

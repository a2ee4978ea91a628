"""A digest that is looked at before it is due: over the API, and on the page without a script."""

import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.test_pages import HOSTILE, outline

from faultwire_shared.event import ErrorSeverity

PATH = "/api/v1/digests/preview"

pytestmark = [
    # Both databases say the same, which tests/contract/test_digest_content.py shows.
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.may_block("the shipped policy is a file"),
]


async def test_a_preview_tells_the_digest_to_come_and_makes_none(site: Site) -> None:
    await site.send(severity=ErrorSeverity.MEDIUM, count=3)
    status, seen = await site.get(f"{PATH}?rule=medium")
    assert status == 200
    assert (seen["rule"], seen["receiver"], seen["receivers"]) == ("medium", "log", ["log"])
    assert (seen["since"], seen["due_at"]) == ("2026-11-23T09:00:00Z", "2026-11-24T09:00:00Z")
    assert seen["is_empty"] is False
    assert seen["subject"] == "Digest: 1 incident, 3 events, 1 new"
    assert "New (1):" in seen["text"]
    (section,) = seen["digest"]["sections"]
    assert [(one["id"], one["events"]) for one in section["lines"]] == [("INC-1", 3)]
    _, listed = await site.get("/api/v1/alerts?kind=digest")
    assert listed["alerts"] == []
    _, weekly = await site.get(f"{PATH}?rule=low&receiver=log")
    assert (weekly["is_empty"], weekly["digest"]["sections"]) == (True, [])


@pytest.mark.parametrize(
    ("query", "hint"), [("?rule=medum", "did you mean medium"), ("?receiver=lok", "did you mean log")]
)
async def test_a_preview_of_no_digest_is_refused_with_what_would_be_one(
    site: Site, query: str, hint: str
) -> None:
    answered, document = await site.get(f"{PATH}{query}")
    assert (answered, document["error"]["code"]) == (404, "DIGEST_RULE_NOT_FOUND")
    assert hint in document["error"]["message"]


async def test_the_page_shows_the_digest_to_come_with_links_and_without_markup_of_others(
    site: Site,
) -> None:
    await site.send(severity=ErrorSeverity.MEDIUM, text=HOSTILE, service="shop")
    _, rules = await site.page("/rules")
    assert "/rules/digest?rule=medium" in rules
    status, page = await site.page("/rules/digest?rule=medium")
    assert status == 200
    seen = outline(page)
    text = " ".join(seen.text.split())
    assert "Digest: 1 incident, 1 event, 1 new" in text
    assert HOSTILE not in page
    assert 'href="/incidents/INC-1"' in page
    assert 'href="/?query=first%3A2026-11-23T09%3A00%3A00Z' in page
    assert (await site.page("/rules/digest?rule=critical"))[0] == 404

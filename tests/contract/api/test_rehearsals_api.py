"""Rehearsals over the API and on the page: their own process, their bounds, and what they say."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.rehearsal.rehearser import RehearsalSource, Rehearser
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.event import ErrorSeverity

RULES = """
[receivers.log]
type = "log"
[rules.everything]
on = ["new"]
send = "now"
"""
_PATH = "/api/v1/rules/rehearsal"

pytestmark = pytest.mark.may_block("a zone's file is read once")


@pytest.fixture
async def place(database_url: str, store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker that rehearses."""
    rehearser = Rehearser(RehearsalSource(database_url), clock=clock)
    async with serve(store, clock, rehearser=rehearser) as site:
        yield site


async def test_a_rehearsal_says_what_would_have_been_sent_and_what_is_new_beside_the_policy_in_use(
    place: Site,
) -> None:
    await place.send(severity=ErrorSeverity.MEDIUM)
    place.clock.advance(60)
    status, report = await place.post(_PATH, {"policy": RULES, "against": "current"})
    assert status == 200, report
    assert report["tally"]["by_rule"] == [{"name": "everything", "count": 1}]
    (told,) = report["notifications"]
    assert (told["incident"], told["reason"], told["receiver"]) == ("INC-1", "new", "log")
    assert report["difference"]["new"]["notifications"] == [told]
    assert report["difference"]["missing"]["count"] == 0
    assert await place.get(_PATH) == (200, {"is_running": False, "events": 0, "total": 0})


async def test_one_rehearsal_runs_at_a_time_and_the_next_one_is_asked_to_wait(place: Site) -> None:
    answers: list[tuple[int, Any]] = await asyncio.gather(
        *(place.post(_PATH, {"policy": RULES}) for _ in range(3))
    )
    assert sorted(status for status, _ in answers) == [200, 429, 429]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"policy": "x = 1"}, "policy"),
        ({"policy": RULES, "since_seconds": 59}, "since_seconds"),
        ({"policy": RULES, "against_policy": "[rules"}, "against_policy"),
        ({"policy": RULES, "against": "current", "against_policy": RULES}, "against_policy"),
    ],
)
async def test_what_cannot_be_rehearsed_is_refused_by_its_field(
    site: Site, body: dict[str, Any], field: str
) -> None:
    status, answer = await site.post(_PATH, body)
    assert (status, answer["error"]["details"]["field"]) == (400, field)


async def test_a_worker_that_rehearses_nothing_says_so(site: Site) -> None:
    status, answer = await site.post(_PATH, {"policy": RULES})
    assert (status, answer["error"]["code"]) == (409, "REHEARSAL_FAILED")


OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}


async def press(site: Site, **fields: str) -> tuple[int, str]:
    """Send the page's form, as a browser without scripts does."""
    async with site.client.post("/rules/rehearsal", data=fields, headers=OWN) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_page_tries_the_text_of_its_form_and_keeps_it_there(place: Site) -> None:
    await place.send(severity=ErrorSeverity.MEDIUM, code="<b>")
    place.clock.advance(60)
    status, page = await place.page("/rules/rehearsal")
    assert status == 200
    assert "[rules.critical]" in page
    status, page = await press(place, policy=RULES, since_seconds="86400", against="current")
    assert status == 200
    assert "1 notification in 1 message" in page
    assert 'href="/incidents/INC-1"' in page
    assert "[rules.everything]" in page


async def test_the_page_says_what_is_wrong_with_a_text_and_keeps_it(site: Site) -> None:
    status, page = await press(site, policy="<script>", since_seconds="86400", against="")
    assert status == 400
    assert "line 1" in page
    assert "&lt;script&gt;" in page
    assert "<script>\n" not in page.partition("<main")[2].replace("&lt;script&gt;", "")

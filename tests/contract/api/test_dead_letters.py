"""Replay and discard over the API and on the page."""

import pytest
from tests.contract.api.conftest import Site, make_event

from faultwire_consumer.ingest.receive.dead_queue import DeadDelivery, DeadQueue, death_in
from faultwire_consumer.metrics import Metrics
from faultwire_shared import codec

PATH = "/api/v1/dead-letters"


async def keep_good(site: Site) -> str:
    event = make_event(site.clock)
    death = death_in({"x-death": [{"reason": "delivery_limit", "queue": "faultwire.high"}]})
    body = codec.encode(event)
    delivery = DeadDelivery(body, codec.EVENT_TYPE, death.queue, None, death.attempts, [], None, death=death)
    await DeadQueue(site.store, metrics=Metrics(), clock=site.clock).ingest([delivery])
    return event.id


async def listed(site: Site, query: str = "") -> list[int]:
    status, document = await site.get(f"{PATH}{query}")
    assert status == 200, document
    return [letter["id"] for letter in document["dead_letters"]]


async def test_a_replay_answers_with_what_became_of_each_event(site: Site) -> None:
    event_id = await keep_good(site)
    status, answer = await site.post(f"{PATH}/1/replay", json={"actor": "ann", "why": "mended"})
    assert status == 200
    assert answer == {
        "id": 1,
        "status": "replayed",
        "outcome": "replayed",
        "detail": "1 stored",
        "attempts": 21,
        "events": [{"id": event_id, "status": "stored"}],
        "dry_run": False,
        "examined": "",
    }
    assert (await site.get(f"/api/v1/events/{event_id}"))[0] == 200
    _, letter = await site.get(f"{PATH}/1")
    assert [(one["actor"], one["reason"]) for one in letter["history"]] == [("ann", "replayed")]
    _, again = await site.post(f"{PATH}/1/replay")
    assert again["outcome"] == "unchanged"


async def test_a_replay_that_fails_again_says_so_and_the_letter_waits(site: Site) -> None:
    await site.send_body(b"{")
    status, answer = await site.post(f"{PATH}/1/replay")
    assert (status, answer["outcome"], answer["status"]) == (200, "replay_failed", "waiting")
    assert answer["attempts"] == 2
    assert answer["events"][0]["reason"] == "malformed_json"


async def test_a_dry_run_says_what_would_be_and_changes_nothing(site: Site) -> None:
    event_id = await keep_good(site)
    await site.send_body(b"{")
    _, good = await site.post(f"{PATH}/1/replay", json={"dry_run": True})
    _, bad = await site.post(f"{PATH}/2/replay", json={"dry_run": True})
    _, thrown = await site.post(f"{PATH}/1/discard", json={"dry_run": True})
    outcomes = [one["outcome"] for one in (good, bad, thrown)]
    assert outcomes == ["would_replay", "would_fail", "would_discard"]
    assert good["events"] == [{"id": event_id, "status": "would_be_stored"}]
    assert await listed(site) == [2, 1]
    _, letter = await site.get(f"{PATH}/2")
    assert (letter["attempts"], letter["history"]) == (1, [])
    assert (await site.get(f"/api/v1/events/{event_id}"))[0] == 404


async def test_the_list_shows_what_waits_unless_asked_for_more(site: Site) -> None:
    await keep_good(site)
    await site.send_body(b"{")
    await site.send_body(b"5")
    await site.post(f"{PATH}/1/replay")
    await site.post(f"{PATH}/2/discard", json={"why": "a test's"})
    assert await listed(site) == [3]
    assert await listed(site, "?status=all") == [3, 2, 1]
    assert await listed(site, "?status=discarded&status=replayed") == [2, 1]
    assert await listed(site, "?status=all&reason=malformed_json") == [2]
    status, document = await site.get(f"{PATH}?status=gone")
    assert (status, document["error"]["details"]["field"]) == (400, "status")


@pytest.mark.parametrize("verb", ["replay", "discard"])
async def test_what_cannot_be_done_is_told_in_the_standard_format(site: Site, verb: str) -> None:
    status, document = await site.post(f"{PATH}/9/{verb}")
    assert (status, document["error"]["code"]) == (404, "DEAD_LETTER_NOT_FOUND")
    await keep_good(site)
    status, document = await site.post(f"{PATH}/1/{verb}", json={"wrong": 1})
    assert status == 400
    status, document = await site.post(f"{PATH}/1/{verb}", json={"why": "a\nb"})
    assert (status, document["error"]["details"]["field"]) == (400, "why")
    await site.post(f"{PATH}/1/replay")
    status, document = await site.post(f"{PATH}/1/discard")
    assert (status, document["error"]["code"]) == (409, "DEAD_LETTER_CONFLICT")


async def test_the_page_has_the_buttons_that_fit_and_the_history(site: Site) -> None:
    await keep_good(site)
    _, page = await site.page("/dead-letters/1")
    assert 'action="/dead-letters/1/replay"' in page
    assert 'action="/dead-letters/1/discard"' in page
    async with site.client.post("/dead-letters/1/replay", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/dead-letters/1")
    _, page = await site.page("/dead-letters/1")
    assert 'action="/dead-letters/1/' not in page
    assert "<b>replayed</b> by page" in page
    _, page = await site.page("/dead-letters")
    assert "waits for anybody" in page
    _, page = await site.page("/dead-letters?status=replayed")
    assert "/dead-letters/1" in page


async def test_another_sites_page_cannot_discard(site: Site) -> None:
    await keep_good(site)
    headers = {"Sec-Fetch-Site": "cross-site"}
    async with site.client.post("/dead-letters/1/discard", headers=headers) as answer:
        assert answer.status == 403
    assert await listed(site) == [1]

"""The page's desk: dead letters by reason, chosen, tried, corrected, replayed and discarded."""

import html
import json
import re
from typing import Any

import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.test_dead_letter_desk import body_of, keep_old
from tests.contract.api.test_pages import outline

from faultwire_consumer.store.dead_letters.record import NewDeadLetter, record_dead_letters
from faultwire_shared.event import MESSAGE_BYTES

API = "/api/v1/dead-letters"
HOSTILE = "</textarea><script>alert(1)</script>"


async def press(site: Site, path: str, **fields: Any) -> tuple[int, str, str]:
    """Status, where it leads, and the page, of a form that is sent."""
    async with site.client.post(
        path, data=fields, allow_redirects=False, headers={"Accept": "text/html"}
    ) as answer:
        text = await answer.text() if answer.status != 303 else ""
        return answer.status, answer.headers.get("Location", ""), text


async def notice(site: Site, path: str) -> str:
    """The notice on the page that comes next."""
    _, page = await site.page(path)
    found = re.search(r'id="notice"><p>(.*?)</p>', page)
    return html.unescape(found[1]) if found else ""


async def status_of(site: Site, letter_id: int) -> str:
    return str((await site.get(f"{API}/{letter_id}"))[1]["status"])


async def fill(site: Site, count: int, *, reason: str = "invalid_event", at: int = 0) -> None:
    """Letters that were never bodies of anything."""
    new = [
        NewDeadLetter(
            body=f'{{"n": {at + number}}}'.encode(),
            reason=reason,
            detail=f"letter {at + number} at $.n",
            event_id=None,
            origin="http",
            message_type=None,
            attempts=1,
            at=site.clock(),
        )
        for number in range(count)
    ]
    async with site.store.write() as tx:
        for one in new:  # in this order: those of one call are written by their digests
            await record_dead_letters(tx, [one])


async def test_letters_stand_by_reason_with_their_number_and_what_mends_them(site: Site) -> None:
    await fill(site, 13)
    await fill(site, 1, reason="malformed_json", at=50)
    await fill(site, 1, reason="of_another_release", at=60)
    _, page = await site.page("/dead-letters")
    text = outline(page).text
    assert text.index("invalid_event") < text.index("malformed_json") < text.index("of_another_release")
    for said in ("and 3 more", "letter 12 at $.n", "mend its publisher", "look at it before you decide"):
        assert said in text
    assert "letter 2 at $.n" not in text
    _, whole = await site.page("/dead-letters?reason=invalid_event")
    assert "letter 0 at $.n" in whole
    assert "malformed_json" not in outline(whole).text


async def test_a_reason_with_many_letters_goes_on_and_back_to_the_newest(site: Site) -> None:
    await fill(site, 51)
    _, page = await site.page("/dead-letters?reason=invalid_event")
    (following,) = re.findall(r'<a href="([^"]+)" rel="next"', page)
    _, rest = await site.page(html.unescape(following))
    assert "letter 0 at $.n" in rest
    assert "The newest" in rest


async def test_views_count_by_status_and_a_service_narrows_all_of_it(site: Site) -> None:
    await site.send_body(b'{"service": "billing", ')
    await site.send_body(b'{"service": "orders", ')
    await site.post(f"{API}/2/discard")
    _, page = await site.page("/dead-letters")
    assert re.search(r'aria-current="page">Waiting <span class="pill">1</span>', page)
    assert re.search(r'Discarded <span class="pill">1</span>', page)
    _, page = await site.page("/dead-letters?status=all&service=orders")
    assert "/dead-letters/2" in page
    assert 'href="/dead-letters/1"' not in page
    assert re.search(r'Waiting <span class="pill">0</span>', page)
    _, page = await site.page("/dead-letters?service=nobody")
    assert "No dead letter fits" in page


async def test_those_that_are_chosen_are_replayed_and_the_notice_counts_them(site: Site) -> None:
    await site.send_body(b"{")
    await site.send_body(body_of(site, count="many"))
    await site.post(f"{API}/2/edit", json={"body": body_of(site).decode()})
    status, location, _ = await press(site, "/dead-letters/many/replay", id=["1", "2", "99"])
    assert (status, location) == (303, "/dead-letters")
    said = await notice(site, "/dead-letters")
    assert said.startswith("3 dead letters: 1 replayed, 1 failed again and stayed")
    assert "1 refused" in said
    assert [await status_of(site, letter_id) for letter_id in (1, 2)] == ["waiting", "replayed"]


async def test_a_dry_run_shows_what_each_would_become_and_changes_nothing(site: Site) -> None:
    await site.send_body(b"{")
    await site.send_body(body_of(site, count="many"))
    await site.post(f"{API}/2/edit", json={"body": body_of(site).decode()})
    fields = {"id": ["1", "2"], "dry_run": "1", "next": "/dead-letters?status=all"}
    status, _, page = await press(site, "/dead-letters/many/replay", **fields)
    assert status == 200
    text = outline(page).text
    assert "1 of 2 dead letters would be replayed" in text
    assert "would fail again" in text
    assert "Nothing has happened yet" in text
    assert re.findall(r'name="id" value="(\d+)"', page) == ["2"]
    assert 'name="next" value="/dead-letters?status=all"' in page
    assert await status_of(site, 2) == "waiting"
    assert (await site.get(f"{API}/1"))[1]["attempts"] == 1


async def test_all_of_a_reason_are_meant_as_the_list_has_them_and_the_rest_is_told(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.web.page.desk.page.LETTERS_MAX", 5)
    await fill(site, 7)
    await fill(site, 2, reason="malformed_json", at=50)
    await site.post(f"{API}/1/discard")
    fields = {"all_of": "invalid_event", "status": "waiting", "why": "a load test's"}
    await press(site, "/dead-letters/many/discard", **fields)
    assert "5 dead letters: 5 discarded; 1 more are left" in await notice(site, "/dead-letters")
    assert [await status_of(site, number) for number in (6, 7, 8)] == ["discarded", "waiting", "waiting"]
    _, letter = await site.get(f"{API}/2")
    assert letter["history"][0]["detail"] == "a load test's"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "choose at least one"),
        ({"id": "x"}, "named by its number"),
        ({"id": [str(number) for number in range(1, 203)]}, "at most 200"),
        ({"id": "1", "why": "x" * 501}, "printable characters"),
        ({"id": "1", "colour": "red"}, "unknown"),
        ({"all_of": "invalid_event", "status": "gone"}, "one of"),
    ],
)
async def test_what_cannot_be_chosen_is_said_and_nothing_changes(
    site: Site, fields: dict[str, Any], said: str
) -> None:
    await fill(site, 1)
    status, _, _ = await press(site, "/dead-letters/many/discard", **fields)
    assert status == 303
    told = await notice(site, "/dead-letters")
    assert told.startswith("Nothing was changed")
    assert said in told
    assert await status_of(site, 1) == "waiting"


async def test_a_form_never_leads_to_another_site(site: Site) -> None:
    await fill(site, 1)
    _, location, _ = await press(site, "/dead-letters/many/discard", id="1", next="//evil.example/")
    assert location == "/dead-letters"


async def test_a_letter_is_corrected_tried_and_replayed_on_its_page(site: Site) -> None:
    wrong = body_of(site, count="many").decode()
    await site.send_body(wrong.encode())
    _, page = await site.page("/dead-letters/1")
    assert html.escape(wrong, quote=False) in html.unescape(page).replace("&", "&amp;")
    still = json.dumps(json.loads(wrong) | {"count": "few"})
    status, _, tried = await press(site, "/dead-letters/1/edit", body=still, why="typo", dry_run="1")
    assert status == 200
    assert "This would fail again" in tried
    assert "few" in tried
    assert 'value="typo"' in tried
    assert (await site.get(f"{API}/1"))[1]["edited_body"] is None
    mended = json.dumps(json.loads(wrong) | {"count": 3}, indent=1).replace("\n", "\r\n")
    _, _, tried = await press(site, "/dead-letters/1/edit", body=mended, dry_run="1")
    assert "This would be kept" in tried
    status, location, _ = await press(site, "/dead-letters/1/edit", body=mended, why="typo", then="replay")
    assert (status, location) == (303, "/dead-letters/1")
    assert "Replayed: 1 stored." in await notice(site, "/dead-letters/1")
    _, letter = await site.get(f"{API}/1")
    assert letter["edited_body"] == mended.replace("\r\n", "\n")
    assert [entry["reason"] for entry in letter["history"]] == ["replayed", "edited"]
    assert "typo" in outline((await site.page("/dead-letters/1"))[1]).text


async def test_a_correction_that_is_only_kept_says_what_its_replay_would_do(site: Site) -> None:
    await site.send_body(b"{")
    await press(site, "/dead-letters/1/edit", body='{"id": 5}')
    assert "Kept; a replay would fail: invalid_event" in await notice(site, "/dead-letters/1")
    assert (await site.get(f"{API}/1"))[1]["edited_body"] == '{"id": 5}'


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"body": ""}, 409, "a body has 1 to"),
        ({"body": "{}", "why": "a\nb" + "c" * 600}, 400, "printable characters"),
    ],
)
async def test_what_cannot_be_kept_is_said_at_its_field_and_what_was_typed_stays(
    site: Site, fields: dict[str, str], status: int, said: str
) -> None:
    await site.send_body(b"{")
    answered, _, page = await press(site, "/dead-letters/1/edit", **fields)
    assert answered == status
    assert said in outline(page).text
    assert 'aria-invalid="true"' in page
    assert (await site.get(f"{API}/1"))[1]["edited_body"] is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"message": "\xff"', "not text in UTF-8"),
        ('{"message": "\u202e"'.encode(), "a page cannot show"),
        (b'{"message": "' + b'"' * (MESSAGE_BYTES // 2), "too long for a form"),
    ],
)
async def test_what_a_form_would_change_by_itself_cannot_be_edited_here(
    site: Site, body: bytes, said: str
) -> None:
    await site.send_body(body)
    _, page = await site.page("/dead-letters/1")
    assert "<textarea" not in page
    assert said in page
    assert "faultwire dead-letters edit 1" in page


async def test_a_long_body_is_shown_around_what_is_wrong(site: Site) -> None:
    await site.send_body(b'{"a": "' + b"x" * 100_000 + b'", oops, "b": "' + b"y" * 100_000 + b'"}')
    _, page = await site.page("/dead-letters/1")
    assert "<mark>o</mark>ops" in page
    assert "bytes before" in page
    assert "bytes after" in page


async def test_an_old_event_is_taken_under_an_id_of_today(site: Site) -> None:
    await keep_old(site)
    _, page = await site.page("/dead-letters")
    assert 'name="accept_old"' in page
    _, _, tried = await press(site, "/dead-letters/1/replay", dry_run="1")
    assert "It would fail again" in tried
    _, _, tried = await press(site, "/dead-letters/1/replay", dry_run="1", accept_old="1")
    assert "It would be replayed" in tried
    await press(site, "/dead-letters/1/replay", accept_old="1")
    assert await status_of(site, 1) == "replayed"


async def test_one_letter_is_discarded_with_a_reason(site: Site) -> None:
    await fill(site, 1)
    status, location, _ = await press(site, "/dead-letters/1/discard", why="a probe's")
    assert (status, location) == (303, "/dead-letters/1")
    _, page = await site.page("/dead-letters/1")
    assert "<b>discarded</b> by page" in page
    assert "a probe&#39;s" in page
    assert 'action="/dead-letters/1/discard"' not in page
    assert 'action="/dead-letters/1/replay"' in page
    await press(site, "/dead-letters/1/discard")
    assert "it was discarded before" in await notice(site, "/dead-letters/1")


async def test_a_body_that_breaks_out_of_its_field_stays_in_it(site: Site) -> None:
    await site.send_body(f"\n\n{HOSTILE}".encode())
    _, page = await site.page("/dead-letters/1")
    assert "<script>alert" not in page
    read = outline(page)
    assert read.text.count(HOSTILE) == 2
    (field,) = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert html.unescape(field) == f"\n\n{HOSTILE}"
    _, _, tried = await press(site, "/dead-letters/1/edit", body=HOSTILE, why=HOSTILE, dry_run="1")
    assert "<script>alert" not in tried

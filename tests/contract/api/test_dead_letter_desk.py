"""The dead-letter desk: what is wrong and where, correcting it, old events, filters, dry runs."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from tests.contract.api.conftest import Site, make_event

from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.store.dead_letters.record import NewDeadLetter, record_dead_letters
from faultwire_consumer.store.schema.dead_letters import dead_letters
from faultwire_consumer.store.schema.upkeep import retention_floors
from faultwire_shared import codec
from faultwire_shared.event import MESSAGE_BYTES, ErrorSeverity

PATH = "/api/v1/dead-letters"


def body_of(site: Site, **changed: Any) -> bytes:
    document = json.loads(codec.encode(make_event(site.clock)))
    return json.dumps(document | changed).encode()


async def letter_of(site: Site, letter_id: int = 1) -> Any:
    status, letter = await site.get(f"{PATH}/{letter_id}")
    assert status == 200, letter
    return letter


async def reasons(site: Site, letter_id: int = 1) -> list[tuple[str, str]]:
    return [(entry["reason"], entry["actor"]) for entry in (await letter_of(site, letter_id))["history"]]


async def listed(site: Site, query: str) -> list[int]:
    status, document = await site.get(f"{PATH}?{query}")
    assert status == 200, document
    return [letter["id"] for letter in document["dead_letters"]]


async def test_a_wrong_value_is_marked_where_it_stands(site: Site) -> None:
    await site.send_body(body_of(site, tags={"region": ["eu"]}, service="billing"))
    letter = await letter_of(site)
    place = letter["place"]
    assert place["path"].startswith("$.tags")
    assert place["wrong"] == '{"region": ["eu"]}'
    assert place["line"] == 1
    assert letter["fields"]["service"] == '"billing"'


@pytest.mark.parametrize(
    ("body", "wrong", "after"),
    [
        (b'{"service": "billing",\n "message": oops}', "o", "ops}"),
        (b'{"service": "billing", "message": "br\xff"}', "\\xff", '"}'),
        (b'{"service": "billing", "message": "brok', "", ""),
    ],
)
async def test_what_is_no_json_is_marked_at_its_first_wrong_byte(
    site: Site, body: bytes, wrong: str, after: str
) -> None:
    await site.send_body(body)
    letter = await letter_of(site)
    assert (letter["place"]["wrong"], letter["place"]["after"]) == (wrong, after)
    assert (letter["fields"], letter["service"]) == ({"service": '"billing"'}, "billing")


async def test_a_corrected_body_is_replayed_and_the_original_kept(site: Site) -> None:
    wrong = body_of(site, count="many")
    await site.send_body(wrong)
    mended = json.loads(wrong) | {"count": 3}
    asked = {"body": json.dumps(mended), "actor": "ann", "why": "count is a number"}
    status, answer = await site.post(f"{PATH}/1/edit", json=asked)
    assert (status, answer["outcome"]) == (200, "edited")
    assert answer["events"] == [{"id": mended["id"], "status": "would_be_stored"}]
    letter = await letter_of(site)
    assert (letter["body"], letter["edited_body"]) == (wrong.decode(), json.dumps(mended))
    assert (letter["status"], letter["history"][0]["detail"]) == ("waiting", "count is a number")
    _, done = await site.post(f"{PATH}/1/replay", json={"actor": "bob"})
    assert done["outcome"] == "replayed"
    assert await reasons(site) == [("replayed", "bob"), ("edited", "ann")]
    status, event = await site.get(f"/api/v1/events/{mended['id']}")
    assert (status, event["count"]) == (200, 3)
    assert (await letter_of(site))["body"] == wrong.decode()


async def test_a_correction_that_is_still_wrong_is_told_and_leaves_no_second_letter(site: Site) -> None:
    await site.send_body(body_of(site, count="many"))
    _, answer = await site.post(f"{PATH}/1/edit", json={"body": '{"id": 5}'})
    assert answer["detail"].startswith("a replay would fail: invalid_event")
    _, done = await site.post(f"{PATH}/1/replay")
    assert done["outcome"] == "replay_failed"
    assert await listed(site, "status=all") == [1]


async def test_a_body_that_was_cut_can_be_replayed_once_it_is_corrected(site: Site) -> None:
    await site.send_body(b'{"message": "' + b"x" * MESSAGE_BYTES)
    letter = await letter_of(site)
    assert (letter["place"]["offset"], letter["place"]["length"]) == (MESSAGE_BYTES, 0)
    status, document = await site.post(f"{PATH}/1/replay")
    assert (status, document["error"]["code"]) == (409, "DEAD_LETTER_CONFLICT")
    assert "edit it" in document["error"]["message"]
    await site.post(f"{PATH}/1/edit", json={"body": body_of(site).decode()})
    _, done = await site.post(f"{PATH}/1/replay")
    assert done["outcome"] == "replayed"


async def test_an_edit_that_cannot_be_is_refused_and_a_dry_one_changes_nothing(site: Site) -> None:
    await site.send_body(b"{")
    for body in ("", None, 5):
        status, _ = await site.post(f"{PATH}/1/edit", json={"body": body})
        assert status in (400, 409), body
    status, document = await site.post(f"{PATH}/1/edit", json={"body": "\ud800"})
    assert status == 400, document
    status, document = await site.post(f"{PATH}/1/edit", json={"body": "x" * MESSAGE_BYTES})
    assert status == 413
    _, answer = await site.post(f"{PATH}/1/edit", json={"body": body_of(site).decode(), "dry_run": True})
    assert (answer["outcome"], answer["dry_run"]) == ("would_edit", True)
    assert (await letter_of(site))["edited_body"] is None
    assert await reasons(site) == []
    await site.post(f"{PATH}/1/edit", json={"body": body_of(site).decode()})
    await site.post(f"{PATH}/1/replay")
    status, document = await site.post(f"{PATH}/1/edit", json={"body": "{}"})
    assert (status, document["error"]["code"]) == (409, "DEAD_LETTER_CONFLICT")


async def test_a_secret_in_a_correction_is_not_kept(site: Site) -> None:
    await site.send_body(b"{")
    corrected = body_of(site, context={"password": "hunter2-secret"}).decode()
    await site.post(f"{PATH}/1/edit", json={"body": corrected})
    assert "hunter2-secret" not in (await letter_of(site))["edited_body"]


async def keep_old(site: Site) -> str:
    """An event of a day that is no longer kept, as a dead letter."""
    event = make_event(site.clock)
    site.clock.advance(timedelta(days=10))
    async with site.store.write() as tx:
        floor = {"day": site.clock().date() - timedelta(days=5), "raised_at": site.clock()}
        rows = [floor | {"severity": severity.rank} for severity in ErrorSeverity]
        await tx.execute(retention_floors.insert(), rows)
    await site.send_body(codec.encode(event))
    assert (await letter_of(site))["reason"] == StoreReason.PAST_RETENTION
    return event.id


async def test_an_old_event_is_accepted_under_an_id_of_today_and_only_once(site: Site) -> None:
    old = await keep_old(site)
    _, refused = await site.post(f"{PATH}/1/replay", json={"dry_run": True})
    assert refused["outcome"] == "would_fail"
    _, dry = await site.post(f"{PATH}/1/replay", json={"dry_run": True, "accept_old": True})
    assert dry["outcome"] == "would_replay"
    assert await reasons(site) == []
    _, done = await site.post(f"{PATH}/1/replay", json={"accept_old": True, "actor": "ann"})
    assert done["outcome"] == "replayed", done
    (result,) = done["events"]
    assert result["id"].startswith(f"error_{site.clock():%Y%m%d}_")
    _, event = await site.get(f"/api/v1/events/{result['id']}")
    assert event["tags"]["original_id"] == old
    assert await reasons(site) == [("replayed", "ann"), ("edited", "ann")]
    async with site.store.write() as tx:  # as if the replay had died before it could mark
        await tx.execute(update(dead_letters).values(status="waiting"))
    site.clock.advance(timedelta(hours=1))
    _, again = await site.post(f"{PATH}/1/replay", json={"accept_old": True})
    assert [one["status"] for one in again["events"]] == ["duplicate"]


async def test_accepting_what_is_old_lets_nothing_else_in(site: Site) -> None:
    await site.send_body(b'{"service": "billing"')
    _, done = await site.post(f"{PATH}/1/replay", json={"accept_old": True})
    assert done["outcome"] == "replay_failed"
    assert (await letter_of(site))["edited_body"] is None


async def test_letters_are_found_by_their_service_older_ones_too(site: Site) -> None:
    await site.send_body(b'{"service": "billing", ')
    await site.send_body(b'{"service":"orders", ')
    await site.send_body(b'{"service": "bil')
    async with site.store.write() as tx:  # the second as a release before this one kept it
        await tx.execute(update(dead_letters).where(dead_letters.c.id == 2).values(service=None))
    assert await listed(site, "service=billing") == [1]
    assert await listed(site, "service=orders") == [2]
    assert await listed(site, "service=orders&service=billing") == [2, 1]
    assert await listed(site, "service=nobody") == []
    assert await listed(site, "service=billing&reason=too_large") == []


async def test_reasons_are_counted_with_what_mends_them(site: Site) -> None:
    await site.send_body(b'{"service": "billing", ')
    await site.send_body(b'{"service": "orders", ')
    await site.send_body(body_of(site, count="many"))
    await site.post(f"{PATH}/2/discard")
    status, document = await site.get(f"{PATH}/reasons")
    assert status == 200
    assert [(one["reason"], one["count"]) for one in document["reasons"]] == [
        ("invalid_event", 1),
        ("malformed_json", 1),
    ]
    assert "mend its publisher" in document["reasons"][0]["cure"]
    _, document = await site.get(f"{PATH}/reasons?status=all&service=orders")
    assert [(one["reason"], one["count"]) for one in document["reasons"]] == [("malformed_json", 1)]
    assert "mend its publisher" in (await letter_of(site))["cure"]


async def test_a_dry_run_says_how_far_it_went(site: Site) -> None:
    await site.send_body(b"{")
    _, dry = await site.post(f"{PATH}/1/replay", json={"dry_run": True})
    assert "was not asked" in dry["examined"]
    _, done = await site.post(f"{PATH}/1/discard", json={"why": "a probe's"})
    assert (done["examined"], done["outcome"]) == ("", "discarded")


HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e{{7*7}}=cmd()"


async def test_hostile_text_is_harmless_on_the_page(site: Site) -> None:
    await site.send_body(json.dumps({"service": HOSTILE, "message": [HOSTILE]}, ensure_ascii=False).encode())
    await site.send_body(f'{{"service": "{HOSTILE}", oops'.encode())
    await site.post(f"{PATH}/1/edit", json={"body": HOSTILE})
    for letter_id in (1, 2):
        status, page = await site.page(f"/dead-letters/{letter_id}")
        assert status == 200
        assert "<script>" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "<mark>" in page
        assert "{{7*7}}" in page


async def test_the_page_replays_what_was_corrected(site: Site) -> None:
    new = NewDeadLetter(
        body=b"x" * (MESSAGE_BYTES + 5),
        reason="too_large",
        detail="262,149 bytes, 262,144 at most at $",
        event_id=None,
        origin="http",
        message_type=None,
        attempts=1,
        at=site.clock(),
    )
    async with site.store.write() as tx:
        await record_dead_letters(tx, [new])
    _, page = await site.page("/dead-letters/1")
    assert "/dead-letters/1/replay" not in page
    await site.post(f"{PATH}/1/edit", json={"body": body_of(site).decode()})
    _, page = await site.page("/dead-letters/1")
    assert "/dead-letters/1/replay" in page
    assert "The corrected body" in page

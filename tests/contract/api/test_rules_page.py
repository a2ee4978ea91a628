"""The page of rules and silences: without a script, and with whatever people write into it."""

from typing import Any

import pytest
from tests.contract.api.conftest import Site, serve
from tests.contract.api.test_access_walk import bearer, issue
from tests.contract.api.test_pages import HOSTILE, outline
from tests.tools.clock import FixedClock
from tests.tools.recording import RecordingSender

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.sender import Permanent, SendReason
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.silences.hits import record_hits
from faultwire_shared.event import ErrorSeverity

pytestmark = [
    # Nothing here depends on the database.
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.may_block("the shipped policy is a file"),
]

OWN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
FIELDS = {"comment": "deploy", "service": "billing*, shop", "for_seconds": "3600"}


async def press(site: Site, path: str, **fields: Any) -> tuple[int, str]:
    """Send a form, and follow where it leads as a browser does."""
    async with site.client.post(path, data=fields, headers=OWN) as answer:
        return answer.status, await answer.text()


async def test_rules_and_receivers_are_shown_in_words_and_without_addresses(site: Site) -> None:
    status, page = await site.page("/rules")
    assert status == 200
    text = " ".join(outline(page).text.split())
    for words in (
        "within 5m",
        "weekly on monday at 09:00 UTC",
        "reminds every 1h",
        "severity critical",
        "No silence",
    ):
        assert words in text


async def test_a_silence_is_made_by_the_form_and_ended_and_resumed_by_buttons(site: Site) -> None:
    fields = FIELDS | {
        "severity": ["high", "low"],
        "tags": "region=eu-*, region=us",
        "weekday": ["friday", "monday"],
    }
    window = {"from": "22:00", "to": "06:00", "zone": "Europe/Berlin"}
    status, page = await press(site, "/silences", **fields | window)
    assert status == 200
    assert "Silence 1 hides notifications." in page
    assert 'action="/silences/1/end"' in page
    _, document = await site.get("/api/v1/silences/1")
    assert document["where"] == {
        "severity": ["high", "low"],
        "service": ["billing*", "shop"],
        "tags": {"region": ["eu-*", "us"]},
    }
    assert document["weekly"] == [
        {"weekdays": ["monday", "friday"], "start": "22:00", "end": "06:00", "zone": "Europe/Berlin"}
    ]
    assert (document["author"], document["comment"], document["ends_at"]) == (
        "page",
        "deploy",
        "2026-11-23T13:00:00Z",
    )
    assert "Recurring" in outline(page).text
    status, page = await press(site, "/silences/1/end", next="/rules")
    assert "Silence 1 is ended. It held nothing back." in page
    assert 'action="/silences/1/resume"' in page
    status, page = await press(site, "/silences/1/resume", next="/silences/1")
    assert "Silence 1 holds again." in page
    assert "resumed by page" in " ".join(outline(page).text.split())


async def test_times_without_a_zone_are_the_reader_s(site: Site) -> None:
    site.client.session.cookie_jar.update_cookies({"faultwire_zone": "Europe/Berlin"})
    await press(
        site, "/silences", **FIELDS | {"ends_at": "2026-11-23T15:30", "starts_at": "2026-11-23T14:00"}
    )
    _, document = await site.get("/api/v1/silences/1")
    assert (document["starts_at"], document["ends_at"]) == ("2026-11-23T13:00:00Z", "2026-11-23T14:30:00Z")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"comment": " "}, "why, in 1 to 500"),
        ({"service": "", "code": ""}, "at least one matcher"),
        ({"service": "x" * 201}, "at most 20 values"),
        ({"severity": "loud"}, "loud"),
        ({"tags": "region"}, "names with patterns"),
        ({"ends_at": "soon"}, "a day and a time"),
        ({"ends_at": "2026-11-22T10:00"}, "a time after its start"),
        ({"for_seconds": "x"}, "a length, or an end"),
        ({"from": "22:00"}, "both times of the window"),
        ({"from": "22:00", "to": "6:00"}, "a time of the clock"),
        ({"from": "22:00", "to": "06:00", "zone": "Mars"}, "a zone of the IANA database"),
    ],
)
async def test_what_cannot_be_is_told_at_its_field_and_nothing_typed_is_lost(
    site: Site, fields: dict[str, str], told: str
) -> None:
    status, page = await press(site, "/silences", **FIELDS | {"code": "TYPED_BEFORE"} | fields)
    assert status == 400
    assert told in outline(page).text
    assert 'value="TYPED_BEFORE"' in page or "code" in fields
    assert "Nothing was made" in page
    assert 'value="soon"' not in page
    assert (await site.get("/api/v1/silences"))[1]["silences"] == []


async def test_a_silence_is_tried_on_the_last_day_s_notifications_before_it_is_made(site: Site) -> None:
    await site.send(severity=ErrorSeverity.HIGH)
    status, page = await press(site, "/silences", **FIELDS | {"dry_run": "true"})
    assert status == 200
    assert "It would have hidden 1 of the 1 notification of the last day" in outline(page).text
    assert 'value="billing*, shop"' in page
    assert (await site.get("/api/v1/silences"))[1]["silences"] == []


async def test_an_unknown_field_is_refused(site: Site) -> None:
    assert (await press(site, "/silences", **FIELDS | {"moon": "full"}))[0] == 400


async def test_a_link_fills_the_form_in_and_unfolds_it(site: Site) -> None:
    _, page = await site.page("/rules?service=billing&code=CARD_DOWN&severity=high")
    assert 'id="new" open' in page
    assert 'value="billing"' in page
    assert 'value="CARD_DOWN"' in page
    assert 'value="high" checked' in page
    assert (await site.page("/rules?moon=full"))[0] == 400


async def test_what_a_silence_hid_is_shown_by_incident_with_links(site: Site) -> None:
    await site.send(text="boom")
    await press(site, "/silences", **FIELDS)
    async with site.store.write() as tx:
        await record_hits(tx, {1: {1: 12, 0: 2}}, now=site.clock())
    _, page = await site.page("/rules")
    assert "held back 14 notifications of 1 incident" in outline(page).text
    status, page = await site.page("/silences/1")
    assert status == 200
    text = " ".join(outline(page).text.split())
    assert "all others together" in text
    assert 'href="/incidents/INC-1"' in page
    assert (await site.page("/silences/9"))[0] == 404
    assert (await site.page("/silences/x"))[0] == 404


async def test_whatever_stands_in_a_silence_is_text_and_many_are_bounded(site: Site) -> None:
    hostile = HOSTILE.replace("\x1b", "").replace("\x00", "").replace("\u202e", "")
    for _ in range(3):
        where = {"service": [hostile] * 20, "tags": {hostile: [hostile] * 20}}
        asked = {"where": where, "comment": hostile * 8, "for_seconds": 60, "actor": "<i>eve</i>"}
        status, document = await site.post("/api/v1/silences", json=asked)
        assert status == 200, document
    pages = [await site.page(path) for path in ("/rules", "/silences/1")]
    for status, page in pages:
        assert status == 200
        assert "<script>alert" not in page
        assert "<i>eve" not in page
        assert "49" not in outline(page).text
        assert "15 more" in page


async def test_past_silences_come_in_pages(site: Site) -> None:
    for _ in range(23):
        await press(site, "/silences", **FIELDS)
    site.clock.advance(3600)
    _, page = await site.page("/rules")
    assert page.count("silence-words") == 20
    following = page.split('href="/rules?cursor=')[1].split("#")[0]
    _, page = await site.page(f"/rules?cursor={following}")
    assert page.count("silence-words") == 3
    assert (await site.page("/rules?cursor=moon"))[0] == 400


async def test_whoever_only_reads_is_offered_no_button(store: Store, clock: FixedClock) -> None:
    reader = await issue(store, clock, AccessScope.READ)
    actor = await issue(store, clock, AccessScope.READ, AccessScope.ACT)
    async with serve(store, clock, recognisers=[bearer(store, clock)]) as site:
        for token, forms in ((reader, False), (actor, True)):
            headers = {"Authorization": f"Bearer {token}", "Accept": "text/html"}
            async with site.client.get("/rules", headers=headers) as answer:
                page = await answer.text()
            assert ('action="/silences"' in page, 'action="/rules/test"' in page) == (forms, forms)


async def test_a_test_is_sent_by_a_button_and_its_outcome_told(store: Store, clock: FixedClock) -> None:
    sender = RecordingSender("log")
    sender.answers = [Permanent(SendReason.GONE, "410 <b>Gone</b>")]
    async with serve(store, clock, senders=lambda: {"log": sender}) as site:
        _, page = await press(site, "/rules/test", receiver="log")
        assert "The test did not reach log. gone: 410 &lt;b&gt;Gone&lt;/b&gt;" in page
        _, page = await press(site, "/rules/test", receiver="log")
        assert "log took the test in" in page
        _, page = await press(site, "/rules/test", receiver="pager")
        assert "Nothing was sent. the policy has no receiver pager" in page
        assert len(sender.received) == 2


async def test_a_notification_is_sent_again_by_its_button(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL)
    sender = RecordingSender("log")
    sender.answers = [Permanent(SendReason.GONE)]
    await Dispatcher(site.store, {"log": sender}, metrics=Metrics(), clock=site.clock).run_once()
    _, page = await press(site, "/told/1/resend", next="/rules")
    assert "Notification 1 goes to log again." in page
    assert (await site.get("/api/v1/alerts/1"))[1]["state"] == "waiting"
    _, page = await press(site, "/told/1/resend", next="/rules")
    assert "Nothing was changed. notification 1 is not sent again: it is waiting" in page
    assert (await press(site, "/told/9/resend"))[0] == 404


async def test_each_notification_that_a_silence_hid_is_found_from_it_and_names_it(site: Site) -> None:
    await press(site, "/silences", **FIELDS | {"also_critical": "true"})
    await site.send(severity=ErrorSeverity.CRITICAL, service="shop")
    await site.send(severity=ErrorSeverity.CRITICAL, service="desk")
    await Dispatcher(
        site.store, {"log": RecordingSender("log")}, metrics=Metrics(), clock=site.clock
    ).run_once()
    _, page = await site.page("/silences/1")
    assert 'href="/told?view=all&amp;silence=1"' in page
    _, page = await site.page("/told?view=all&silence=1")
    assert 'href="/told/1"' in page
    assert 'href="/told/2"' not in page
    _, page = await site.page("/told/1")
    assert 'href="/silences/1"' in page
    _, listed = await site.get("/api/v1/alerts?silence=1")
    assert [(one["id"], one["silence_id"]) for one in listed["alerts"]] == [(1, 1)]
    assert (await site.get("/api/v1/alerts?silence=moon"))[0] == 400
    _, page = await site.page("/incidents/INC-1")
    assert 'href="/rules?service=shop&amp;code=INTERNAL_ERROR#new"' in page

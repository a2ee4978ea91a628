"""Releases, Told, Producers and Health as pages: what they say, where their numbers lead, what they hide."""

import html
import re
from typing import Any, Final

import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.test_figures_api import add_up
from tests.contract.api.test_pages import outline
from tests.contract.api.test_producers import send_report
from tests.tools.recording import RecordingSender

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Transient
from faultwire_shared.event import ErrorSeverity

pytestmark = [
    # Statements are tested on both databases elsewhere; nothing here depends on them.
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.may_block("the shipped policy is a file"),
]

HOSTILE: Final = "<b>svc</b>{{7*7}}\u202e\x1b[31m'\""
GONE: Final = Permanent(SendReason.GONE, "410 of chat.example")


async def text_of(site: Site, path: str, status: int = 200) -> str:
    found, page = await site.page(path)
    assert found == status, page
    return re.sub(r"\s+", " ", outline(page).text)


async def links_of(site: Site, path: str, name: str) -> list[str]:
    """The addresses of the links whose text is this."""
    _, page = await site.page(path)
    found = re.findall(rf'<a href="([^"]+)"[^>]*>{name}</a>', page)
    return [html.unescape(one) for one in found]


async def listed(site: Site, path: str) -> set[str]:
    """The incidents of the list at an address."""
    _, page = await site.page(path)
    return set(re.findall(r'href="/incidents/(INC-\d+)', page))


async def send_notifications(site: Site, *answers: Outcome) -> None:
    sender = RecordingSender()
    sender.answers = list(answers)
    await Dispatcher(site.store, {"log": sender}, metrics=Metrics(), clock=site.clock).run_once()


async def test_each_number_of_a_release_leads_to_its_incidents(site: Site) -> None:
    await site.send(kind="A", release="1.0")
    await site.send(kind="B", release="1.0")
    await site.send(kind="A", release="1.0", service="orders")
    await add_up(site)
    await site.post("/api/v1/incidents/INC-1/resolve")
    await site.send(kind="A", release="1.1")
    await site.send(kind="C", release="1.1")
    await add_up(site)
    text = await text_of(site, "/releases")
    assert "billing 1.1 newest" in text
    (new,) = await links_of(site, "/releases?service=billing", "1 new")
    (back,) = await links_of(site, "/releases", "1 came back")
    (ended,) = await links_of(site, "/releases", "1 ended")
    (both,) = await links_of(site, "/releases?service=billing", "2 new")
    assert await listed(site, new) == {"INC-4"}
    assert await listed(site, back) == {"INC-1"}
    assert await listed(site, ended) == {"INC-2"}
    assert await listed(site, both) == {"INC-1", "INC-2"}
    assert "orders" not in await text_of(site, "/releases?service=billing")
    assert (await site.page("/releases?cursor=nonsense"))[0] == 400
    assert (await site.page("/releases?colour=red"))[0] == 400


async def test_a_long_list_of_releases_goes_on(site: Site) -> None:
    for number in range(51):
        await site.send(release=f"1.{number}")
    await add_up(site)
    (following,) = await links_of(site, "/releases", "Older releases")
    text = await text_of(site, following)
    assert "1.0" in text
    assert "1.50" not in text
    assert "Back to the newest" in text


async def test_empty_sections_say_what_would_stand_there(site: Site) -> None:
    for path, words in (
        ("/releases", "No release was seen yet"),
        ("/releases?service=x", "No release of it was seen"),
        ("/told", "Nobody was told of anything yet"),
        ("/told?view=needs", "Nothing needs you"),
        ("/told?view=sent", "No notification is like this"),
        ("/producers", "Nobody numbers events yet"),
    ):
        assert words in await text_of(site, path), path


async def test_what_was_given_up_is_counted_above_every_page_and_stands_first(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL)
    assert 'class="pill bad"' not in (await site.page("/producers"))[1]
    assert "waiting, goes out now" in await text_of(site, "/told")
    await send_notifications(site, GONE)
    await site.send(severity=ErrorSeverity.CRITICAL, kind="B")
    await send_notifications(site)
    assert '<span class="pill bad">1</span>' in (await site.page("/producers"))[1]
    text = await text_of(site, "/told")
    assert "given up" in text
    assert "the receiver refused it: 410 of chat.example" in text
    assert "INC-1 ValueError: bad" in text
    assert "INC-2" not in text
    assert 'action="/told/1/resend"' in (await site.page("/told"))[1]
    assert "INC-2" in await text_of(site, "/told?view=sent")
    assert "INC-1" in await text_of(site, "/told?view=all&incident=INC-1&receiver=log")
    assert "INC-2" not in await text_of(site, "/told?incident=INC-1")
    assert "No notification is like this" in await text_of(site, "/told?incident=INC-1&view=stopped")
    site.clock.advance(8 * 86_400)
    assert 'class="pill bad"' not in (await site.page("/producers"))[1], "a week later it is history"


async def test_one_notification_shows_every_stage_and_every_try(site: Site) -> None:
    event = await site.send(severity=ErrorSeverity.CRITICAL)
    await send_notifications(site, Transient(SendReason.BUSY, "429 of chat.example"))
    assert "waiting, is tried again at" in await text_of(site, "/told/1")
    site.clock.advance(1)
    await send_notifications(site)
    text = await text_of(site, "/told/1")
    assert "Notification 1 to log" in text
    assert event.id in text
    assert "transient: busy, 429 of chat.example" in text
    assert "throttlepassednothing speaks against it" in text
    assert "critical:INC-1:1:new:log" in text
    for missing in ("77", "x", "99999999999999999999"):
        assert "there is no notification" in await text_of(site, f"/told/{missing}", 404)


async def test_a_summary_leads_to_what_it_tells_of(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    site.clock.advance(300)
    await send_notifications(site)
    text = await text_of(site, "/told")
    assert "and 2 more" in text
    assert "sent with others" in text
    (carrier,) = set(await links_of(site, "/told", r"in notification \d+"))
    assert "It tells of" in await text_of(site, carrier)
    assert len(await listed(site, carrier)) == 3


async def test_a_list_of_notifications_goes_on_in_its_view(site: Site) -> None:
    for number in range(51):
        await site.send(severity=ErrorSeverity.CRITICAL, kind=f"K{number}")
    (following,) = await links_of(site, "/told?view=all", "Older notifications")
    assert "view=all" in following
    text = await text_of(site, following)
    assert "INC-1 " in text
    assert "INC-51" not in text
    assert (await site.page("/told?view=loud"))[0] == 400
    assert (await site.page("/told?incident=x"))[0] == 400


async def test_a_service_that_went_quiet_is_said_to_be_on_every_page(site: Site) -> None:
    await site.send(producer_id="p1", sequence=3, service="billing")
    lost = [
        {"reason": reason, "count": count, "from": 1, "to": 2}
        for count, reason in enumerate(("a", "b", "buffer_full", "shutdown"), 1)
    ]
    sdk = {"name": "faultwire", "version": "1.4"}
    await send_report(site, "p2", 5, service="orders", lost=lost, spool_depth=4, sdk=sdk)
    assert "reports" in await text_of(site, "/producers")
    assert "quiet</span>" not in (await site.page("/health"))[1]
    site.clock.advance(100)
    text = await text_of(site, "/producers")
    assert "quiet, its process said no goodbye" in text
    assert "quiet, events lie on its disk" in text
    assert "4 shutdown, 3 buffer_full, 2 b and 1 more reason" in text
    assert "faultwire 1.4" in text
    assert '<span class="pill bad">2 quiet</span>' in (await site.page("/health"))[1]
    processes = await text_of(site, "/producers/orders")
    assert "p2" in processes
    assert "web-3" in processes
    assert "p1" not in processes
    assert "no process of nobody" in await text_of(site, "/producers/nobody", 404)


async def test_a_service_that_reports_through_the_gateway_shows_its_clients(site: Site) -> None:
    said: dict[str, Any] = {
        "sdk": {"name": "sentry.<b>python</b>", "version": "2.75.0"},
        "lost": [{"reason": "ratelimit_backoff (error)", "count": 64, "from": 0, "to": 0}],
        "dropped": [{"kind": "session", "count": 40}, {"kind": "log", "count": 1}],
        "via": "gateway",
    }
    await send_report(site, "gateway-edge-1-5d0c-1", 0, service="shop", unnumbered=12, **said)
    await send_report(site, "own", 5, service="shop", sdk={"name": "faultwire-python", "version": "1.0"})
    await send_report(site, "gateway-edge-1-5d0c-2", 0, service="web", unnumbered=3, **said)
    text = await text_of(site, "/producers")
    assert "64 ratelimit_backoff (error)" in text
    assert "12 without" in text
    assert "sentry.<b>python</b> 2.75.0" in text
    text = await text_of(site, "/producers/shop")
    assert "sentry.<b>python</b> 2.75.0 by the gateway" in text
    assert "40 session, 1 log 64 ratelimit_backoff (error)" in text
    assert "faultwire-python 1.0 itself" in text
    assert "1 process," in text
    assert "Processes of the gateway" not in text
    assert "Processes of the gateway" in await text_of(site, "/producers/web")
    assert "<b>python" not in (await site.page("/producers/shop"))[1]


async def test_lists_of_producers_go_on(site: Site) -> None:
    for number in range(51):
        await site.send(producer_id=f"p{number}", sequence=1, service=f"s{number}")
        await site.send(producer_id=f"q{number}", sequence=1, service="many")
    (following,) = await links_of(site, "/producers", "Heard from earlier")
    assert "s0 " in await text_of(site, following)
    (following,) = await links_of(site, "/producers/many", "Heard from earlier")
    assert "q0 " in await text_of(site, following)
    assert "Back to the first" in await text_of(site, following)


@pytest.mark.parametrize("name", [HOSTILE.replace("\x1b", ""), "a/b?c=d#e%2f", "..", "x" * 200, " "])
async def test_a_service_of_any_name_has_a_page_and_harms_none(site: Site, name: str) -> None:
    await site.send(producer_id="p<i>", sequence=1, service=name, release=name, environment=name)
    await add_up(site)
    for path in ("/producers", "/releases"):
        await text_of(site, path)
        _, page = await site.page(path)
        assert "\u202e" not in page
        assert "<b>svc" not in page
        assert "49" not in page or "7*7" in page
    links = await links_of(site, "/producers", r"[^<]*")
    own = [link for link in links if link.startswith("/producers/")]
    if name == "..":
        assert own == [], "no address can say it"
    else:
        assert "p<i>" in await text_of(site, own[0])
    for link in await links_of(site, "/releases", "1 new"):
        assert await listed(site, link) == {"INC-1"}


async def test_hostile_texts_of_notifications_are_texts(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL, text=HOSTILE, kind="Evil<i>", service=HOSTILE)
    await send_notifications(site, Permanent(SendReason.GONE, HOSTILE + "x" * 3000))
    for path in ("/told", "/told/1"):
        await text_of(site, path)
        _, page = await site.page(path)
        assert "\u202e" not in page
        assert "\x1b" not in page
        assert "<b>svc" not in page
        assert "x" * 600 not in page


async def test_health_says_what_passes_and_what_fails_and_why(site: Site) -> None:
    text = await text_of(site, "/health")
    assert "This worker takes events." in text
    assert "store passes" in text
    assert "The database answers." in text
    assert "0 waiting" in text
    assert "1 batch" in text or "0 batches" in text
    _, page = await site.page("/health")
    for path in ("/readyz", "/metrics"):
        assert f'href="{path}' in page
    site.ready.append(OSError("the queue of billing is gone"))
    text = await text_of(site, "/health")
    assert "This worker is not ready to take events." in text
    assert "lane failing" in text
    assert "the queue of billing is gone" in text
    assert "lane failing" in await text_of(site, "/told"), "it stands above every page"
    async with site.client.get("/health", headers={"X-Forwarded-For": "192.0.2.1"}) as answer:
        hidden = await answer.text()
    assert "the queue of billing is gone" not in hidden
    assert (await site.page("/health?x=1"))[0] == 400

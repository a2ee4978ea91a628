"""An operator's day in a real Chromium, each task with scripts and without any."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Locator, Page, expect
from tests.browser.filling import Site, ask, site_of
from tests.browser.judging import Watch
from tests.browser.walking import cookies_of, new_context
from tests.tools.factories import raised, wire_event
from tests.tools.waiting import until

_TOLD_MS: Final = 15_000

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def shop() -> Iterator[Site]:
    """A worker after a few days, at which people sign in."""
    with site_of("full") as site:
        yield site


@pytest.fixture(params=["with scripts", "without"])
async def page(request: pytest.FixtureRequest, chromium: Browser, shop: Site) -> AsyncIterator[Page]:
    """A page that ada opened, where nothing may complain."""
    state = await cookies_of(chromium, shop)
    has_scripts = request.param == "with scripts"
    context = await new_context(chromium, shop, state, has_scripts=has_scripts)
    page = await context.new_page()
    watch = Watch(page, shop.worker.url)
    yield page
    await context.close()
    assert watch.take() == []


class Story:
    """Events of a service that no other test knows, told one by one."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.service = name

    def send(self, kind: str = "GatewayError", **fields: Any) -> dict[str, Any]:
        """Send one event, and return it."""
        event = wire_event(
            service=self.service, exceptions=[raised(kind, qualname=f"charge_{kind.lower()}")], **fields
        )
        assert ask(self.site, "/ingest/v1/events", event) == 202
        return event


@pytest.fixture
def story(request: pytest.FixtureRequest, shop: Site) -> Story:
    name = request.node.name.removeprefix("test_").partition("[")[0][:60]
    way = "plain" if "without" in request.node.name else "live"
    return Story(shop, f"{name}-{way}")


async def search(page: Page, text: str) -> Locator:
    """Ask the list for something, and return its rows."""
    await page.goto("/")
    await page.get_by_role("searchbox", name="Search").fill(text)
    await page.get_by_role("searchbox", name="Search").press("Enter")
    return page.locator("[data-incident]")


async def open_incident(page: Page, service: str) -> str:
    """Come to the one incident of a service through the list; returns its name."""
    rows = await search(page, f"service:{service}")
    await expect(rows).to_have_count(1)
    name = await rows.first.get_attribute("data-incident")
    await rows.first.get_by_role("link").first.click()
    await page.wait_for_url(f"**/incidents/{name}*")
    assert name is not None
    return name


async def unfold(page: Page, menu: str) -> Locator:
    """Open one of the menus of verbs."""
    summary = page.locator(".acts summary", has_text=menu).first
    await summary.click()
    return page.locator(".acts details[open] .drop").first


async def test_find_by_user_by_trace_and_by_the_text_of_a_later_event(page: Page, story: Story) -> None:
    trace = f"{abs(hash(story.service)):032x}"[-32:]
    story.send(message="refused order 17")
    story.send(
        message="refused order 4711 of the zebra", user={"id": f"user-{story.service}"}, trace_id=trace
    )
    for text in (f"user:user-{story.service}", f"trace:{trace}", f'service:{story.service} "zebra"'):
        await expect(await search(page, text)).to_have_count(1)
    await page.goto("/")
    await page.get_by_role("searchbox", name="Search").fill(trace)
    await page.get_by_role("searchbox", name="Search").press("Enter")
    await expect(page.locator("main")).to_contain_text(story.service)


async def test_see_in_which_release_it_began(page: Page, story: Story) -> None:
    for release in ("1.9.0", "1.10.0"):
        story.send(release=release)
    await open_incident(page, story.service)
    began = page.locator(".answers .card", has_text="Began")
    await until(lambda: _has(page, began, "release 1.9.0"), "figures are added up every few seconds")


async def test_acknowledge_comment_assign_and_mute(page: Page, story: Story) -> None:
    story.send()
    name = await open_incident(page, story.service)
    await page.locator(".acts").get_by_role("button", name="Acknowledge", exact=True).first.click()
    await expect(page.get_by_role("status").first).to_contain_text("acknowledged")
    await page.locator("textarea[name=note]").fill("the gateway's page says: degraded")
    await page.get_by_role("button", name="Comment", exact=True).click()
    await expect(page.locator(".timeline")).to_contain_text("the gateway's page says: degraded")
    drop = await unfold(page, "Assign")
    await drop.get_by_role("button", name="To me").click()
    await expect(page.locator(".say")).to_contain_text("ada")
    drop = await unfold(page, "Mute")
    await drop.get_by_role("button", name="1 hour").click()
    await expect(page.locator(".say")).to_contain_text("muted")
    stored = _read(story.site, name)
    assert (stored["status"], stored["assignee"]) == ("acknowledged", "ada")


async def test_resolve_in_a_release_and_see_it_come_back(page: Page, story: Story) -> None:
    story.send(release="2.0.0")
    name = await open_incident(page, story.service)
    drop = await unfold(page, "Resolve")
    await drop.get_by_label("In another release").fill("2.1.0")
    await drop.get_by_role("button", name="Resolve in it").click()
    await expect(page.locator(".say")).to_contain_text("resolved")
    story.send(release="2.0.0")
    assert _read(story.site, name)["status"] == "resolved", "who still runs the old one says nothing new"
    story.send(release="2.1.0")
    if await page.evaluate("() => document.querySelector('#live') !== null && 'htmx' in window"):
        await expect(page.locator("#live")).to_contain_text("it came back", timeout=_TOLD_MS)
        await page.locator("#live button").click()
    else:
        await page.reload()
    await expect(page.locator(".say")).to_contain_text("came back")
    assert _read(story.site, name)["status"] == "open"


async def test_merge_two_and_part_them(page: Page, story: Story) -> None:
    story.send("GatewayError")
    into = await open_incident(page, story.service)
    story.send("GatewayTimeout")
    rows = await search(page, f"service:{story.service} -incident:{into}")
    name = await rows.first.get_attribute("data-incident")
    await page.goto(f"/incidents/{name}")
    drop = await unfold(page, "Merge")
    await drop.get_by_label("Into").fill(into)
    await drop.get_by_role("button", name="Merge", exact=True).click()
    await page.goto(f"/incidents/{name}")
    await page.wait_for_url(f"**/incidents/{into}*")
    await page.get_by_role("button", name="Unmerge").first.click()
    await page.goto(f"/incidents/{name}")
    await expect(page.locator(".crumb")).to_contain_text(str(name))


async def test_replay_a_dead_letter_that_was_corrected(page: Page, story: Story) -> None:
    broken = wire_event(service=story.service, message="refused order 18") | {"severity": 17.5, "code": 17}
    ask(story.site, "/ingest/v1/events", broken)
    await page.goto(f"/dead-letters?service={story.service}")
    await page.locator("a.detail").first.click()
    body = page.get_by_label("Body, which a replay takes")
    text = (await body.input_value()).replace("17.5", '"high"').replace('"code": 17', '"code": "PAY"')
    await body.fill(text)
    await page.get_by_role("button", name="Keep and replay").click()
    await expect(page.locator("main")).to_contain_text("replayed")
    await expect(await search(page, f"service:{story.service}")).to_have_count(1)


async def test_see_who_was_told_and_who_was_not(page: Page, story: Story) -> None:
    story.send(severity="critical")
    await open_incident(page, story.service)
    told = page.locator(".answers .card", has=page.get_by_role("heading", name="Told"))
    await until(lambda: _has(page, told, "given up"), "a receiver that refuses is given up at once")
    for receiver, mark in (("log new", "✓"), ("pager new", "✕")):
        await expect(told.locator("p", has_text=receiver).first).to_contain_text(mark)
    await told.get_by_role("link", name="all").click()
    await expect(page.locator("main")).to_contain_text("given up")
    await expect(page.locator("main")).to_contain_text("404")


async def test_make_a_silence_and_end_it(page: Page, story: Story) -> None:
    why = f"we move {story.service}"
    await page.goto("/rules")
    if not await page.get_by_label("Why").is_visible():
        await page.locator("#new > summary").click()
    await page.get_by_label("Why").fill(why)
    await page.get_by_label("Service", exact=True).fill(story.service)
    await page.get_by_role("button", name="Hide these notifications").click()
    row = page.locator(".silences li", has_text=why)
    await expect(row).to_contain_text("hides now")
    await row.get_by_role("button", name="End").click()
    await expect(page.locator("#notice")).to_be_visible()
    await expect(row).to_contain_text("ended")
    past = story.site.read("/api/v1/silences?phase=past")["silences"]
    assert why in [one["comment"] for one in past]


async def test_act_on_several_at_once_after_a_look_and_take_it_back(page: Page, story: Story) -> None:
    for kind in ("AlphaError", "BetaError", "GammaError"):
        story.send(kind)
    rows = await search(page, f"service:{story.service}")
    await expect(rows).to_have_count(3)
    for number in range(2):
        await rows.nth(number).get_by_role("checkbox").check()
    await page.get_by_label("look first").check()
    await page.locator(".bulk").get_by_role("button", name="Acknowledge").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("2 incidents of 2 would change")
    await page.get_by_role("button", name="Acknowledge 2").click()
    notice = page.locator("#notice")
    await expect(notice).to_contain_text("2 of 2 incidents are acknowledged")
    await notice.get_by_role("button", name="Undo").click()
    await expect(notice).to_contain_text("open again")


async def test_by_keyboard_alone(page: Page, story: Story) -> None:
    story.send()
    name = await open_incident(page, story.service)
    await page.goto(f"/incidents/{name}")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.textContent.trim()") == "Acknowledge":
            break
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").first).to_contain_text("acknowledged")


async def _has(page: Page, place: Locator, text: str) -> bool:
    await page.reload()
    return text in await place.inner_text()


def _read(site: Site, name: str) -> dict[str, Any]:
    found: dict[str, Any] = site.read(f"/api/v1/incidents/{name}")
    return found

"""What a page does by scripts: it tells what changed, moves by single keys, and reads its charts aloud."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect
from tests.browser.filling import Site, ask
from tests.browser.judging import Watch
from tests.browser.walking import new_context
from tests.tools.factories import wire_event

_TOLD_MS: Final = 15_000
SERVICES: Final = ("alpha", "beta", "gamma")


@pytest.fixture
async def page(chromium: Browser, shop: Site) -> AsyncIterator[Page]:
    context = await new_context(chromium, shop)
    page = await context.new_page()
    watch = Watch(page, shop.worker.url)
    yield page
    await context.close()
    assert watch.take() == []


@pytest.fixture
def shop(empty_site: Site) -> Site:
    """Three incidents more for each test, of the kinds that it finds by their words."""
    for service in SERVICES:
        ask(
            empty_site,
            "/ingest/v1/events",
            wire_event(service=service, message=f"the {service} gateway broke"),
        )
    names = [one["id"] for one in empty_site.worker.get("/api/v1/incidents?limit=1000")["incidents"]]
    for name in names:
        ask(empty_site, f"/api/v1/incidents/{name}/reopen", {"actor": "a test"})
        ask(empty_site, f"/api/v1/incidents/{name}/unassign", {"actor": "a test"})
    empty_site.names["incident"] = names[0]
    return empty_site


def act(site: Site, name: str, verb: str, actor: str = "ada") -> None:
    assert ask(site, f"/api/v1/incidents/{name}/{verb}", {"actor": actor}) == 200


async def test_a_list_tells_what_changed_and_moves_only_when_asked(page: Page, shop: Site) -> None:
    await page.goto("/?query=is:unresolved%20-service:delta")  # which another test sends, before or after
    rows = page.locator("[data-incident]")
    await expect(rows).to_have_count(3)
    before = await rows.evaluate_all("rows => rows.map(row => row.id)")
    await rows.nth(2).locator("input[type=checkbox]").check()
    await rows.nth(1).locator("a").first.focus()
    act(shop, before[0], "resolve")
    await expect(page.locator("#live")).to_contain_text(
        "1 incident changed while you read.", timeout=_TOLD_MS
    )
    act(shop, before[1], "acknowledge")
    await expect(page.locator("#live")).to_contain_text("2 incidents changed", timeout=_TOLD_MS)
    assert await rows.evaluate_all("rows => rows.map(row => row.id)") == before
    await page.keyboard.press("u")
    await expect(rows).to_have_count(2)
    await expect(page.locator("#live button")).to_have_count(0)
    await expect(page.locator(f"#{before[1]} a").first).to_be_focused()
    await expect(page.locator(f"#{before[2]} input[type=checkbox]")).to_be_checked()


async def test_an_incident_says_who_did_what_and_keeps_what_is_typed(page: Page, shop: Site) -> None:
    name = shop.names["incident"]
    await page.goto(f"/incidents/{name}")
    note = page.locator("[data-key=c]").first
    await note.fill("I was about to say")
    act(shop, name, "acknowledge", actor="ada <b>")
    bar = page.locator("#live")
    await expect(bar).to_contain_text("ada <b> acknowledged it", timeout=_TOLD_MS)
    await expect(bar).to_contain_text("ago")
    await bar.get_by_role("button", name="Show it").click()
    await expect(bar.locator("p")).to_have_count(0)
    await expect(page.locator("main [data-key=a]")).to_have_count(0)
    await expect(note).to_have_value("I was about to say")


async def test_a_list_that_was_empty_begins(page: Page, shop: Site) -> None:
    await page.goto("/?query=service:delta")
    await expect(page.locator("[data-incident]")).to_have_count(0)
    ask(shop, "/ingest/v1/events", wire_event(service="delta", message="the delta gateway broke"))
    await page.locator("#live button").click(timeout=_TOLD_MS)
    await expect(page.locator("[data-incident]")).to_have_count(1)


async def test_a_lost_connection_says_so_and_comes_back_with_what_was_missed(
    chromium: Browser, shop: Site
) -> None:
    name = shop.names["incident"]
    context = await new_context(chromium, shop)
    page = await context.new_page()
    await page.goto(f"/incidents/{name}")
    await context.set_offline(True)
    shop.worker.terminate()
    await expect(page.locator("#live")).to_contain_text("No connection to the worker", timeout=_TOLD_MS)
    shop.worker.start()
    act(shop, name, "resolve")
    await context.set_offline(False)
    await expect(page.locator("#live")).to_contain_text("ada resolved it", timeout=2 * _TOLD_MS)
    await expect(page.locator("#live")).not_to_contain_text("No connection")
    await context.close()


async def test_a_tab_that_nobody_sees_holds_no_connection_and_catches_up(page: Page, shop: Site) -> None:
    name = shop.names["incident"]
    await page.add_init_script("""
        window.opened = 0; window.ended = 0; window.isHidden = false;
        Object.defineProperty(document, "hidden", { get: () => window.isHidden });
        window.EventSource = class extends EventSource {
          constructor(address) { super(address); window.opened += 1; }
          close() { super.close(); window.ended += 1; }
        };
    """)
    await page.goto(f"/incidents/{name}")
    await page.wait_for_function("window.opened === 1")
    await page.evaluate(
        "() => { window.isHidden = true; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    assert await page.evaluate("[window.opened, window.ended]") == [1, 1]
    act(shop, name, "resolve")
    await page.evaluate(
        "() => { window.isHidden = false; document.dispatchEvent(new Event('visibilitychange')); }"
    )
    await expect(page.locator("#live")).to_contain_text("ada resolved it", timeout=_TOLD_MS)
    assert await page.evaluate("[window.opened, window.ended]") == [2, 1]


async def test_keys_move_choose_act_and_lead_on(page: Page, shop: Site) -> None:
    await page.goto("/")
    rows = page.locator("[data-incident]")
    count = await rows.count()
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(rows.nth(1).locator("a").first).to_be_focused()
    await page.keyboard.press("k")
    await expect(rows.nth(0).locator("a").first).to_be_focused()
    name = await rows.nth(0).get_attribute("id")
    await page.keyboard.press("x")
    await expect(rows.nth(0).locator("input[type=checkbox]")).to_be_checked()
    await page.keyboard.press("x")
    await page.keyboard.press("a")  # of nothing that is chosen, it is the row that has the focus
    await expect(page.locator("#notice")).to_contain_text("acknowledged")
    assert shop.worker.get(f"/api/v1/incidents/{name}")["status"] == "acknowledged"
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox").first).to_be_focused()
    await page.keyboard.type("jjxa?")
    await expect(page.get_by_role("searchbox").first).to_have_value("jjxa?")
    await page.keyboard.press("Escape")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("j")
    await page.keyboard.press("o")
    await page.wait_for_url("**/incidents/INC-*")
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await page.wait_for_url("**/dead-letters")
    assert count >= len(SERVICES)


async def test_keys_are_listed_in_place_and_turned_off(page: Page, shop: Site) -> None:
    await page.goto("/dead-letters")
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys that do something")
    await expect(dialog).to_contain_text("acknowledge")
    await page.keyboard.press("g")
    await page.keyboard.press("i")  # a dialog is in the way
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    assert page.url.endswith("/dead-letters")
    await page.goto("/keys")
    await page.get_by_role("button", name="Turn them off").click()
    await expect(page.get_by_role("button", name="Turn them on")).to_be_visible()
    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.url.endswith("/keys")
    assert shop.worker.url in page.url


async def test_keys_with_ctrl_or_alt_are_the_browser_s(page: Page, shop: Site) -> None:
    await page.goto(f"/incidents/{shop.names['incident']}")
    for key in ("Control+a", "Alt+a", "Meta+r", "Shift+A"):
        await page.keyboard.press(key)
    assert shop.worker.get(f"/api/v1/incidents/{shop.names['incident']}")["status"] == "open"


async def test_a_chart_is_read_by_keyboard_and_stays_without_a_script(
    page: Page, chromium: Browser, shop: Site
) -> None:
    path = f"/incidents/{shop.names['incident']}"
    await page.goto(path)
    chart = page.get_by_role("slider").first
    await chart.focus()
    first = await chart.get_attribute("aria-valuetext")
    await page.keyboard.press("ArrowLeft")
    second = await chart.get_attribute("aria-valuetext")
    assert first is not None
    assert second is not None
    assert first != second
    assert "event" in first
    await expect(page.locator(".reading").first).to_have_text(second)
    context = await chromium.new_context(java_script_enabled=False, base_url=shop.worker.url)
    plain = await context.new_page()
    await plain.goto(path)
    await expect(plain.locator("[data-chart] svg").first).to_be_visible()
    await context.close()

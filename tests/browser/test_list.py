"""The list of incidents in a browser that runs no script: what appears, what moves, what a button does."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect
from tests.browser.filling import Site

ROWS = "li[data-incident]"


@pytest.fixture
async def plain(chromium: Browser, empty_site: Site) -> AsyncIterator[Page]:
    """The list of three incidents, without a script."""
    for number, service in enumerate(("billing", "stock", "orders")):
        message = f"{service} is out of {'paper' * (number + 1)}"
        empty_site.worker.command("send", "--message", message, "--service", service, "--severity", "high")
    context = await chromium.new_context(
        java_script_enabled=False,
        base_url=empty_site.worker.url,
        viewport={"width": 1280, "height": 900},
    )
    page = await context.new_page()
    await page.goto("/?query=")
    yield page
    await context.close()


async def test_acts_appear_when_a_row_is_chosen_and_no_row_moves(plain: Page) -> None:
    await expect(plain.locator(ROWS)).to_have_count(3)
    bar = plain.get_by_role("group", name="What to do with the chosen incidents")
    await expect(bar).to_be_hidden()
    last = plain.locator(ROWS).nth(2)
    before = await last.bounding_box()
    await last.get_by_role("checkbox").check()
    await expect(bar).to_be_visible()
    assert await last.bounding_box() == before


async def test_chosen_incidents_are_acted_on_and_that_is_taken_back(plain: Page) -> None:
    for row in (0, 1):
        await plain.locator(ROWS).nth(row).get_by_role("checkbox").check()
    await plain.get_by_role("button", name="Acknowledge").click()
    await expect(plain.get_by_role("status")).to_contain_text("2 of 2 incidents are acknowledged")
    await expect(plain.locator(ROWS).filter(has_text="acknowledged")).to_have_count(2)
    await plain.get_by_role("button", name="Undo").click()
    await expect(plain.get_by_role("status")).to_contain_text("2 of 2 incidents are open again")


async def test_enter_in_a_field_of_an_act_does_nothing(plain: Page) -> None:
    await plain.locator(ROWS).first.get_by_role("checkbox").check()
    await plain.get_by_text("More ▾").click()
    await plain.get_by_label("Note").fill("not yet")
    await plain.get_by_label("Note").press("Enter")
    await expect(plain.get_by_label("Note")).to_have_value("not yet")
    await expect(plain.locator(".notice")).to_have_count(0)


async def test_filters_stand_open_where_there_is_room_and_fold_where_there_is_none(plain: Page) -> None:
    stock = plain.locator("#facets").get_by_role("link", name="stock")
    await expect(stock).to_be_visible()
    await plain.set_viewport_size({"width": 375, "height": 800})
    await expect(stock).to_be_hidden()
    await plain.get_by_text("Filter", exact=True).click()
    await stock.click()
    await expect(plain.locator(ROWS)).to_have_count(1)
    await expect(plain.get_by_label("Search")).to_have_value("service:stock")
    await plain.get_by_text("Filter", exact=True).click()
    await stock.click()
    await expect(plain.locator(ROWS)).to_have_count(3)


async def test_a_view_is_kept_and_forgotten(plain: Page) -> None:
    await plain.get_by_label("Search").fill("service:stock")
    await plain.get_by_role("button", name="Search").click()
    await plain.get_by_text("Keep as view").click()
    await plain.get_by_label("Name of this view").fill("Stock")
    await plain.get_by_role("button", name="Keep in this browser").click()
    view = plain.locator("#views").get_by_role("link", name="Stock")
    await expect(view).to_have_attribute("aria-current", "page")
    await plain.get_by_text("Keep as view").click()
    await plain.get_by_role("button", name="Forget Stock").click()
    await expect(view).to_have_count(0)

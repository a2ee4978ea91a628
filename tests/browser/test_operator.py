"""The operator's path through the page in a real Chromium, mostly without JavaScript."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect
from tests.servers.process import temporary_home
from tests.servers.worker import Worker

CHROMIUM: Final = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.may_block("the worker is started and asked synchronously"),
    pytest.mark.skipif(
        not CHROMIUM.exists() and "CI" not in os.environ,  # CI runs every test, or fails
        reason="Chromium is not installed; `make e2e` installs it",
    ),
]


@pytest.fixture
def worker() -> Iterator[Worker]:
    with temporary_home("browser") as home:
        worker = Worker(home)
        worker.start()
        yield worker
        worker.terminate()


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, worker: Worker) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False, base_url=worker.url)
    page = await context.new_page()
    said: list[ConsoleMessage] = []
    page.on("console", lambda message: said.append(message))  # noqa: PLW0108 - playwright takes no built-in method
    yield page
    assert [message.text for message in said] == [], "a policy was broken or something is missing"
    await context.close()


async def test_from_the_list_to_a_resolved_incident(worker: Worker, page: Page) -> None:
    worker.command("send", "--message", "gateway refused order 17", "--service", "billing")
    worker.command(
        "send", "--message", "<b>stock</b> is gone", "--service", "stock", "--severity", "critical"
    )
    await page.goto("/")
    await expect(page.get_by_role("listitem")).to_have_count(2)
    await page.get_by_label("Service").select_option("billing")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_role("listitem")).to_have_count(1)
    await page.get_by_role("link", name="gateway refused order").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("gateway refused order 17")
    await page.get_by_role("button", name="Acknowledge").click()
    await expect(page.get_by_role("complementary")).to_contain_text("acknowledged by page")
    await page.get_by_role("button", name="Resolve").click()
    await expect(page.get_by_role("button")).to_have_text(["Reopen"])
    await page.get_by_role("link", name="Incidents", exact=False).first.click()
    await expect(page.get_by_role("listitem")).to_have_count(1)
    await expect(page.get_by_role("link", name="<b>stock</b> is gone")).to_be_visible()


async def test_by_keyboard_alone(worker: Worker, page: Page) -> None:
    worker.command("send", "--message", "gateway refused order 17", "--service", "billing")
    await page.goto("/incidents/INC-1")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(2):  # the crumb, then the first button
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Resolve")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Reopen")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_a_small_screen_and_can_be_read(
    worker: Worker, browser: Browser, scheme: str
) -> None:
    long = "x" * 300
    event = worker.command(
        "send", "--message", long, "--service", long[:200], "--context", f"key={long}"
    ).strip()
    context = await browser.new_context(
        viewport={"width": 320, "height": 640},
        color_scheme="dark" if scheme == "dark" else "light",
        base_url=worker.url,
        bypass_csp=True,  # to measure; the policy itself holds in the tests above
    )
    page = await context.new_page()
    for path in (
        "/",
        "/incidents/INC-1",
        f"/e/{event}",
        "/dead-letters",
        "/?search=nothing",
        "/?query=service:billing%20severty:high",
        "/no-such-page",
    ):
        await page.goto(path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320, path
        assert await page.evaluate(CUT_OFF) == [], path
        assert await page.evaluate(FAINT) == [], path
    await context.close()


# What reaches beyond the screen, but for what can be scrolled there.
CUT_OFF: Final = """() => [...document.querySelectorAll("main *, header *, footer *")]
  .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && element.checkVisibility())
  .filter(element => !element.closest(".wide, .source, pre, .skip"))
  .map(element => [element.tagName, element.className])"""

# Text whose contrast with its nearest painted ground is below WCAG's 4.5, by its formula.
FAINT: Final = """() => {
  const channels = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b]
    .map(c => c / 255).map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = channels(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    const [a, b] = [channels(getComputedStyle(element).color), ground(element)].map(luminance);
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) faint.push([element.className, walker.currentNode.textContent.trim(), ratio]);
  }
  return faint;
}"""

"""The documentation's site, opened from the disk in Chromium."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.async_api import Browser
from tests.tools.documentation import build_site


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("documentation")
    build_site(place)
    return place


async def test_a_reader_without_a_server_finds_a_page_by_its_words(place: Path, chromium: Browser) -> None:
    page = await chromium.new_page()
    await page.goto((place / "index.html").as_uri())
    await page.click(".md-search__input")
    await page.keyboard.type("wrong password")
    found = page.locator(".md-search-result__link").first
    await found.wait_for(timeout=120_000)
    assert "password" in (await found.inner_text()).lower()
    assert _lies_on_the_disk(await found.evaluate("link => link.href"))


def _lies_on_the_disk(link: str) -> bool:
    address = urlsplit(link)
    return address.scheme == "file" and Path(unquote(address.path)).is_file()


async def test_nothing_is_asked_of_elsewhere(place: Path, chromium: Browser) -> None:
    page = await chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto((place / "start/first-event.html").as_uri())
    await page.wait_for_load_state("networkidle")
    assert asked
    assert [address for address in asked if not address.startswith(("file:", "data:", "about:"))] == []


@pytest.mark.parametrize(
    "name", ["index", "operate/when-it-breaks", "reference/configuration", "reference/api", "readme"]
)
async def test_a_page_fits_a_phone(name: str, place: Path, chromium: Browser) -> None:
    page = await chromium.new_page(viewport={"width": 375, "height": 800})
    await page.goto((place / f"{name}.html").as_uri())
    assert await page.evaluate("document.documentElement.scrollWidth") <= 375

"""Chromium for all tests of a module, and the workers that they walk."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright
from tests.browser.filling import Site, site_of

CHROMIUM: Final = Path("/usr/bin/chromium")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this layer is `make e2e`'s, and needs Chromium."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.may_block("workers are started and asked synchronously"))
            item.add_marker(
                pytest.mark.skipif(_is_missing(), reason="Chromium is not installed; `make e2e` does it")
            )


def _is_missing() -> bool:
    return not CHROMIUM.exists() and "CI" not in os.environ  # CI runs every test, or fails


@pytest.fixture(scope="module")
def empty_site() -> Iterator[Site]:
    """A worker at its first start."""
    with site_of() as site:
        yield site


@pytest.fixture(scope="module")
def whole_site() -> Iterator[Site]:
    """A worker after a few days, which was lied to as well."""
    with site_of("full", "absurd") as site:
        yield site


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """A browser of the test's own, in its loop."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()

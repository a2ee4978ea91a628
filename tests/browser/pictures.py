"""``python -m tests.browser.pictures DIR [NAME …]``: pictures of every page, for whoever changes one.

A full, an empty and an absurd store, at 1280, 768 and 375 pixels, light and dark; with names, those pages
alone. Prints what each page loads.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, StorageState, async_playwright
from tests.browser.conftest import CHROMIUM
from tests.browser.filling import Site, site_of
from tests.browser.pages import Place
from tests.browser.walking import come_to, cookies_of, new_context, places_of, weigh

KINDS: Final = {"full": ("full",), "empty": (), "absurd": ("full", "absurd")}
WIDTHS: Final = (1280, 768, 375)
_TALLEST: Final = 6_000
"""Pixels of a page that are taken: nobody looks at more."""


async def take_all(folder: Path, names: Sequence[str]) -> None:
    """Take the pictures of each kind of store into a folder of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for kind, filled in KINDS.items():
            (folder / kind).mkdir(parents=True, exist_ok=True)
            with site_of(*filled) as site:
                await _take_kind(browser, site, folder / kind, names)
        await browser.close()


async def _take_kind(browser: Browser, site: Site, folder: Path, names: Sequence[str]) -> None:
    state = await cookies_of(browser, site)
    for place, path in (*places_of(site, is_open=False), *places_of(site, is_open=True)):
        if names and place.name not in names:
            continue
        known = None if place.is_open else state
        for width in WIDTHS:
            await _take(browser, site, (place, path), known, folder / f"{place.name}-{width}")
        await _print_weight(browser, site, (place, path), known)


async def _take(
    browser: Browser, site: Site, where: tuple[Place, str], state: StorageState | None, file: Path
) -> None:
    width = int(file.name.rpartition("-")[2])
    context = await new_context(browser, site, state, width)
    page = await context.new_page()
    await come_to(page, *where)
    height = min(_TALLEST, int(await page.evaluate("document.documentElement.scrollHeight")))
    for scheme in ("light", "dark") if width != WIDTHS[1] else ("light",):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        clip = {"x": 0, "y": 0, "width": width, "height": height}
        await page.screenshot(path=f"{file}-{scheme}.png", full_page=True, clip=clip)  # type: ignore[arg-type]
    await context.close()


async def _print_weight(
    browser: Browser, site: Site, where: tuple[Place, str], state: StorageState | None
) -> None:
    context = await new_context(browser, site, state)
    weight = await weigh(context, where[1])
    await context.close()
    whole = weight.document + weight.files + weight.others
    print(f"{where[0].name:<22}{weight.requests:>3} requests {whole:>9,} bytes", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(take_all(Path(sys.argv[1]), sys.argv[2:]))

"""Every page, walked by a browser: what it may not do, what nobody may miss in it, and what it weighs."""

import re
from typing import Final

import pytest
from playwright.async_api import Browser
from tests.browser.filling import Site
from tests.browser.judging import find_invalid
from tests.browser.pages import NO_PAGES, PAGES
from tests.browser.walking import cookies_of, new_context, places_of, walk, weigh

from faultwire_consumer.web.page.routes import PAGE_ROUTES

BUDGET_BYTES: Final = 60 * 1024

pytestmark = pytest.mark.timeout(1200)


def test_every_route_that_gives_a_page_is_walked() -> None:
    routes = {route.path for table in PAGE_ROUTES for route in table if route.method == "GET"}
    walked = [place.path.partition("?")[0] for place in PAGES]
    missing = [
        route for route in sorted(routes - {*NO_PAGES}) if not any(_is_of(path, route) for path in walked)
    ]
    assert missing == [], "add it to tests/browser/pages.py"


def _is_of(path: str, route: str) -> bool:
    return re.fullmatch(re.sub(r"\{[^{}]*\}", "[^/]+", route), path) is not None


async def test_every_page_of_a_worker_that_knows_nothing_yet(chromium: Browser, empty_site: Site) -> None:
    found = await walk(chromium, empty_site)
    complain(found.problems, find_invalid(found.texts))


async def test_every_page_whatever_was_sent_to_it(chromium: Browser, whole_site: Site) -> None:
    """The store holds a few days of a shop, and hostile text in every field that there is."""
    found = await walk(chromium, whole_site)
    complain(found.problems, find_invalid(found.texts))


def complain(*lists: list[str]) -> None:
    said = list(dict.fromkeys(one for found in lists for one in found))
    if said:
        pytest.fail("\n".join([f"{len(said)} findings", *said]), pytrace=False)


async def test_what_a_page_loads_is_below_the_budget(chromium: Browser, whole_site: Site) -> None:
    state = await cookies_of(chromium, whole_site)
    print(f"\n{'page':<18}{'requests':>9}{'page':>9}{'files':>9}{'others':>9}  bytes, as sent")
    for place, path in places_of(whole_site, is_open=False):
        context = await new_context(chromium, whole_site, state)
        weight = await weigh(context, path)
        await context.close()
        print(
            f"{place.name:<18}{weight.requests:>9}{weight.document:>9,}{weight.files:>9,}{weight.others:>9,}"
        )
        assert 0 < weight.files < BUDGET_BYTES, place.name

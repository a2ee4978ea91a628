"""A walk through every page: opened once, and looked at as all of its readers see it."""

from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import Browser, BrowserContext, Page, Request, Response, StorageState, ViewportSize
from tests.browser.filling import PASSWORD, Site
from tests.browser.judging import (
    CONTRAST,
    Watch,
    find_barriers,
    find_doubled_ids,
    find_overflow,
)
from tests.browser.pages import PAGES, Place

WIDE: Final[ViewportSize] = {"width": 1280, "height": 900}
NARROW: Final[ViewportSize] = {"width": 320, "height": 640}


@dataclass
class Walk:
    """What was found on the way, by page."""

    problems: list[str] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    """The pages as they were sent, for the HTML checker."""

    def note(self, place: Place, state: str, found: list[str]) -> None:
        """Keep what was found, with where."""
        self.problems += [f"{place.name}, {state}: {one}" for one in found]


def places_of(site: Site, *, is_open: bool) -> list[tuple[Place, str]]:
    """The pages that this worker has, with their addresses."""
    known = [place for place in PAGES if place.is_open is is_open and (site.is_closed or not place.is_closed)]
    return [(place, path) for place in known if (path := path_of(place, site)) is not None]


def path_of(place: Place, site: Site) -> str | None:
    """Where a page is; None where this worker has nothing to show there."""
    if place.needs and place.needs not in site.names:
        return None
    try:
        return place.path.format_map(site.names)
    except KeyError:
        return None


async def new_context(
    browser: Browser,
    site: Site,
    state: StorageState | None = None,
    width: int = 1280,
    *,
    has_scripts: bool = True,
) -> BrowserContext:
    """A browser's window on a worker, with nothing in its cache and the cookies that it is given."""
    size: ViewportSize = {"width": width, "height": WIDE["height"]}
    return await browser.new_context(  # without motion, for a colour on its way is none that anybody reads
        base_url=site.worker.url,
        viewport=size,
        storage_state=state,
        reduced_motion="reduce",
        java_script_enabled=has_scripts,
    )


async def sign_in(page: Page, site: Site) -> None:
    """Come in as ada: by her invitation, or by the password that she set with it."""
    if not site.is_closed:
        return
    if site.link:
        await page.goto(site.link)
        await page.locator("input[name=again]").fill(PASSWORD)
        site.link = ""
    else:
        await page.goto("/sign-in")
        await page.locator("input[name=name]").fill("ada")
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.locator("main button[type=submit]").click()
    await page.wait_for_url("**/")


async def cookies_of(browser: Browser, site: Site) -> StorageState:
    """What a browser keeps that ada came in with; she comes in once."""
    if site.cookies is None:
        context = await new_context(browser, site)
        await sign_in(await context.new_page(), site)
        site.cookies = await context.storage_state()
        await context.close()
    return site.cookies


async def walk(browser: Browser, site: Site) -> Walk:
    """Look at every page of a worker, first of those for strangers."""
    found = Walk()
    context = await new_context(browser, site)
    page = await context.new_page()
    watch = Watch(page, site.worker.url)
    for place, path in places_of(site, is_open=True):
        await look(page, place, path, found, watch)
    await sign_in(page, site)
    for place, path in places_of(site, is_open=False):
        await look(page, place, path, found, watch)
    await context.close()
    return found


async def come_to(page: Page, place: Place, path: str) -> Response:
    """Open a page's path, and press what leads on to it."""
    answer = await page.goto(path)
    for number, selector in enumerate(place.presses, start=1):
        pressed = page.locator(selector).first
        if number < len(place.presses):
            await pressed.check()
            continue
        async with page.expect_navigation() as navigation:
            await pressed.click()
        answer = await navigation.value
    assert answer is not None
    return answer


async def look(page: Page, place: Place, path: str, found: Walk, watch: Watch) -> None:
    """Look at one page in every way; it is loaded once."""
    await page.set_viewport_size(WIDE)
    await page.emulate_media(color_scheme="light", forced_colors="none")
    answer = await come_to(page, place, path)
    if answer.status != place.status:
        found.note(place, "at once", [f"status {answer.status}, not {place.status}"])
    found.texts[place.name] = await answer.text()
    found.note(place, "light", await find_barriers(page) + await find_doubled_ids(page))
    await page.emulate_media(color_scheme="dark")
    found.note(place, "dark", await find_barriers(page, CONTRAST))
    await page.emulate_media(color_scheme="light", forced_colors="active")
    await page.set_viewport_size(NARROW)
    found.note(place, "320 px", await find_overflow(page))
    await _open_all(page)
    found.note(
        place,
        "320 px, forced colours, all open",
        await find_overflow(page) + await find_barriers(page, but=CONTRAST),  # the system's own
    )
    found.note(place, "to the end", watch.take())


async def _open_all(page: Page) -> None:
    """Unfold everything and choose the first row, as somebody does before acting."""
    await page.evaluate("() => { for (const one of document.querySelectorAll('details')) one.open = true; }")
    box = page.locator("main [data-incident] input[type=checkbox]").first
    if await box.count():
        await box.check()


@dataclass
class Weight:
    """What a page takes of a line, with nothing in the browser's cache: bytes as they were sent."""

    requests: int = 0
    document: int = 0
    files: int = 0
    """Scripts and styles."""
    others: int = 0


async def weigh(context: BrowserContext, path: str) -> Weight:
    """Load a page and add up what came; a stream that goes on is a request without weight."""
    page = await context.new_page()
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))  # noqa: PLW0108 - playwright takes no built-in method
    await page.goto(path)
    weight = Weight(requests=len(asked))
    for request in asked:
        if request.resource_type == "eventsource":
            continue
        size = max(0, (await request.sizes())["responseBodySize"])  # below 0 for what was in memory
        if request.resource_type == "document":
            weight.document += size
        elif request.resource_type in ("script", "stylesheet"):
            weight.files += size
        else:
            weight.others += size
    await page.close()
    return weight

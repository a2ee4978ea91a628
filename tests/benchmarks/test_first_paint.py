"""The page beside Bugsink's, with the same events in both: when a browser behind a slow line paints first."""

import asyncio
import os
import urllib.request
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from itertools import islice
from statistics import median
from typing import Any, Final

import pytest
from msgspec import Struct
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from tests.benchmarks import bugsink
from tests.benchmarks.report import report
from tests.servers.process import run, temporary_home
from tests.servers.worker import Worker
from tests.tools.corpus.python import python_samples

from faultwire_shared import codec

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(3600),
    pytest.mark.may_block("both are started, filled and asked synchronously"),
]

CHROMIUM: Final = "/usr/bin/chromium"
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
LOADS: Final = 5
"""Of each page in a round, of which the median counts."""
_BATCH: Final = 25
_SLOW_LINE: Final = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 200_000,
    "uploadThroughput": 93_750,
}
"""Milliseconds, and bytes a second: a mobile phone in the country."""
_PAINTED: Final = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
_SIGN_IN: Final = """
import django; django.setup()
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.sessions.backends.db import SessionStore
user = get_user_model().objects.create_superuser(username="ada@example.org", password="of a benchmark")
session = SessionStore()
session["_auth_user_id"] = str(user.pk)
session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[0]
session["_auth_user_hash"] = user.get_session_auth_hash()
session.save()
print(settings.SESSION_COOKIE_NAME, session.session_key)
"""


class Site(Struct, frozen=True, kw_only=True):
    """A tracker that runs: its address, its pages, and what a browser sends along."""

    url: str
    pages: dict[str, str]
    headers: dict[str, str] = {}
    cookies: dict[str, str] = {}


def test_first_paint_beside_bugsink() -> None:
    if why_not := bugsink.install():
        print(f"\nTHE FIRST PAINT IS NOT MEASURED: Bugsink cannot be installed here.\n{why_not}")
        return
    bodies = [sample.body for sample in python_samples()]
    with ours(bodies) as our, theirs(bodies) as their:
        asyncio.run(compare(our, their, len(bodies)))


async def compare(our: Site, their: Site, events: int) -> None:
    """Load the pages of both in turns, with an empty cache and with a filled one, and report the ratios."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for name in our.pages:
            rounds = [[await paint(browser, site, name) for site in (our, their)] for _ in range(ROUNDS)]
            for number, cache in enumerate(("an empty", "a filled")):
                pairs = [(mine[number], other[number]) for mine, other in rounds]
                report(
                    f"first paint of the {name} / Bugsink's, {cache} cache, {events:,} events",
                    "none",
                    [mine / other for mine, other in pairs],
                    {"ms": [mine for mine, _ in pairs], "against": [other for _, other in pairs]},
                )
        await browser.close()


async def paint(browser: Browser, site: Site, name: str) -> tuple[float, float]:
    """Milliseconds to a page's first paint: of a browser that never saw the site, and of one that did."""
    cold, warm = [], []
    for _ in range(LOADS):
        async with browsing(browser, site) as page:
            cold.append(await _load(page, site.pages[name]))
            warm.append(await _load(page, site.pages[name]))
    return median(cold), median(warm)


@asynccontextmanager
async def browsing(browser: Browser, site: Site) -> AsyncIterator[Page]:
    """A page of a browser that is signed in, behind a slow line."""
    context: BrowserContext = await browser.new_context(base_url=site.url, extra_http_headers=site.headers)
    cookies: list[Any] = [
        {"name": name, "value": value, "url": site.url} for name, value in site.cookies.items()
    ]
    if cookies:
        await context.add_cookies(cookies)
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.emulateNetworkConditions", _SLOW_LINE)
    try:
        yield page
    finally:
        await context.close()


async def _load(page: Page, path: str) -> float:
    answer = await page.goto(path, wait_until="load")
    assert answer is not None
    assert answer.status == 200, await answer.text()
    assert page.url.endswith(path), f"it led to {page.url}"
    await page.wait_for_function(_PAINTED)
    return float(await page.evaluate(_PAINTED))


@contextmanager
def ours(bodies: Sequence[bytes]) -> Iterator[Site]:
    """A worker on SQLite with these events."""
    with temporary_home("paint") as home:
        worker = Worker(home)
        worker.start()
        try:
            rest = iter(bodies)
            while batch := list(islice(rest, _BATCH)):
                _post(f"{worker.url}/ingest/v1/events", b"[" + b",".join(batch) + b"]")
            found = worker.get("/api/v1/incidents?limit=1000")["incidents"]
            most = max(found, key=lambda incident: int(incident["count"]))["id"]
            yield Site(url=worker.url, pages={"list": "/", "incident": f"/incidents/{most}"})
        finally:
            worker.kill()


@contextmanager
def theirs(bodies: Sequence[bytes]) -> Iterator[Site]:
    """Bugsink on SQLite with the same events, and somebody who is signed in there."""
    ids = [uuid.uuid4().hex for _ in bodies]
    sent = [
        bugsink.in_sentrys_words(codec.decode(body), event_id)
        for body, event_id in zip(bodies, ids, strict=True)
    ]
    with temporary_home("bugsink") as home:
        installed = bugsink.set_up(home)
        with bugsink.running(installed) as (port, _):
            bugsink.send(port, installed.key, sent)
            issues = bugsink.groups_of(installed, ids)
            most = str(uuid.UUID(max(set(issues), key=issues.count)))
            signing_in = [str(bugsink.HOME / "bin" / "python"), "-c", _SIGN_IN]
            name, session = run(signing_in, installed.environment).split()
            yield Site(
                url=f"http://localhost:{port}",
                pages={"list": "/issues/1/", "incident": f"/issues/issue/{most}/event/last/"},
                headers={name: value for name, value in bugsink.HEADERS.items() if name != "Host"},
                cookies={name: session},
            )


def _post(url: str, body: bytes) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310 - of the worker
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
        assert answer.status == 202

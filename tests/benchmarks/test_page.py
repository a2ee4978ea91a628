"""The page: its cost beside that of the API for the same data, and when a reader sees it beside Bugsink's.

The first contentful paint is Chromium's own figure, on a cold cache over a network that is throttled to a
phone's: 150 ms of latency and 1.6 Mbit/s. Both show the same events.
"""

import asyncio
import os
import time
import urllib.request
import uuid
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import pytest
from playwright._impl._api_structures import SetCookieParam  # what add_cookies takes; it is not exported
from playwright.async_api import Browser, BrowserContext, async_playwright
from tests.benchmarks import bugsink
from tests.benchmarks.filling import fill_sqlite
from tests.benchmarks.report import report
from tests.servers.process import temporary_home
from tests.servers.worker import Worker
from tests.tools.corpus.python import python_samples

from faultwire_shared import codec

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(3600),
    pytest.mark.may_block("workers are started and asked synchronously"),
]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
SCALE: Final = min(int(os.environ.get("SCALE", "1000000")), 1_000_000)
ASKED: Final = int(os.environ.get("BENCH_ASKED", "200"))
CHROMIUM: Final = Path("/usr/bin/chromium")
NETWORK: Final = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1_600_000 / 8,
    "uploadThroughput": 750_000 / 8,
}
PASSWORD: Final = "paint-and-paint-again"  # noqa: S105 - of a database that is thrown away
_LIST: Final = ("/", "/api/v1/incidents?limit=50&sort=urgent")
_PAINT: Final = """() => new Promise(resolve => {
  const seen = () => performance.getEntriesByName("first-contentful-paint")[0];
  const look = () => seen() ? resolve(seen().startTime) : setTimeout(look, 20);
  look();
})"""


def test_p1_page_beside_its_api() -> None:
    with temporary_home("page") as home:
        filled = asyncio.run(fill_sqlite(home / "faultwire.db", SCALE))
        worker = Worker(home)
        worker.start()
        try:
            hot = max(worker.get("/api/v1/incidents?limit=1000")["incidents"], key=lambda one: one["count"])
            asked = {
                "list": _LIST,
                "incident": (f"/incidents/{hot['id']}", f"/api/v1/incidents/{hot['id']}"),
            }
            for name, paths in asked.items():
                p99 = [_ask(worker, paths) for _ in range(ROUNDS)]
                seen = {"ms": [page * 1e3 for page, _ in p99], "against": [api * 1e3 for _, api in p99]}
                text = f"P1 {name} as a page / by the API, p99, SQLite of {filled:,} events"
                report(text, "at most 3", [page / api for page, api in p99], seen)
        finally:
            worker.kill()


def _ask(worker: Worker, paths: Sequence[str]) -> tuple[float, float]:
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(ASKED):
        for which in (0, 1) if number % 2 else (1, 0):
            started = time.perf_counter()
            assert worker.get_text(paths[which])
            took[which].append(time.perf_counter() - started)
    page, api = (sorted(one)[ASKED * 99 // 100] for one in took)
    return page, api


async def test_p2_first_paint_beside_bugsink() -> None:
    if why_not := bugsink.install():
        print(f"\nP2 IS NOT MEASURED: Bugsink cannot be installed here.\n{why_not}")
        return
    samples = list(islice(python_samples(), 200))
    with temporary_home("theirs") as their_home, temporary_home("ours") as our_home:
        installed = bugsink.set_up(their_home)
        bugsink.add_user(installed, "ada", PASSWORD)
        worker = Worker(our_home)
        worker.start()
        try:
            _send_ours(worker, [sample.body for sample in samples])
            with bugsink.running(installed) as (port, _):
                ids = [uuid.uuid4().hex for _ in samples]
                events = [
                    bugsink.in_sentrys_words(codec.decode(sample.body), event_id)
                    for sample, event_id in zip(samples, ids, strict=True)
                ]
                bugsink.send(port, installed.key, events)
                issues = bugsink.groups_of(installed, ids)
                addresses = {
                    "list": (f"{worker.url}/", f"http://localhost:{port}/issues/1/"),
                    "incident": (
                        f"{worker.url}/incidents/INC-1",
                        f"http://localhost:{port}/issues/issue/{issues[0]}/event/last/",
                    ),
                }
                await _paint_all(addresses, f"http://localhost:{port}")
        finally:
            worker.kill()


def _send_ours(worker: Worker, bodies: Sequence[bytes]) -> None:
    batch = msgspec.json.encode([msgspec.Raw(body) for body in bodies])
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{worker.url}/ingest/v1/events", batch, headers)  # noqa: S310 - our own http
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own http
        assert answer.status == 202


async def _paint_all(addresses: dict[str, tuple[str, str]], their_url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        cookies = await _sign_in(browser, their_url)
        for name, (ours, theirs) in addresses.items():
            painted = [
                (await _paint(browser, ours, []), await _paint(browser, theirs, cookies))
                for _ in range(ROUNDS)
            ]
            seen = {"ms": [one for one, _ in painted], "Bugsink's": [other for _, other in painted]}
            text = f"P2 first paint on a phone's network, {name}, ours / Bugsink's"
            report(text, "at most 1", [one / other for one, other in painted], seen)
        await browser.close()


async def _sign_in(browser: Browser, their_url: str) -> Sequence[SetCookieParam]:
    context = await _context(browser, theirs=True)
    page = await context.new_page()
    await page.goto(f"{their_url}/accounts/login/")
    await page.fill("input[name=username]", "ada")
    await page.fill("input[name=password]", PASSWORD)
    await page.click("button[type=submit], input[type=submit]")
    await page.wait_for_url(lambda url: "login" not in url)
    cookies = [
        SetCookieParam(name=one["name"], value=one["value"], url=their_url)  # as plain http: so it is here
        for one in await context.cookies()
        if "name" in one and "value" in one
    ]
    await context.close()
    return cookies


async def _context(browser: Browser, *, theirs: bool) -> BrowserContext:
    headers = {"X-Forwarded-Proto": "https", "X-Real-IP": "127.0.0.1"} if theirs else {}
    return await browser.new_context(viewport={"width": 375, "height": 812}, extra_http_headers=headers)


async def _paint(browser: Browser, address: str, cookies: Sequence[SetCookieParam]) -> float:
    """Milliseconds until something can be read, with nothing in the cache."""
    context = await _context(browser, theirs=bool(cookies))
    if cookies:
        await context.add_cookies(cookies)
    page = await context.new_page()
    wire = await context.new_cdp_session(page)
    await wire.send("Network.enable")
    await wire.send("Network.emulateNetworkConditions", NETWORK)
    answer = await page.goto(address)
    assert answer is not None
    assert answer.status == 200, (address, answer.status)
    assert "login" not in page.url
    painted = float(await page.evaluate(_PAINT))
    await context.close()
    return painted

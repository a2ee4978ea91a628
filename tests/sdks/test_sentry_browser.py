"""Sentry's SDK in Chromium, on a page of another origin: what it reports arrives, and it reads the answer."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, sync_playwright
from tests.sdks import npm
from tests.sdks.reporting import Reported, is_handled, only

DSNS: Final = ("browser", "rebuilt")
TOKENS: Final = ("otel-browser",)
CHROMIUM: Final = Path("/usr/bin/chromium")

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed; `make e2e` does it"),
]

_PAGE: Final = """<!doctype html><html lang="en"><title>Shop</title>
<button id="pay">Pay</button><button id="say">Say</button><button id="promise">Promise</button>
<script src="/page.bundle.js"></script></html>"""


class _Handler(SimpleHTTPRequestHandler):
    worker = ""

    def end_headers(self) -> None:
        # What the guide asks a page with a policy of its own to add.
        policy = f"default-src 'self'; connect-src 'self' {self.worker}"
        self.send_header("Content-Security-Policy", policy)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        return


@contextmanager
def page_served(directory: Path, worker: str) -> Iterator[str]:
    """The address of the shop's page, which may connect to the worker alone."""
    (directory / "index.html").write_text(_PAGE)
    handler = type("Handler", (_Handler,), {"worker": worker})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def opened(url: str) -> Iterator[tuple[Page, list[str]]]:
    """A page in Chromium, and what its console and network complained of."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        complaints: list[str] = []
        page.on(
            "console", lambda said: complaints.append(said.text) if "polic" in said.text.lower() else None
        )
        page.on("requestfailed", lambda failed: complaints.append(f"{failed.url}: {failed.failure}"))
        page.goto(url)
        yield page, complaints
        browser.close()


def build(directory: Path, modules: Path, *, before: str = "") -> None:
    """Bundle and minify the shop's program, with something of another build before it."""
    directory.mkdir()
    source = npm.place_program("page.js", modules, directory)
    source.write_text(before + source.read_text())
    npm.bundle(source, modules, minify=True)


def address(served: str, dsn: str) -> str:
    return f"{served}?dsn={quote(dsn, safe='')}"


def test_what_a_page_of_another_origin_reports_arrives_and_groups(
    reported: Reported, modules: Path, tmp_path: Path
) -> None:
    build(tmp_path / "page", modules)
    with (
        page_served(tmp_path / "page", reported.worker.url) as served,
        opened(address(served, reported.dsns["browser"])) as (page, complaints),
    ):
        page.click("#pay")
        page.click("#promise")
        page.click("#say")
        assert page.evaluate("window.flushed()"), "all was answered"
        assert read_limits(page, reported.dsns["browser"]).startswith("86400:transaction")
        events = reported.wait_for("browser", 3)
        assert complaints == []
    assert sorted(reported.incidents("browser").values()) == [1, 1, 1]
    look_at_payment(only(events, "PaymentError"), served)
    (rejected,) = only(events, "RangeError")
    assert (is_handled(rejected), rejected["message"]) == (False, "no address")
    (said,) = [one for one in events if one["message"] == "the cache is cold"]
    assert (said["severity"], is_handled(said)) == ("medium", True)


def read_limits(page: Page, dsn: str) -> str:
    """The header that tells what is not stored, as a script of the page may read it."""
    key, _, rest = dsn.removeprefix("http://").partition("@")
    host, _, project = rest.partition("/")
    url = f"http://{host}/api/{project}/envelope/?sentry_version=7&sentry_key={key}"
    asked = (
        "async url => (await fetch(url, {method: 'POST', body: '{}'})).headers.get('x-sentry-rate-limits')"
    )
    limits: str = page.evaluate(asked, url)
    return limits


def look_at_payment(events: list[dict[str, Any]], served: str) -> None:
    (event,) = events
    assert event["exceptions"][0]["value"] == "gateway refused order 17"
    assert "TypeError" in [one["type"] for one in event["exceptions"]]
    assert event["exceptions"][0]["frames"]
    assert not is_handled(event), "though the SDK says so of the cause alone"
    assert (event["release"], event["environment"]) == ("shop-web@2.0.1", "staging")
    assert (event["user"]["id"], event["tags"]["region"]) == ("42", "eu-central-1")
    assert "ui.click" in [crumb.get("category") for crumb in event["breadcrumbs"]]
    assert event["request"]["url"].startswith(served)
    assert len(event["trace_id"]) == 32
    assert event["sdk"]["name"] == "sentry.javascript.browser"


def test_the_next_build_of_a_page_fails_in_the_same_incident(
    reported: Reported, modules: Path, tmp_path: Path
) -> None:
    later = (
        "const greet = (name) => console.log(`hello ${name}`); const all = ['a', 'b']; all.forEach(greet);\n"
    )
    for name, before in (("first", ""), ("second", later)):
        build(tmp_path / name, modules, before=before)
        with (
            page_served(tmp_path / name, reported.worker.url) as served,
            opened(address(served, reported.dsns["rebuilt"])) as (page, _),
        ):
            page.click("#pay")
            assert page.evaluate("window.flushed()"), "all was answered"
    reported.wait_for("rebuilt", 2)
    assert list(reported.incidents("rebuilt").values()) == [2]


def test_a_page_may_send_otlp_with_a_token_of_its_own(
    reported: Reported, modules: Path, tmp_path: Path
) -> None:
    build(tmp_path / "page", modules)
    record = '{"severityNumber": 17, "body": {"stringValue": "no stock left"}}'
    body = f'{{"resourceLogs": [{{"scopeLogs": [{{"logRecords": [{record}]}}]}}]}}'
    send = """async ([url, token, body]) => (await fetch(url, {method: 'POST', body, headers: {
        'Authorization': `Bearer ${token}`, 'Content-Type': 'application/json'}})).status"""
    with (
        page_served(tmp_path / "page", reported.worker.url) as served,
        opened(served) as (page, complaints),
    ):
        url = f"{reported.worker.url}/v1/logs"
        assert page.evaluate(send, [url, reported.tokens["otel-browser"], body]) == 200
        assert complaints == []
    (event,) = reported.wait_for("otel-browser", 1)
    assert (event["message"], event["severity"]) == ("no stock left", "high")

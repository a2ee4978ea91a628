"""Text that was written to do harm comes out harmless wherever it is shown, whatever field it stood in."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from mcp import Client
from mcp.types import TextContent
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock
from tests.tools.hostile import MULTIPLIED, TEXTS, PageReader, hostile_event, outside_of_code, steering
from tests.tools.recording import RecordingSender
from tests.tools.terminal import STYLE, run_on_terminal

from faultwire import configure_logging
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.message import json_of, message_of
from faultwire_consumer.notify.senders.log import LogSender
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.event import ErrorSeverity

API = "/api/v1"
PAGES_MOST = 150
MEBIBYTE = 1024 * 1024
SECTIONS = ("/", "/dead-letters", "/producers", "/releases", "/told", "/rules", "/keys", "/api/docs")

pytestmark = [
    pytest.mark.may_block("the shipped policy is a file"),
    pytest.mark.patient("every surface with every text"),
]


@pytest.fixture
async def planted(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker whose store has every text in every field, in histories, and in a dead letter."""
    async with serve(store, clock) as site:
        for number, text in enumerate(TEXTS.values(), start=1):
            await site.send(severity=ErrorSeverity.CRITICAL, **hostile_event(text))
            name = f"{API}/incidents/INC-{number}"
            for verb, body in (
                ("comment", {"note": text, "actor": text}),
                ("assign", {"to": text}),
                ("resolve", {"release": text, "environment": text}),
                ("link", {"url": f"https://git.example/{quote(text, safe='')}"}),
            ):
                status, answer = await site.post(f"{name}/{verb}", body)
                assert status in (200, 400), answer
            await site.send_body(json.dumps({"id": text, "service": text, "message": text}).encode())
        yield site


@pytest.fixture
async def told(planted: Site) -> RecordingSender:
    """A receiver that was told of everything."""
    sender = RecordingSender()
    dispatcher = Dispatcher(planted.store, {"log": sender}, metrics=Metrics(), clock=planted.clock)
    planted.clock.advance(timedelta(minutes=10))
    await dispatcher.run_once()
    assert sender.received
    return sender


async def texts_of(site: Site, path: str) -> str:
    async with site.client.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        return (await answer.read()).decode()


async def test_json_keeps_the_text_as_it_was_and_is_json_to_whoever_looks(planted: Site) -> None:
    for path in ("incidents", "events", "dead-letters", "producers", "releases", "stats", "alerts"):
        async with planted.client.get(f"{API}/{path}") as answer:
            raw = (await answer.read()).decode()
            assert answer.headers["Content-Type"].startswith("application/json")
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not any(ord(sign) < 0x20 for sign in raw), path
        json.loads(raw)
    for number, text in enumerate(TEXTS.values(), start=1):
        _, document = await planted.get(f"{API}/incidents/INC-{number}")
        assert document["history"][-2]["note"] == text.strip() or "comment" not in str(document["history"])
        _, listed = await planted.get(f"{API}/incidents/INC-{number}/events")
        _, event = await planted.get(f"{API}/events/{listed['events'][0]['id']}")
        assert event["message"] == text
        assert event["exceptions"][0]["value"] == text


async def test_an_export_has_one_line_for_each_event(planted: Site) -> None:
    raw = await texts_of(planted, f"{API}/events/export?limit=1000")
    lines = raw.split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(TEXTS)
    assert not any(ord(sign) < 0x20 for line in lines for sign in line)
    assert {json.loads(line)["message"] for line in lines} == set(TEXTS.values())


async def test_a_report_shows_it_in_code_that_nothing_inside_closes(planted: Site) -> None:
    for number, text in enumerate(TEXTS.values(), start=1):
        _, listed = await planted.get(f"{API}/incidents/INC-{number}/events")
        event = listed["events"][0]["id"]
        for path in (f"incidents/INC-{number}", f"events/{event}"):
            report = await texts_of(planted, f"{API}/{path}/report?characters=100000")
            assert steering(report) == [], path
            assert not any(line in outside_of_code(report) for line in _telling(text)), path


async def test_an_agent_reads_it_as_data(planted: Site) -> None:
    url = str(planted.client.make_url("/mcp"))
    async with Client(url, read_timeout_seconds=120) as agent:
        asked: list[tuple[str, dict[str, Any]]] = [
            ("find_incidents", {"limit": 100}),
            ("find_events", {"limit": 100}),
            ("list_losses", {}),
            *(("show_incident", {"id": f"INC-{number}"}) for number in range(1, len(TEXTS) + 1)),
        ]
        for tool, arguments in asked:
            result = await agent.call_tool(tool, arguments)
            (content,) = result.content
            assert isinstance(content, TextContent)
            assert not result.is_error, content.text
            assert steering(content.text) == []
            outside = outside_of_code(content.text)
            assert not any(line in outside for text in TEXTS.values() for line in _telling(text))


def _telling(text: str) -> list[str]:
    """The lines of a text that no output of ours says by itself."""
    return [line.strip() for line in text.splitlines() if len(line.strip()) > len("seconds")]


async def test_a_notification_is_plain_lines_and_its_json_is_ascii(told: RecordingSender) -> None:
    for notification in told.received:
        message = message_of(notification)
        assert steering(message.subject + message.text, allowed="\n") == []
        assert "\n" not in message.subject
        body = json_of(notification)
        assert not set(body) & {*range(0x20), *range(0x7F, 0x100), *b"<>&"}
        json.loads(body)


async def test_a_line_of_the_log_stays_one_line(told: RecordingSender, tmp_path: Path) -> None:
    console, file = io.StringIO(), tmp_path / "app.log"
    names = ("faultwire_consumer.notify.senders.log",)
    with configure_logging(names[0], file, stream=console, file_level="DEBUG"):
        for notification in told.received:
            await LogSender("log").send(notification)
    lines = await asyncio.to_thread(file.read_text)
    assert len(lines.splitlines()) == lines.count("\n") == len(told.received)
    assert all(json.loads(line)["message"] == "notification.logged" for line in lines.splitlines())
    assert steering(lines + STYLE.sub("", console.getvalue()), allowed="\n") == []
    assert console.getvalue().count("\n") == len(told.received)


SHOWN = [[*TEXTS].index(name) + 1 for name in ("ansi", "markup", "tab", "direction", "lines")]
COMMANDS = [
    *(["incidents", "list"], ["events", "list"], ["dead-letters", "list"], ["dead-letters", "show", "1"]),
    *(["alerts", "list"], ["producers", "list"], ["releases", "list"], ["stats"], ["silences", "list"]),
    *(["incidents", "show", f"INC-{number}", "--trace"] for number in SHOWN),
    *(["events", "show", f"INC-{number}"] for number in SHOWN),
    *(["events", "show", "INC-2", way] for way in ("--python", "--markdown")),
    ["incidents", "show", "INC-2", "--markdown"],
]


@pytest.mark.e2e
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_command_steers_no_terminal_and_breaks_no_row_in_a_pipe(planted: Site) -> None:
    url = str(planted.client.make_url("/"))
    for command in COMMANDS:
        screen = await asyncio.to_thread(run_on_terminal, *command, columns=100, FAULTWIRE_URL=url)
        shown = STYLE.sub("", screen.raw).replace("\r\n", "\n")
        assert screen.exit_code == 0, shown
        assert steering(shown, allowed="\n") == [], command
        piped = await asyncio.to_thread(_pipe, command, url)
        assert steering(piped, allowed="\n\t") == [], command
        if command[1:] == ["list"]:
            rows = [line.count("\t") for line in piped.splitlines()]
            assert set(rows) <= {rows[0] if rows else 0}, command


def _pipe(command: list[str], url: str) -> str:
    arguments = [sys.executable, "-m", "faultwire_consumer.cli", *command]
    environment = os.environ | {"FAULTWIRE_URL": url, "PYTHONUTF8": "1"}
    done = subprocess.run(arguments, env=environment, capture_output=True, check=True, timeout=120)
    return done.stdout.decode() + done.stderr.decode()


async def test_every_page_shows_it_and_does_nothing(planted: Site, told: RecordingSender) -> None:
    waiting, seen = (
        ["/", "/dead-letters", "/producers", "/releases", "/told", "/rules", "/api/docs"],
        set[str](),
    )
    waiting += [f"/incidents/INC-{number}" for number in range(1, len(TEXTS) + 1)]
    while waiting and len(seen) < PAGES_MOST:
        path = waiting.pop(0)
        seen.add(path)
        async with planted.client.get(path, headers={"Accept": "text/html"}) as answer:
            page = await answer.text()
            assert answer.status in (200, 400), (path, page)
            assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
            if not answer.content_type.endswith("html"):
                continue
        reader = PageReader(page)
        assert [fault for fault in reader.faults if "href=https://git.example/" not in fault] == [], path
        shown = "".join(reader.shown)
        assert steering(shown) == [], path
        assert MULTIPLIED not in shown, path
        for link in sorted(reader.links):
            found = urljoin(path, link).partition("#")[0]
            if found not in seen and found not in waiting and _is_page(found):
                waiting.append(found)
    assert len(seen) > len(TEXTS) * 2


def _is_page(path: str) -> bool:
    return path.startswith(
        ("/e/", "/incidents/", "/dead-letters/", "/told", "/releases", "/rules", "/silences", "/?query=")
    )


async def test_a_mebibyte_is_refused_or_cut_and_never_shown_whole(site: Site) -> None:
    huge = "M" * MEBIBYTE
    for verb, body in (("comment", {"note": huge}), ("assign", {"to": huge}), ("link", {"url": huge})):
        await site.send()
        sent, headers = io.BytesIO(json.dumps(body).encode()), {"Content-Type": "application/json"}
        path = f"{API}/incidents/INC-1/{verb}"
        async with site.client.post(path, data=sent, headers=headers) as answer:
            assert answer.status in (400, 413), verb
    large = "M" * 100_000
    event = await site.send(message=large, kind="Large", text=large)
    for path in ("/", "/incidents/INC-2", f"/e/{event.id}", f"{API}/incidents", f"{API}/incidents/INC-2"):
        text = await texts_of(site, path)
        # A trace that is to be copied holds it once.
        assert text.count(large) <= 1, path
        assert len(text) < 150_000, path
    assert len(await texts_of(site, f"{API}/incidents/INC-2/report")) <= 20_000


async def test_what_is_sought_by_it_is_found_and_nothing_else_happens(planted: Site) -> None:
    for text in TEXTS.values():
        status, _ = await planted.get(f"{API}/incidents?search={quote(text)}&query={quote(text)}")
        assert status in (200, 400)
        status, page = await planted.page(f"/?query={quote(text)}")
        assert status in (200, 400)
        assert PageReader(page).faults == []
    _, document = await planted.get(f"{API}/incidents?limit=100")
    assert len(document["incidents"]) == len(TEXTS)

"""An import against an intake that refuses, is busy, or goes away."""

import json
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.tools.factories import wire_body

from faultwire_consumer.maintenance.event_import import ATTEMPTS, COMPLAINTS, EventImport, Imported

pytestmark = pytest.mark.may_block("writes files")


class Intake:
    """Answers with what stands in ``answers`` first; then refuses messages that hold the word ``bad``."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.sizes: list[int] = []

    async def take(self, request: web.Request) -> web.Response:
        assert request.query_string == "import"
        events = json.loads(await request.read())
        self.sizes.append(len(events))
        if self.answers:
            return self.answers.pop(0)
        if any("bad" in event["message"] for event in events):
            return web.json_response({"error": {"message": "that is a bad one"}}, status=400)
        return web.json_response({"results": [self.judge(event["message"]) for event in events]}, status=202)

    def judge(self, message: str) -> dict[str, Any]:
        match message:
            case "known":
                return {"status": "duplicate"}
            case "broken":
                return {"status": "dead_lettered", "reason": "invalid_event", "detail": "no id"}
            case _:
                return {"status": "stored"}


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
async def url(intake: Intake) -> AsyncIterator[str]:
    application = web.Application()
    application.router.add_post("/ingest/v1/events", intake.take)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


class Import:
    """An import whose waits are written down and not waited for."""

    def __init__(self, url: str, path: Path, messages: Sequence[str]) -> None:
        path.write_bytes(b"".join(wire_body(message=message) + b"\n" for message in messages))
        self.waits: list[float] = []
        self.events = EventImport(url, [path], sleep=self.sleep, rng=random.Random(1))
        self.read = 0

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    async def run(self) -> Imported:
        await self.events.run(self.tell)
        return self.events.result

    def tell(self) -> None:
        self.read = self.events.bytes_read


async def test_every_line_is_counted_by_what_became_of_it(url: str, tmp_path: Path) -> None:
    job = Import(url, tmp_path / "events", ["one", "two", "known", "broken"])
    assert await job.run() == Imported(stored=2, duplicates=1, dead_lettered=1)
    assert job.events.complaints == [f"{tmp_path / 'events'}:4: a dead letter: invalid_event: no id"]
    assert job.read == (tmp_path / "events").stat().st_size


async def test_what_is_refused_is_found_by_halves_and_the_rest_is_stored(
    url: str, intake: Intake, tmp_path: Path
) -> None:
    job = Import(url, tmp_path / "events", [*["good"] * 5, "bad", *["good"] * 2])
    assert await job.run() == Imported(stored=7, refused=1)
    assert job.events.complaints == [f"{tmp_path / 'events'}:6: the worker answered 400: that is a bad one"]
    assert intake.sizes == [8, 4, 4, 2, 1, 1, 2]


async def test_a_busy_worker_is_asked_again_when_it_says(url: str, intake: Intake, tmp_path: Path) -> None:
    intake.answers = [web.Response(status=503, headers={"Retry-After": "4"}), web.Response(status=429)]
    job = Import(url, tmp_path / "events", ["one"])
    assert await job.run() == Imported(stored=1)
    asked, own = job.waits
    assert 2 <= asked <= 4
    assert 0.5 <= own <= 1


async def test_a_worker_that_stays_away_ends_it_with_what_was_stored(
    url: str, intake: Intake, tmp_path: Path
) -> None:
    intake.answers = [web.Response(status=500) for _ in range(ATTEMPTS)]
    job = Import(url, tmp_path / "events", ["one"])
    with pytest.raises(OSError, match="the worker answered 500"):
        await job.run()
    assert (len(intake.sizes), len(job.waits), job.events.result) == (ATTEMPTS, ATTEMPTS - 1, Imported())
    nobody = Import("http://127.0.0.1:1", tmp_path / "events", ["one"])
    with pytest.raises(OSError, match="no answer from the worker"):
        await nobody.run()


async def test_only_the_first_lines_are_named(url: str, tmp_path: Path) -> None:
    job = Import(url, tmp_path / "events", ["broken"] * (COMPLAINTS + 5))
    assert await job.run() == Imported(dead_lettered=COMPLAINTS + 5)
    assert len(job.events.complaints) == COMPLAINTS

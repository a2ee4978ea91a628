"""Server-sent events of what changed, read by a real client over a socket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.contract.api.conftest import Site
from tests.tools.waiting import until

from faultwire_consumer.web.api import change_feed, changes
from faultwire_consumer.web.api.change_feed import FEED, Listener

PATH = "/api/v1/changes"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_feed, "POLL_SECONDS", 0.02)


class Following:
    """A stream as a browser's EventSource reads it."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def block(self) -> dict[str, str]:
        """The next block of lines, but for the first that says when to come back."""
        lines = []
        while line := (await self.answer.content.readline()).decode().rstrip("\n"):
            lines.append(line)
        found = dict(line.partition(": ")[::2] for line in lines)
        return await self.block() if "retry" in found else found

    async def change(self) -> tuple[int, dict[str, Any]]:
        found = await self.block()
        assert found["event"] == "change"
        return int(found["id"]), json.loads(found["data"])


@asynccontextmanager
async def follow(site: Site, path: str = PATH, **headers: str) -> AsyncIterator[Following]:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    async with site.client.get(path, headers=given) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield Following(answer)


async def test_who_follows_is_told_what_changes_in_order(site: Site) -> None:
    await site.send(kind="Before")
    async with follow(site) as stream:
        await site.send(kind="New")
        await site.post("/api/v1/incidents/INC-2/resolve")
        (first, opened), (second, resolved) = await stream.change(), await stream.change()
    assert (opened["incident_id"], opened["kind"], opened["after"]) == ("INC-2", "opened", "open")
    assert (resolved["incident_id"], resolved["before"], resolved["after"]) == ("INC-2", "open", "resolved")
    assert first < second


async def test_who_comes_back_is_told_what_was_missed_once(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B")
    async with follow(site, Last_Event_ID="1") as stream:
        await site.send(kind="C")
        seen = [await stream.change() for _ in range(2)]
    assert [(number, change["incident_id"]) for number, change in seen] == [(2, "INC-2"), (3, "INC-3")]


async def test_who_opens_a_stream_anew_names_the_last_in_the_address(site: Site) -> None:
    for kind in "ABC":
        await site.send(kind=kind)
    async with follow(site, path=f"{PATH}?last_event_id=1") as stream:
        assert [(await stream.change())[0] for _ in range(2)] == [2, 3]
    async with follow(site, path=f"{PATH}?last_event_id=1", Last_Event_ID="2") as stream:
        assert (await stream.change())[0] == 3  # as a browser repeats it, to the address that it was given


async def test_a_change_names_who_made_it(site: Site) -> None:
    await site.send(kind="A")
    async with follow(site, Last_Event_ID="0") as stream:
        await site.post("/api/v1/incidents/INC-1/resolve", json={"actor": "ada"})
        (_, opened), (_, resolved) = await stream.change(), await stream.change()
    assert (opened["actor"], resolved["actor"]) == ("worker", "ada")


async def test_who_missed_too_much_is_told_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MISSED_MAX", 1)
    for kind in "ABC":
        await site.send(kind=kind)
    async with follow(site, Last_Event_ID="0") as stream:
        assert (await stream.block())["event"] == "reset"


async def test_a_quiet_stream_says_that_it_lives_and_ends_in_time(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(changes, "LIFE_SECONDS", 0.2)
    async with follow(site) as stream:
        rest = await stream.answer.content.read()
    assert b": nothing changed\n\n" in rest
    assert b"event:" not in rest


async def test_a_change_that_is_committed_late_is_told_too(site: Site) -> None:
    """As the feed sees it when a lower number becomes visible after a higher one."""
    await site.send(kind="A")
    await site.send(kind="B")
    feed = site.client.app[FEED]
    listener, _ = await feed.join()
    feed._told.remove(1)
    await feed.look_once()
    found = await listener.take(5)
    assert found is not None
    assert found.id == 1
    feed.leave(listener)


async def test_listeners_are_bounded_and_the_last_ends_the_looking(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(change_feed, "LISTENERS_MAX", 1)
    async with follow(site), site.client.get(PATH) as refused:
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "10"
        assert (await refused.json())["error"]["code"] == "TOO_MANY_LISTENERS"
    feed = site.client.app[FEED]

    async def nobody_looks() -> bool:
        return feed._task is None

    await until(nobody_looks, "nobody looks any more")


async def test_a_wrong_id_is_refused(site: Site) -> None:
    for text in ("x", "-1", "9" * 19, "1" * 30):
        status, document = await site.get(PATH, Last_Event_ID=text)
        assert (status, document["error"]["details"]["field"]) == (400, "Last-Event-ID")
        status, document = await site.get(f"{PATH}?last_event_id={text}")
        assert (status, document["error"]["details"]["field"]) == (400, "last_event_id")


async def test_who_does_not_take_is_let_go_after_what_waits(site: Site) -> None:
    await site.send(kind="A")
    feed = site.client.app[FEED]
    feed_listener, _ = await feed.join()
    feed._told.clear()
    for _ in range(change_feed.WAITING_MAX + 5):
        feed._told.clear()
        await feed.look_once()
    taken = [await feed_listener.take(5) for _ in range(change_feed.WAITING_MAX + 1)]
    assert taken[-1] is None
    assert isinstance(feed_listener, Listener)
    feed.leave(feed_listener)


async def test_a_look_that_fails_lets_everybody_go_to_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    feed = site.client.app[FEED]
    listener, _ = await feed.join()
    monkeypatch.setattr(change_feed, "read_changes", fail)
    assert await listener.take(30) is None
    feed.leave(listener)
    monkeypatch.undo()
    again, _ = await feed.join()
    await site.send()
    await feed.look_once()
    assert await again.take(5) is not None
    feed.leave(again)


async def test_the_end_of_the_worker_ends_the_stream(site: Site) -> None:
    async with follow(site) as stream:
        await site.client.app.shutdown()
        assert b"event:" not in await stream.answer.content.read()

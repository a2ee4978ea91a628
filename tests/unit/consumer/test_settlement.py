"""Settling: one ack for many where all is decided, and nothing at all to a generation that has ended."""

import asyncio
from typing import Any, cast

import pytest
from aiormq.abc import AbstractChannel

from faultwire_consumer.domain.outcome import Outcome, Retry, Stored
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.receive import settlement
from faultwire_consumer.ingest.receive.settlement import Generation, settle
from faultwire_consumer.metrics import Metrics

STORED: list[Outcome] = [Stored("x")]
RETRY: list[Outcome] = [Retry("the database is away")]


class FakeChannel:
    """Notes what it is told; hangs from the tag on that a test names."""

    def __init__(self, *, hangs_at: int | None = None) -> None:
        self.told: list[str] = []
        self._hangs_at = hangs_at

    async def basic_ack(self, tag: int, multiple: bool = False) -> None:
        await self._note(f"ack {tag}{' and before' if multiple else ''}", tag)

    async def basic_nack(self, tag: int, requeue: bool = True) -> None:
        await self._note(f"nack {tag}", tag)

    async def _note(self, what: str, tag: int) -> None:
        if tag == self._hangs_at:
            await asyncio.Event().wait()
        self.told.append(what)


def generation_of(channel: FakeChannel) -> Generation:
    return Generation(cast("AbstractChannel", cast("Any", channel)))


def deliveries(generation: Generation, *tags: int) -> list[Delivery]:
    return [read_delivery(b"{}", None, origin="test", handle=generation.add(tag)) for tag in tags]


async def test_a_batch_that_is_stored_takes_one_ack() -> None:
    channel = FakeChannel()
    await settle(deliveries(generation_of(channel), 1, 2, 3), [STORED] * 3, metrics=Metrics())
    assert channel.told == ["ack 3 and before"]


async def test_what_goes_back_goes_by_itself() -> None:
    channel = FakeChannel()
    batch = deliveries(generation_of(channel), 1, 2, 3)
    await settle(batch, [STORED, RETRY, STORED], metrics=Metrics())
    assert channel.told == ["ack 1", "nack 2", "ack 3"]


async def test_a_generation_is_empty_when_all_that_came_by_it_went_back_or_is_done() -> None:
    generation = generation_of(FakeChannel())
    await generation.wait_empty()
    first, second = deliveries(generation, 1, 2), deliveries(generation, 3)
    await settle(first, [STORED, RETRY], metrics=Metrics())
    waiting = asyncio.create_task(generation.wait_empty())
    await asyncio.sleep(0)
    assert not waiting.done()
    await settle(second, [STORED], metrics=Metrics())
    await waiting


@pytest.mark.line(14)
async def test_a_generation_that_has_ended_is_told_nothing_and_its_neighbour_everything() -> None:
    old, new = FakeChannel(), FakeChannel()
    ended, open_ = generation_of(old), generation_of(new)
    ended.end("the connection is gone")
    batch = [*deliveries(ended, 1, 2), *deliveries(open_, 1, 2)]
    await settle(batch, [RETRY, STORED, STORED, RETRY], metrics=Metrics())
    assert (old.told, new.told) == ([], ["ack 1", "nack 2"])


async def test_a_broken_generation_keeps_nothing_from_its_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "_SETTLE_SECONDS", 0.01)
    old, new = FakeChannel(hangs_at=2), FakeChannel()
    batch = [*deliveries(generation_of(old), 1, 2), *deliveries(generation_of(new), 1)]
    await settle(batch, [STORED] * 3, metrics=Metrics())
    assert new.told == ["ack 1 and before"]


async def test_after_a_return_that_did_not_get_through_no_later_ack_covers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settlement, "_SETTLE_SECONDS", 0.01)
    channel = FakeChannel(hangs_at=2)
    generation = generation_of(channel)
    await settle(deliveries(generation, 1, 2), [RETRY, RETRY], metrics=Metrics())
    assert generation.has_ended
    assert "no answer" in generation.why_ended
    await settle(deliveries(generation, 3), [STORED], metrics=Metrics())
    assert channel.told == ["nack 1"], "an ack of 3 and before would have been one of 2, which is not stored"

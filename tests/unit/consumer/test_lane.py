"""A lane before a store that takes nothing: it pauses once, tries one delivery, and goes on with all."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from msgspec import Raw
from structlog.testing import capture_logs
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event

from faultwire_consumer.domain.outcome import Outcome, Retry, Stored
from faultwire_consumer.ingest.read.age import occurred_in
from faultwire_consumer.ingest.read.delivery import Delivery, DeliveryQueue, read_delivery
from faultwire_consumer.ingest.receive.lane import IN_FLIGHT, TRIAL_SECONDS, LaneLoop
from faultwire_consumer.ingest.receive.settlement import IntakeHandle
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.worker.exposition.scrape import lanes_look
from faultwire_shared.codec import EVENT_TYPE

TURNS = 50
"""More than any task here needs to get as far as it can."""


class Queue:
    """A receiver of one lane that notes what is asked of it."""

    lane = "high"

    def __init__(self) -> None:
        self.queue = DeliveryQueue()
        self.asked: list[str] = []

    @property
    def receiving(self) -> bool:
        return self.asked[-1:] != ["pause"]

    @property
    def why_idle(self) -> str:
        return "" if self.receiving else "it waits for the store"

    @property
    def waiting(self) -> int:
        return len(self.queue)

    @property
    def oldest(self) -> Delivery | None:
        return self.queue.oldest

    async def run(self) -> None:
        return

    async def collect(self, *, size: int, linger: float) -> list[Delivery]:
        return await self.queue.collect(size=1, linger=0)

    async def pause(self) -> None:
        self.asked.append("pause")

    async def resume(self) -> None:
        self.asked.append("resume")

    async def stop(self) -> None:
        self.queue.close()

    async def close(self) -> None:
        return


class Scene:
    """A lane whose store and whose time are in the test's hands."""

    def __init__(self) -> None:
        self.receiver = Queue()
        self.is_away = False
        self.error: Exception | None = None
        self.late = asyncio.Event()
        """When the store answers for the delivery of that name."""
        self.tried: list[str] = []
        self.slept: list[float] = []
        self.go_on = asyncio.Event()
        self.metrics, self.clock = Metrics(), FixedClock()
        self.loop = LaneLoop(self.receiver, self, metrics=self.metrics, sleep=self.sleep, clock=self.clock)

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        (name,) = (one.body.decode() for one in deliveries)
        self.tried.append(name)
        outcome: Outcome = Retry("away") if self.is_away else Stored(name)
        if name == "late":
            await self.late.wait()
        if self.error is not None:
            raise self.error
        return [[outcome]]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.go_on.wait()
        self.go_on.clear()

    def shown(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"faultwire_lane_{name}", {"lane": "high"})

    def put(self, name: str) -> "asyncio.Future[list[Outcome]]":
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self.receiver.queue.put(
            read_delivery(name.encode(), None, origin="test", handle=IntakeHandle(answer))
        )
        return answer

    async def let_run(self) -> None:
        for _ in range(TURNS):
            await asyncio.sleep(0)

    async def try_again(self) -> None:
        self.go_on.set()
        await self.let_run()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.loop.run())
        yield
        await self.receiver.stop()
        await asyncio.wait_for(task, 10)


async def test_the_lane_goes_on_only_when_the_store_takes_what_it_did_not_take() -> None:
    scene = Scene()
    scene.is_away = True
    async with scene.running():
        answer = scene.put("1")
        assert await answer == [Retry("away")], "given back at once, and not held through the outage"
        await scene.let_run()
        for _ in range(3):
            await scene.try_again()
        assert scene.receiver.asked == ["pause"]
        scene.is_away = False
        await scene.try_again()
        assert scene.receiver.asked == ["pause", "resume"]
        assert await scene.put("2") == [Stored("2")]
    assert scene.tried == ["1"] * 5 + ["2"]
    assert all(TRIAL_SECONDS[0] <= one <= TRIAL_SECONDS[1] for one in scene.slept)


async def test_a_lane_tells_since_when_it_waits_for_the_store() -> None:
    scene = Scene()
    scene.is_away = True
    look = lanes_look(scene.metrics, [scene.loop])
    async with scene.running():
        await scene.put("1")
        await scene.let_run()
        scene.clock.advance(40)
        await look()
        assert (scene.shown("waiting_seconds"), scene.shown("receiving")) == (40, 0)
        scene.is_away = False
        await scene.try_again()
        await look()
        assert (scene.shown("waiting_seconds"), scene.shown("receiving")) == (0, 1)


async def test_a_lane_tells_what_it_has_in_hand_and_how_old_the_first_of_it_is() -> None:
    scene = Scene()
    look = lanes_look(scene.metrics, [scene.loop])
    old = wire_event(now=scene.clock())
    scene.clock.advance(90)
    for event in (old, wire_event(now=scene.clock())):
        body = json.dumps(event).encode()
        scene.receiver.queue.put(read_delivery(body, EVENT_TYPE, origin="test", handle=None))
    await look()
    assert (scene.shown("unacknowledged_messages"), scene.shown("oldest_seconds")) == (2, 90)
    scene.receiver.queue.clear()
    await look()
    assert (scene.shown("unacknowledged_messages"), scene.shown("oldest_seconds")) == (0, 0)


@pytest.mark.parametrize("written", [b"{", b'{"occurred_at": "0001-01-01T00:00:00Z"}', b'{"occurred_at": 7}'])
async def test_what_says_nothing_of_its_time_is_as_old_as_its_arrival(written: bytes) -> None:
    delivery = read_delivery(b"[]", None, origin="test", handle=None)
    delivery.events = [Raw(written)]
    now = FixedClock()()
    assert occurred_in(delivery, taken_at=now) == now


async def test_a_pipeline_that_fails_is_waited_for_and_ends_no_lane() -> None:
    scene = Scene()
    scene.error = RuntimeError("a mistake")
    with capture_logs():
        await _go_on_after_a_mistake(scene)


async def _go_on_after_a_mistake(scene: Scene) -> None:
    async with scene.running():
        assert await scene.put("1") == [Retry("the worker failed: RuntimeError")]
        await scene.let_run()
        await scene.try_again()
        scene.error = None
        await scene.try_again()
        assert scene.receiver.asked == ["pause", "resume"]
        assert await scene.put("2") == [Stored("2")]


async def test_batches_in_flight_that_fail_together_are_one_outage() -> None:
    scene = Scene()
    scene.is_away = True
    async with scene.running():
        answers = [scene.put(str(number)) for number in range(IN_FLIGHT)]
        assert await asyncio.gather(*answers) == [[Retry("away")]] * IN_FLIGHT
        scene.is_away = False
        await scene.let_run()
        await scene.try_again()
        assert scene.receiver.asked.count("resume") == 1
        assert scene.receiver.asked[-1] == "resume"
    assert len(scene.slept) == 1


async def test_a_batch_that_failed_before_the_store_was_back_does_not_pause_the_lane_after_it() -> None:
    scene = Scene()
    scene.is_away = True
    async with scene.running():
        first, late = scene.put("first"), scene.put("late")
        assert await first == [Retry("away")]
        await scene.let_run()
        scene.is_away = False
        await scene.try_again()
        assert "resume" not in scene.receiver.asked
        scene.late.set()
        assert await late == [Retry("away")]
        await scene.let_run()
        assert scene.receiver.asked == ["pause", "pause", "resume"]


async def test_a_second_outage_pauses_the_lane_again() -> None:
    scene = Scene()
    async with scene.running():
        for _ in range(2):
            scene.is_away = True
            assert await scene.put("1") == [Retry("away")]
            await scene.let_run()
            scene.is_away = False
            await scene.try_again()
        assert scene.receiver.asked == ["pause", "resume"] * 2


async def test_a_lane_that_waits_for_the_store_can_be_stopped() -> None:
    scene = Scene()
    scene.is_away = True
    async with scene.running():
        assert await scene.put("1") == [Retry("away")]
        await scene.let_run()
    assert scene.receiver.asked == ["pause"]

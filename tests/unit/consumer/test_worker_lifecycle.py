"""The end of a worker: the order of its parts, when it is told to, when a part dies, and when none begins."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

import pytest
from msgspec import structs

from faultwire_consumer.worker.lifecycle import DRAIN_SECONDS, chores_of, release, run_until
from faultwire_consumer.worker.parts import Worker

TURNS: Final = 50
"""More than any task here needs to get as far as it can."""
CHORES: Final = [
    "gap watch",
    "loop lag",
    "self report",
    "digest maker",
    "upkeep",
    "dispatcher",
    "partitions",
    "retention",
    "store size",
    "replica watch",
]


class Part:
    """Writes down what happens to it, and can be made to end."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary
        self.ended = asyncio.Event()
        self.error: Exception | None = None

    def note(self, what: str) -> None:
        self.diary.append(f"{self.name} {what}")

    async def run(self) -> None:
        self.note("runs")
        try:
            await self.ended.wait()
        except asyncio.CancelledError:
            self.note("is cancelled")
            raise
        if self.error is not None:
            raise self.error
        self.note("ends")

    def die(self, error: Exception) -> None:
        self.error = error
        self.ended.set()


class Receiver(Part):
    """Feeds one lane."""

    lane = "critical"

    def __init__(self, name: str, diary: list[str]) -> None:
        super().__init__(name, diary)
        self.stopped = asyncio.Event()

    async def stop(self) -> None:
        self.note("stops")
        self.stopped.set()

    async def close(self) -> None:
        self.note("closes")
        self.ended.set()


class Lane(Part):
    """Ends when its receiver has stopped and what was taken in is settled."""

    lane = "critical"

    def __init__(self, name: str, diary: list[str], receiver: Receiver) -> None:
        super().__init__(name, diary)
        self.receiver = receiver
        self.settled = asyncio.Event()
        self.settled.set()

    async def run(self) -> None:
        self.note("runs")
        try:
            await self.receiver.stopped.wait()
            await self.settled.wait()
        except asyncio.CancelledError:
            self.note("is cancelled")
            raise
        self.note("ends")


class Dispatcher(Part):
    """Has sent everything when it is asked to."""

    async def drain(self, seconds: float) -> None:
        self.note(f"drains {seconds:g} s")


class Report(Part):
    """Takes the worker's own errors."""

    async def report_fatal(self, error: BaseException, *, part: str) -> None:
        self.note(f"is told that {part} died of {error!r}")

    async def __aenter__(self) -> Self:
        self.note("begins")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.note("publishes the rest")


class Server:
    """An HTTP server without a port."""

    def __init__(self, diary: list[str]) -> None:
        self.diary = diary
        self.error: OSError | None = None

    async def start(self) -> str:
        if self.error is not None:
            raise self.error
        self.diary.append("server starts")
        return "http://127.0.0.1:8787/"

    async def aclose(self) -> None:
        self.diary.append("server ends")


class Connection:
    """Something to be let go."""

    def __init__(self, name: str, diary: list[str]) -> None:
        self.name = name
        self.diary = diary
        self.error: Exception | None = None

    async def warm(self) -> None:
        return

    async def aclose(self) -> None:
        self.diary.append(f"{self.name} is let go")
        if self.error is not None:
            raise self.error

    close = aclose


class Life:
    """A worker of fakes, and the diary that they share."""

    def __init__(self) -> None:
        diary = self.diary = list[str]()
        self.stop = asyncio.Event()
        self.receiver = Receiver("receiver", diary)
        self.lane = Lane("lane", diary, self.receiver)
        self.dispatcher = Dispatcher("dispatcher", diary)
        self.upkeep = Part("upkeep", diary)
        self.server = Server(diary)
        self.ping = Connection("ping", diary)
        self.senders = [Connection("first sender", diary), Connection("second sender", diary)]
        self.worker = Worker(
            receivers=[self.receiver],
            lanes=[self.lane],
            dispatcher=self.dispatcher,
            server=self.server,
            report=Report("self report", diary),
            digest_maker=Part("digest maker", diary),
            gap_watch=Part("gap watch", diary),
            loop_lag=Part("loop lag", diary),
            partitions=Part("partitions", diary),
            retention=Part("retention", diary),
            store_size=Part("store size", diary),
            upkeep=self.upkeep,
            replica_watch=Part("replica watch", diary),
            store=Connection("store", diary),
            replica=Connection("replica", diary),
            senders=self.senders,
            broker_ping=self.ping,
            broker_door=Connection("intake", diary),
            database="sqlite:///faultwire.db",
        )

    async def run(self) -> None:
        await run_until(self.stop, self.worker)

    def begin(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.run())


async def settle_down() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def assert_in_order(diary: list[str], *entries: str) -> None:
    assert [entry for entry in diary if entry in entries] == list(entries)


async def test_every_part_runs_under_the_name_that_users_know_when_the_server_listens() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    assert life.diary[:2] == ["self report begins", "server starts"]
    assert set(life.diary[2:]) == {f"{name} runs" for name in ["receiver", "lane", *CHORES]}
    assert {task.get_name() for task in asyncio.all_tasks()} >= {
        "receiver critical",
        "lane critical",
        *CHORES,
    }
    life.stop.set()
    await running


async def test_receivers_stop_then_lanes_end_then_connections_close_and_chores_come_last() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    before = len(life.diary)
    life.stop.set()
    await running
    ended = life.diary[before:]
    assert set(ended[:2]) == {"receiver stops", f"dispatcher drains {DRAIN_SECONDS:g} s"}
    assert ended[2:4] == ["lane ends", "receiver closes"]
    assert set(ended[4:-2]) == {"receiver ends", *(f"{name} is cancelled" for name in CHORES)}
    assert ended[-2:] == ["server ends", "self report publishes the rest"]


async def test_while_a_lane_settles_its_receiver_keeps_the_connection_and_probes_are_answered() -> None:
    life = Life()
    life.lane.settled.clear()
    running = life.begin()
    await settle_down()
    before = len(life.diary)
    life.stop.set()
    await settle_down()
    assert set(life.diary[before:]) == {"receiver stops", f"dispatcher drains {DRAIN_SECONDS:g} s"}
    life.lane.settled.set()
    await running
    assert "lane ends" in life.diary


def test_a_lane_that_does_not_end_is_cancelled_after_the_time_to_drain_and_not_before() -> None:
    async def drain() -> tuple[Life, float]:
        life, now = Life(), asyncio.get_running_loop().time
        life.lane.settled.clear()
        running = life.begin()
        await settle_down()
        began = now()
        life.stop.set()
        await running
        return life, now() - began

    life, took = run_in_skipped_time(drain)
    assert DRAIN_SECONDS <= took < DRAIN_SECONDS + 1
    assert_in_order(life.diary, "receiver stops", "receiver closes", "upkeep is cancelled", "server ends")
    assert_in_order(life.diary, "receiver stops", "lane is cancelled", "server ends")
    assert "lane ends" not in life.diary


@pytest.mark.parametrize(
    ("choose", "name"),
    [
        (lambda life: life.receiver, "receiver critical"),
        (lambda life: life.upkeep, "upkeep"),
        (lambda life: life.dispatcher, "dispatcher"),
    ],
)
async def test_a_part_that_dies_is_reported_and_ends_the_rest_at_once(
    choose: Callable[[Life], Part], name: str
) -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    dying = choose(life)
    dying.die(RuntimeError("gone"))
    with pytest.raises(ExceptionGroup) as raised:
        await running
    assert raised.group_contains(RuntimeError, match="gone")
    parts = [life.receiver.name, life.lane.name, *CHORES]
    cancelled = {f"{one} is cancelled" for one in parts if one != dying.name}
    assert cancelled <= set(life.diary)
    assert_in_order(
        life.diary,
        f"self report is told that {name} died of RuntimeError('gone')",
        "lane is cancelled",
        "server ends",
        "self report publishes the rest",
    )
    assert "receiver stops" not in life.diary


async def test_a_part_that_dies_during_the_drain_ends_it() -> None:
    life = Life()
    life.lane.settled.clear()
    running = life.begin()
    await settle_down()
    life.stop.set()
    await settle_down()
    life.upkeep.die(RuntimeError("gone"))
    with pytest.raises(ExceptionGroup):
        await running
    assert_in_order(life.diary, "receiver stops", "lane is cancelled", "server ends")
    assert "receiver closes" not in life.diary


async def test_a_part_that_ends_by_itself_begins_the_drain() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    life.upkeep.ended.set()
    await running
    assert_in_order(
        life.diary, "upkeep ends", "receiver stops", "lane ends", "receiver closes", "server ends"
    )


async def test_nothing_runs_where_the_address_cannot_be_listened_on() -> None:
    life = Life()
    life.server.error = OSError("address already in use")
    with pytest.raises(OSError, match="already in use"):
        await life.run()
    assert life.diary == ["self report begins", "server ends", "self report publishes the rest"]


async def test_a_wait_for_the_signal_is_not_left_behind_by_a_part_that_dies() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    life.upkeep.die(RuntimeError("gone"))
    with pytest.raises(ExceptionGroup):
        await running
    await settle_down()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_every_connection_is_let_go_the_store_s_last() -> None:
    life = Life()
    await release(life.worker)
    assert life.diary == [
        "replica is let go",
        "ping is let go",
        "intake is let go",
        "first sender is let go",
        "second sender is let go",
        "store is let go",
    ]


async def test_a_connection_that_does_not_let_go_holds_no_other() -> None:
    life = Life()
    life.ping.error = RuntimeError("hangs on")
    life.senders[0].error = ConnectionError("broken")
    with pytest.raises(ExceptionGroup) as raised:
        await release(life.worker)
    assert raised.value.exceptions == (life.ping.error, life.senders[0].error)
    assert life.diary[-2:] == ["second sender is let go", "store is let go"]


async def test_what_is_not_configured_is_neither_run_nor_let_go() -> None:
    life = Life()
    alone = structs.replace(life.worker, replica=None, replica_watch=None, broker_ping=None, broker_door=None)
    assert list(chores_of(alone)) == CHORES[:-1]
    await release(alone)
    assert life.diary == ["first sender is let go", "second sender is let go", "store is let go"]


class _SkippingSelector(selectors.DefaultSelector):
    """Waits for nothing: where nothing is ready, the time goes by at once."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.skipped += timeout
        return ready


class _SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved by what is waited for."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped


def run_in_skipped_time(work: Callable[[], Coroutine[Any, Any, tuple[Life, float]]]) -> tuple[Life, float]:
    with asyncio.Runner(loop_factory=_SkippingLoop) as runner:
        return runner.run(work())

"""A worker of parts that only write down what happens to them, and a loop whose time costs none."""

import asyncio
import selectors
from types import TracebackType
from typing import Self

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.pile import UsualWrites
from faultwire_consumer.worker.lifecycle import run_until
from faultwire_consumer.worker.parts import Worker


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

    def report(self, error: BaseException, *, part: str) -> None:
        self.note(f"is told that {part} goes on after {error!r}")

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

    async def warm(self, usual: UsualWrites = ()) -> None:
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
            figures=Part("figures", diary),
            gap_watch=Part("gap watch", diary),
            loop_lag=Part("loop lag", diary),
            partitions=Part("partitions", diary),
            absence=Part("absence", diary),
            auto_resolve=Part("auto resolve", diary),
            retention=Part("retention", diary),
            watches={"store size": Part("store size", diary)},
            state=Metrics().state,
            search_filler=Part("search filler", diary),
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


class SkippingLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved by what is waited for."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped

"""A transport that does as it is told, and the waiting that tests need."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

import msgspec

from faultwire.publish.transport import Outgoing
from faultwire_shared import codec
from faultwire_shared.event import Event
from faultwire_shared.producer_report import ProducerReport


class FakeTransport:
    """Confirms every message, or answers with what stands in ``answers``; ``hold`` keeps confirms back."""

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self.attempts: list[Outgoing] = []
        self.reports: list[ProducerReport] = []
        self.answers: deque[Exception | None] = deque()
        self.refuses: Callable[[Outgoing], Exception | None] = lambda message: None
        self.open_answers: deque[Exception | None] = deque()
        self.opened = 0
        self.closed = 0
        self.broken = asyncio.Event()
        self.confirming = asyncio.Event()
        self.confirming.set()

    def hold(self) -> None:
        self.confirming.clear()

    def release(self) -> None:
        self.confirming.set()

    async def open(self) -> None:
        answer = self.open_answers.popleft() if self.open_answers else None
        if answer is not None:
            raise answer
        self.opened += 1
        self.broken.clear()

    async def publish(self, message: Outgoing) -> None:
        if message.message_type == codec.PRODUCER_TYPE:
            await self._take_report(message)
            return
        self.attempts.append(message)
        await self.confirming.wait()
        answer = self.answers.popleft() if self.answers else self.refuses(message)
        if answer is not None:
            raise answer
        self.messages.append(message)

    async def _take_report(self, message: Outgoing) -> None:
        await self.confirming.wait()
        answer = self.refuses(message)
        if answer is not None:
            raise answer
        self.reports.append(codec.decode_report(message.body))

    async def watch(self) -> None:
        await self.broken.wait()

    async def aclose(self) -> None:
        self.closed += 1

    @property
    def events(self) -> list[Event]:
        return [
            codec.decode(raw)
            for message in self.messages
            for raw in codec.split(message.body, message.message_type)
        ]


def no_delays(most: float) -> Iterator[float]:
    """Waits of nothing, so that a retry comes at the loop's next turn."""
    while True:
        yield 0.0


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until the condition holds."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - the condition belongs to code that sets no event
            await asyncio.sleep(0)


def as_json(event: Event) -> dict[str, object]:
    """The event as a reader in another language sees it."""
    decoded: dict[str, object] = msgspec.json.decode(codec.encode(event))
    return decoded

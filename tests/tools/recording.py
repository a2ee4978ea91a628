"""A sender that keeps what it was given, and answers as a test likes."""

import asyncio
from collections.abc import Callable

from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sent


class RecordingSender:
    """Answers what ``answers`` holds, one after the other, then that it was sent."""

    def __init__(self, name: str = "log", *, on_send: Callable[[Notification], None] | None = None) -> None:
        self.name = name
        self.received: list[Notification] = []
        self.answers: list[Outcome | Exception] = []
        self.gate: asyncio.Event | None = None
        self._on_send = on_send

    @property
    def keys(self) -> list[str]:
        return [one.idempotency_key for one in self.received]

    async def send(self, notification: Notification) -> Outcome:
        self.received.append(notification)
        if self._on_send is not None:
            self._on_send(notification)
        if self.gate is not None:
            await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else Sent()
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def aclose(self) -> None:
        return

"""A database that fails, waits that are noted, and a sink for the errors of what is given up."""

import traceback
from collections.abc import Mapping
from typing import Any

from tests.tools.clock import FixedClock

from faultwire import DatabaseConnectionError


class Waits:
    """Stands in for both sleeps: notes the wait and moves the clock."""

    def __init__(self, clock: FixedClock) -> None:
        self.seconds: list[float] = []
        self._clock = clock

    def plain(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self._clock.advance(seconds)

    async def asynchronous(self, seconds: float) -> None:
        self.plain(seconds)


class Database:
    """Fails so many times, then answers; counts how often it was asked."""

    def __init__(self, failures: int, error: BaseException | None = None) -> None:
        self.asked = 0
        self._failures = failures
        self._error = error or DatabaseConnectionError("connection lost")

    def ask(self, question: str) -> str:
        self.asked += 1
        if self.asked <= self._failures:
            raise self._error
        return f"answer to {question}"


class Sink:
    """Takes errors in an ErrorManager's place: each with its context, and the functions of its trace."""

    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.contexts: list[Mapping[str, Any]] = []
        self.functions: list[list[str]] = []

    def handle_error_nowait(self, error: BaseException, /, *, context: Mapping[str, object]) -> None:
        self.errors.append(error)
        self.contexts.append(context)
        self.functions.append([frame.name for frame in traceback.extract_tb(error.__traceback__)])

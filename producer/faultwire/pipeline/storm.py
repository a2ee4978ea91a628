"""A burst of the same error becomes one event with an exact count; the first ones go whole.

A key may send ``WHOLE_AT_ONCE`` events at once, and one a second after that. What comes faster joins a
window: the event of its first call, which goes out with the count of all when the window closes. Nothing
here publishes.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec.structs import replace

from faultwire.pipeline.storm_key import StormKey
from faultwire.process.critical_section import SECTION
from faultwire.queue.ticket import Ticket
from faultwire_shared.event import COUNT_MAX, Event

WHOLE_AT_ONCE: Final = 5
WHOLE_A_SECOND: Final = 1.0
WINDOW_SECONDS: Final = 0.5
KEYS: Final = 1_000
"""Remembered at most; the one that came first is forgotten, and begins anew."""
WINDOWS: Final = 64
"""Open at one time at most, as each holds an event; beyond them errors go whole, into a bounded buffer."""


class EventRole(StrEnum):
    """The role of an error that joins no window."""

    WHOLE = "whole"
    """It is an event of its own."""
    OPENING = "opening"
    """Its event opens a window."""


class StormWindow:
    """The event that stands for a burst, and how often it has been seen since."""

    __slots__ = ("burst", "closes_at", "count", "event", "last_at", "ticket")

    def __init__(self, event: Event, ticket: Ticket, closes_at: float, burst: "StormState | None") -> None:
        self.event: Event = event
        self.ticket: Ticket = ticket
        self.burst: StormState | None = burst
        self.count: int = 1
        self.last_at: datetime = event.occurred_at
        self.closes_at: float = closes_at

    def join(self, at: datetime) -> Ticket:
        """Count one more."""
        # First what is called: where the stack is full, that fails before anything is counted.
        self.last_at = max(self.last_at, at)
        self.count += 1
        return self.ticket

    def closed(self) -> Event:
        """The event as it goes out; a window that stayed alone is an ordinary event."""
        if self.count == 1:
            return self.event
        return replace(self.event, count=self.count, first_at=self.event.occurred_at, last_at=self.last_at)


class StormState:
    """One key: how many may still go whole, and its open window."""

    __slots__ = ("allowance", "seen_at", "window")

    def __init__(self, now: float) -> None:
        self.allowance: float = float(WHOLE_AT_ONCE)
        self.seen_at: float = now
        self.window: StormWindow | None = None

    def spends(self, now: float) -> bool:
        """Spend the allowance for one whole event; False if it is used up."""
        self.allowance = min(WHOLE_AT_ONCE, self.allowance + (now - self.seen_at) * WHOLE_A_SECOND)
        self.seen_at = now
        if self.allowance < 1.0:
            return False
        self.allowance -= 1.0
        return True


class Storm:
    """All bursts of one manager. Times are monotonic seconds; calls may come from any thread."""

    def __init__(self) -> None:
        self.collapsed: int = 0
        """Errors that joined a window that another had opened."""
        self._bursts: dict[StormKey, StormState] = {}
        self._open: dict[StormKey, StormWindow] = {}

    @property
    def windows(self) -> int:
        """The number of open windows."""
        return len(self._open)

    def admit(self, key: StormKey, *, at: datetime, now: float) -> Ticket | EventRole:
        """The ticket of the window that the error has joined, or what becomes of it."""
        # Another thread may forget it meanwhile: then this error is the last of it.
        burst = self._bursts.get(key) or self._remember(key, StormState(now))
        with SECTION.lock:
            if burst.window is not None:
                return self._join(burst.window, at)
            if burst.spends(now) or len(self._open) >= WINDOWS:
                return EventRole.WHOLE
            return EventRole.OPENING

    def open(self, key: StormKey, event: Event, ticket: Ticket, *, now: float) -> Ticket:
        """Open a window with the event; where another thread was faster, join its window."""
        with SECTION.lock:
            window = self._open.get(key)
            if window is not None:
                joined = window.join(event.occurred_at)
                self.collapsed += 1
                return joined
            burst = self._bursts.get(key)
            window = self._open[key] = StormWindow(event, ticket, now + WINDOW_SECONDS, burst)
            if burst is not None:
                burst.window = window
            ticket.is_placed = True
            return ticket

    def close(self, before: float | None = None) -> list[StormWindow]:
        """Take the windows that end by then, or all; each is then somebody else's to publish."""
        with SECTION.lock:
            ended = [key for key, one in self._open.items() if before is None or one.closes_at <= before]
            windows = [self._open.pop(key) for key in ended]
            for window in windows:
                if window.burst is not None:
                    window.burst.window = None
            return windows

    def next_close(self) -> float | None:
        """The time when the next window ends."""
        with SECTION.lock:
            return min((window.closes_at for window in self._open.values()), default=None)

    def _join(self, window: StormWindow, at: datetime) -> Ticket | EventRole:
        if window.count >= COUNT_MAX:  # more than an event can say
            return EventRole.WHOLE
        ticket = window.join(at)
        self.collapsed += 1
        return ticket

    def _remember(self, key: StormKey, burst: StormState) -> StormState:
        with SECTION.lock:
            burst = self._bursts.setdefault(key, burst)
            if len(self._bursts) > KEYS:
                del self._bursts[next(iter(self._bursts))]
        return burst

"""Puts errors through the storm: joins windows, opens them, closes them in time from its own thread."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

from faultwire.capture.handled import Handled
from faultwire.pipeline.emitter import Emitter
from faultwire.pipeline.storm import EventRole, Storm
from faultwire.pipeline.storm_key import StormKey, codes_of, storm_key
from faultwire.process.critical_section import SECTION
from faultwire.process.exit import register_holder
from faultwire.process.own_thread import OwnThread
from faultwire.queue.ticket import Ticket
from faultwire_shared.event import Event

IDLE_SECONDS: Final = 10.0
"""So long the thread waits for another window before it ends."""


class Entry(Struct, frozen=True):
    """Of an error that becomes an event: whether it opens a window, and of which key."""

    admission: EventRole
    key: StormKey | None = None


_WHOLE: Final = Entry(EventRole.WHOLE)


class Collapser:
    """Between the errors and the emitter; ``enabled=False`` lets every error through."""

    def __init__(
        self, emitter: Emitter, *, enabled: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.storm = Storm()
        self._emitter = emitter
        self._enabled = enabled
        self._clock = clock
        self._start_anew()
        if enabled:
            register_holder(self)

    def _start_anew(self) -> None:
        self._sending = threading.RLock()
        # Taken until a window opens. Not an Event, which a signal's handler may find half set.
        self._opened = threading.Lock()
        self._opened.acquire()
        self._thread: OwnThread | None = None

    def enter(self, handled: Handled) -> Ticket | Entry:
        """The ticket of the window that the error has joined, or how its event is to be emitted."""
        if not self._enabled:
            return _WHOLE
        key = storm_key(handled)
        if key is None:
            return _WHOLE
        try:
            admitted = self.storm.admit(
                key, at=handled.at, now=self._clock(), codes=lambda: codes_of(handled.error)
            )
        except Exception:  # noqa: BLE001 - what was read for the key may raise when it is read again
            return _WHOLE
        return admitted if isinstance(admitted, Ticket) else Entry(admitted, key)

    def emit(self, event: Event, entry: Entry, *, at_once: bool) -> Ticket:
        """Hand the event over, or keep it in a window until that closes."""
        ticket = Ticket(event_id=event.id)
        if entry.admission is EventRole.WHOLE or entry.key is None:
            self._emitter.emit(event, ticket, at_once=at_once)
            return ticket
        prepared = self._emitter.prepare(event, ticket)
        if prepared is None:
            return ticket
        ticket = self.storm.open(entry.key, prepared, ticket, now=self._clock())
        self._see_that_it_closes()
        return ticket

    def close_windows(self, before: float | None = None) -> None:
        """Hand over the events of the windows that end by then, or of all; wait for who is at it already."""
        with self._sending:
            self._send(before)

    def _send(self, before: float | None) -> None:
        for window in self.storm.close(before):
            self._emitter.send(window.closed(), window.ticket)

    def hand_over(self) -> None:
        """Hand over everything: the process ends."""
        self.close_windows()

    def stop(self) -> None:
        """Hand over everything, and let whatever comes later through."""
        self._enabled = False
        self.close_windows()

    def forget(self) -> None:
        """Start anew in a forked child."""
        self.storm.forget()
        self._start_anew()

    def _see_that_it_closes(self) -> None:
        if self._thread is None and not self._start_thread():
            # Without `_sending`: an error waits for nobody, and whoever closes may be logging.
            self._send(None)
            return
        with suppress(RuntimeError):  # the thread has not yet heard of the one before
            self._opened.release()

    def _start_thread(self) -> bool:
        """Start it, unless there is one; False where the system gives none, as when the interpreter ends."""
        thread = OwnThread("faultwire storm", self._run)
        with SECTION.lock:
            if self._thread is not None:
                return True
            self._thread = thread
        is_started = thread.start()
        if not is_started:
            self._thread = None
        return is_started

    def _run(self) -> None:
        while True:
            due = self.storm.next_close()
            if due is not None:
                time.sleep(max(0.0, due - self._clock()))
                self.close_windows(self._clock())
            elif self._ends():
                return

    def _ends(self) -> bool:
        """Wait for the next window; whether none came for long, and the thread's place is free again."""
        if self._opened.acquire(timeout=IDLE_SECONDS):
            return False
        with SECTION.lock:
            if self.storm.windows:
                return False
            self._thread = None
        return True

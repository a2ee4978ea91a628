"""Puts errors through the storm: joins windows, opens them, closes them in time from its own thread."""

import threading
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from faultwire.burst import BurstKey, burst_key, codes_of
from faultwire.emitter import Emitter
from faultwire.publish import farewell
from faultwire.publish.ticket import Ticket
from faultwire.sighting import Sighting
from faultwire.storm import Admission, Storm
from faultwire_shared.event import Event

IDLE_SECONDS: Final = 10.0
"""So long the thread waits for another window before it ends."""


class Entry(Struct, frozen=True):
    """Of an error that becomes an event: whether it opens a window, and of which key."""

    admission: Admission
    key: BurstKey | None = None


_WHOLE: Final = Entry(Admission.WHOLE)


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
            farewell.see_off_first(self)

    def _start_anew(self) -> None:
        self._sending = threading.RLock()
        self._opened = threading.Condition()
        self._thread: threading.Thread | None = None

    def enter(self, sighting: Sighting) -> Ticket | Entry:
        """The ticket of the window that the error has joined, or how its event is to be emitted."""
        if not self._enabled:
            return _WHOLE
        key = burst_key(sighting)
        if key is None:
            return _WHOLE
        try:
            admitted = self.storm.admit(
                key, at=sighting.at, now=self._clock(), codes=lambda: codes_of(sighting.error)
            )
        except Exception:  # noqa: BLE001 - what was read for the key may raise when it is read again
            return _WHOLE
        return admitted if isinstance(admitted, Ticket) else Entry(admitted, key)

    def emit(self, event: Event, entry: Entry, *, at_once: bool) -> Ticket:
        """Hand the event over, or keep it in a window until that closes."""
        if entry.admission is Admission.WHOLE or entry.key is None:
            return self._emitter.emit(event, at_once=at_once)
        prepared = self._emitter.prepare(event)
        if isinstance(prepared, Ticket):
            return prepared
        ticket = self.storm.open(entry.key, prepared, Ticket(event_id=event.id), now=self._clock())
        self._see_that_it_closes()
        return ticket

    def close_windows(self, before: float | None = None) -> None:
        """Hand over the events of the windows that end by then, or of all."""
        with self._sending:
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
        with self._opened:
            if self._thread is None:
                thread = self._thread = threading.Thread(
                    target=self._run, name="faultwire storm", daemon=True
                )
                try:
                    thread.start()
                except RuntimeError:  # the system gives no thread, as when the interpreter ends
                    self._thread = None
            self._opened.notify()
        if self._thread is None:
            self.close_windows()

    def _run(self) -> None:
        while True:
            with self._opened:
                due = self.storm.next_close()
                if due is None and not self._opened.wait(IDLE_SECONDS) and self.storm.next_close() is None:
                    self._thread = None
                    return
            if due is not None:
                time.sleep(max(0.0, due - self._clock()))
                self.close_windows(self._clock())

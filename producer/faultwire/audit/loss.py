"""Events that the client dropped, and why: counted every time with their numbers, logged once per burst."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from faultwire.audit.lost_numbers import LostNumbers
from faultwire.process.critical_section import SECTION
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.producer_report import LostRange

LOG_SECONDS: Final = 10.0
"""Between two log lines about the same reason."""
PRODUCERS: Final = 200
"""Producers whose numbers are kept: our own, and the dead processes whose spools were adopted."""

Number = tuple[str, int]
"""A producer's id, and which of its events."""

logger: logging.Logger = logging.getLogger("faultwire")


class LossReason(StrEnum):
    """The reason why an event did not arrive."""

    BUFFER_FULL = "buffer_full"
    CLOSED = "manager_closed"
    FAILED = "client_failed"
    IGNORED = "ignored"
    NOT_SAMPLED = "not_sampled"
    PROCESSOR = "dropped_by_processor"
    REFUSED = "refused_by_broker"
    SHUTDOWN = "shutdown"
    SPOOL_CORRUPT = "spool_corrupt"
    SPOOL_EVICTED = "spool_evicted"
    UNENCODABLE = "unencodable"


class Losses:
    """The counts, the numbers, and when each reason was last spoken of. Takes calls from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[LossReason, int] = {}
        self._told: dict[LossReason, tuple[float, int]] = {}
        self._numbers: dict[str, LostNumbers] = {}
        self._unnumbered: Counter[str] = Counter()
        self.aside: deque[Number | None] = deque()
        """Numbers of errors whose way in was cut short: one call puts them here, where more may fail."""
        self.stranded = 0
        """The same where not even one call was possible; only ever added to."""
        self._gathered = 0

    def count(self, reason: LossReason, events: int = 1, *, numbers: Iterable[Number | None] = ()) -> None:
        """Count this many events as lost; the first of a burst is logged at once, the rest every 10 s.

        ``numbers`` are those of them that are known.
        """
        self.add(reason, events, numbers=numbers)
        self.tell(reason)

    def add(self, reason: LossReason, events: int = 1, *, numbers: Iterable[Number | None] = ()) -> None:
        """Count without logging: for callers inside the critical section."""
        if events > 0:
            with SECTION.lock:
                self._note(reason, events, numbers)
                self._counts[reason] = self._counts.get(reason, 0) + events

    def _gather(self) -> None:
        """Count what was put aside: in the section."""
        numbers = [self.aside.popleft() for _ in range(len(self.aside))]
        stranded = self.stranded
        events = len(numbers) + stranded - self._gathered
        if events:
            self._gathered = stranded
            self._note(LossReason.FAILED, events, numbers)
            self._counts[LossReason.FAILED] = self._counts.get(LossReason.FAILED, 0) + events

    def tell(self, reason: LossReason) -> None:
        """Log what was counted, unless the reason was spoken of a moment ago."""
        now = self._clock()
        with SECTION.lock:
            self._gather()
            total = self._counts.get(reason, 0)
            told_at, told = self._told.get(reason, (now - LOG_SECONDS, 0))
            if now - told_at < LOG_SECONDS or total == told:
                return
            self._told[reason] = now, total
        _log(reason, total - told)

    def close(self) -> None:
        """Log what was counted and not yet spoken of."""
        with SECTION.lock:
            self._gather()
            told = {reason: told for reason, (_, told) in self._told.items()}
            silent = {reason: total - told.get(reason, 0) for reason, total in self._counts.items()}
            self._told = {reason: (self._clock(), total) for reason, total in self._counts.items()}
        for reason, events in silent.items():
            if events:
                _log(reason, events)

    def ranges(self) -> dict[str, list[LostRange]]:
        """The numbers that were lost, by producer."""
        with SECTION.lock:
            self._gather()
            return {producer_id: numbers.ranges() for producer_id, numbers in self._numbers.items()}

    def unnumbered(self) -> Mapping[str, int]:
        """The count of lost events whose numbers are unknown, by reason."""
        with SECTION.lock:
            self._gather()
            return self._unnumbered.copy()

    def by_reason(self) -> dict[str, int]:
        """The count of lost events, by reason."""
        with SECTION.lock:
            self._gather()
            return {reason.value: count for reason, count in self._counts.items()}

    def _note(self, reason: LossReason, events: int, numbers: Iterable[Number | None]) -> None:
        unknown = events
        for number in numbers:
            if number is None:
                continue
            producer_id, sequence = number
            lost = self._numbers.get(producer_id)
            if lost is None:
                if len(self._numbers) >= PRODUCERS:
                    continue
                lost = self._numbers[producer_id] = LostNumbers()
            lost.add(sequence, reason.value)
            unknown -= 1
        if unknown:
            self._unnumbered[reason.value] += unknown


def _log(reason: LossReason, events: int) -> None:
    try:
        _write(reason, events)
    except BaseException as error:  # noqa: BLE001 - a handler of the host's raises; what is counted stays counted
        pass_interruption(error)


def _write(reason: LossReason, events: int) -> None:
    # On request or at a processor's word is as intended; anything else is news to somebody.
    level = logging.DEBUG if reason is LossReason.PROCESSOR else logging.WARNING
    extra = {"event": "event.lost", "reason": reason.value, "events": events}
    logger.log(level, "event.lost reason=%s events=%d", reason.value, events, extra=extra)

"""The attempts of one operation, and the one event that reports giving it up."""

import logging
import sys
from collections.abc import Callable, Mapping
from types import FrameType, TracebackType
from typing import Final, Protocol

KEPT: Final = 50
"""Maximum number of attempts reported, the last ones: as many as an event's list may hold."""

logger: logging.Logger = logging.getLogger("faultwire.retry")


class ErrorSink(Protocol):
    """A receiver of errors, such as an ``ErrorManager``."""

    def handle_error_nowait(self, error: BaseException, /, *, context: Mapping[str, object]) -> object:
        """Accept an error and its context, without waiting."""


class Attempts:
    """Failed attempts of an operation, and the time they took.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.made: int = 0
        self._clock = clock
        self._started_at = clock()
        self._waited_seconds = 0.0
        self._failed: list[dict[str, object]] = []  # a deque takes longer to make, and most calls succeed

    def note(self, **why: object) -> None:
        """Record a failed attempt: ``error=`` its type's name, or ``status=``."""
        self.made += 1
        self._failed.append({"number": self.made, **why, "waited_seconds": round(self._waited_seconds, 3)})
        del self._failed[:-KEPT]
        self._waited_seconds = 0.0

    def wait(self, seconds: float) -> None:
        """Record the wait before the next attempt."""
        self._waited_seconds = seconds

    def elapsed_seconds(self) -> float:
        """Return the seconds since before the first attempt."""
        return self._clock() - self._started_at

    def context(self) -> dict[str, object]:
        """Return an event's context: ``attempts``, each with ``waited_seconds``, and ``elapsed_seconds``."""
        elapsed = round(self.elapsed_seconds(), 3)
        return {"attempts": self._failed, "elapsed_seconds": elapsed}


def give_up(
    error: Exception, attempts: Attempts, errors: ErrorSink | None, *, about: Mapping[str, object]
) -> None:
    """Add a note about the attempts to the error, and report it as the event of the whole operation.

    It is reported before it has passed the callers, so they are put above its frames temporarily: the
    reader looks first for the place that called the operation. ``about`` says what was tried and comes
    before the attempts in the event's context. Never raises.
    """
    error.add_note(f"given up after {attempts.made} attempts in {attempts.elapsed_seconds():.1f} s")
    if errors is None:
        return
    raised, here = error.__traceback__, sys._getframe(1)  # noqa: SLF001 - inspect's is the same, or None
    try:
        error.__traceback__ = _below_callers(raised, here)
        errors.handle_error_nowait(error, context={**about, **attempts.context()})
    except Exception as failure:  # noqa: BLE001 - whatever the sink raises, the caller gets the operation's error
        # Without the text and the trace, which would contain the operation's error with its values.
        extra = {"event": "give_up.not_told", "error": type(failure).__name__}
        logger.warning("give_up.not_told error=%s", type(failure).__name__, extra=extra)
    finally:
        error.__traceback__ = raised


def _below_callers(traceback: TracebackType | None, here: FrameType) -> TracebackType | None:
    """Put the frames of the callers above the traceback, from the task's or the thread's first frame on."""
    frame = here if traceback is None else traceback.tb_frame.f_back
    while frame is not None and frame.f_globals.get("__name__") != "asyncio.events":
        traceback = TracebackType(traceback, frame, frame.f_lasti, frame.f_lineno)
        frame = frame.f_back
    return traceback

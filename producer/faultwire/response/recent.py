"""The exceptions handed over just now: an error that passes several hands is one event.

The exception itself carries what was told of it, by each manager and for each of the requests that met it:
a failed connection that fifty wait for is fifty errors. An exception object that is raised anew later is a
new one too, so what an id stands for is remembered here for a while only.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final

from msgspec import Struct

from faultwire.audit.loss import LossReason
from faultwire.capture import scope
from faultwire.capture.chain import is_exception
from faultwire.capture.identity import MARK
from faultwire.capture.scope import Work
from faultwire.response.response import ErrorResponse
from faultwire_shared.foreign.interruption import pass_interruption

REMEMBERED: Final = 256
REMEMBERED_SECONDS: Final = 10.0
MEETINGS: Final = 64
"""Of one exception, with requests and managers, that it carries at most."""
_STEPS: Final = 1_000
"""Of a traceback that are looked at."""

_DECIDED: Final = frozenset(("disabled", LossReason.IGNORED.value, LossReason.NOT_SAMPLED.value))
"""Reasons of refusals by which the service has said that this error makes no event, at any layer of it."""


class Meeting(Struct, frozen=True):
    """One occurrence of an exception as one manager was told of it."""

    manager: object
    error_id: str
    work: Work
    trace: TracebackType | None


class ToldMark(str):
    """The id of the last event of an exception, and with it all of its occurrences.

    A text, as a host may show or send whatever its exceptions hold; pickled, it is nothing else.
    """

    __slots__ = ("meetings",)

    meetings: tuple[Meeting, ...]

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


class RecentResponses:
    """The last responses, by the ids of their events."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._manager = object()
        # Without a lock, as each step is one of the dict's own: a signal's handler that waited for the
        # storm's lock in the midst of this, and a destructor that waited for this one, hung both.
        self._responses: dict[str, tuple[float, ErrorResponse]] = {}

    def remember(self, error: object, response: ErrorResponse) -> None:
        """Mark the exception; one that cannot be marked will be taken for new."""
        self._keep(response)
        if not is_exception(error):
            return
        try:
            mark = ToldMark(response.error_id)
            meeting = Meeting(self._manager, response.error_id, scope.current().work, error.__traceback__)
            mark.meetings = (*_meetings_of(error)[1 - MEETINGS :], meeting)
            error.__dict__[MARK] = mark
        except BaseException as failure:  # noqa: BLE001 - a class may forbid it in any way it likes
            pass_interruption(failure)

    def find(self, error: object) -> ErrorResponse | None:
        """The response to this occurrence of the exception, where that was told just now.

        What made no event (a processor dropped it, no room was left) does not speak for the next layer.
        """
        try:
            mark = error.__dict__.get(MARK)
            found = self._find_id(mark, error)
        except BaseException as failure:  # noqa: BLE001 - any object may be handed over
            pass_interruption(failure)
            return None
        known = self._responses.get(found) if found is not None else None
        if known is None or self._clock() - known[0] > REMEMBERED_SECONDS:
            return None
        state = known[1].state
        is_told = state.state != "refused" or state.reason in _DECIDED
        return known[1] if is_told else None

    def has(self, error_id: object) -> bool:
        """True if it is the id of one of the last responses."""
        return type(error_id) is str and error_id in self._responses

    def _find_id(self, mark: object, error: object) -> str | None:
        if type(mark) is str:  # it was pickled meanwhile
            return mark
        if type(mark) is not ToldMark or not is_exception(error):
            return None
        work, trace = scope.current().work, error.__traceback__
        for meeting in reversed(mark.meetings):
            if meeting.manager is self._manager and _is_same(meeting, work, trace):
                return meeting.error_id
        return None

    def _keep(self, response: ErrorResponse) -> None:
        self._responses.pop(response.error_id, None)
        self._responses[response.error_id] = self._clock(), response
        if len(self._responses) > REMEMBERED:
            # Another thread or a signal's handler may have come in between, and taken it or added one.
            with suppress(RuntimeError):
                self._responses.pop(next(iter(self._responses)), None)


def _meetings_of(error: BaseException) -> tuple[Meeting, ...]:
    mark = error.__dict__.get(MARK)
    return mark.meetings if type(mark) is ToldMark else ()


def _is_same(meeting: Meeting, work: Work, trace: TracebackType | None) -> bool:
    """True if the exception is still on the way on which it was met; two requests have two ways.

    By the request where both know theirs. Elsewhere by the traceback: an outer layer's goes on from the frame
    in which it was met, while each who waits for the same failed future has it raised in a frame of its own.
    """
    if meeting.work and work:
        shorter, longer = sorted((meeting.work, work), key=len)
        return longer[: len(shorter)] == shorter
    if meeting.trace is None or trace is None:
        return True
    return _passes(trace, meeting.trace) or _passes(meeting.trace, trace)


def _passes(trace: TracebackType, through: TracebackType) -> bool:
    """True if the frame in which ``through`` begins is one of the traceback's."""
    step: TracebackType | None = trace
    for _ in range(_STEPS):
        if step is None:
            return False
        if step.tb_frame is through.tb_frame:
            return True
        step = step.tb_next
    return True

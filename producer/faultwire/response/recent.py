"""The exceptions handed over just now: an error that passes several hands is one event.

The exception carries the id of its event, as text: anything else might keep it from being pickled. What that
id stands for is remembered here, for a while: an exception object that is raised anew later is a new error.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from faultwire.capture.chain import is_exception
from faultwire.capture.identity import MARK
from faultwire.response.response import ErrorResponse

REMEMBERED: Final = 256
REMEMBERED_SECONDS: Final = 10.0


class RecentResponses:
    """The last responses, by the ids of their events."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Without a lock, as each step is one of the dict's own: a signal's handler that waited for the
        # storm's lock in the midst of this, and a destructor that waited for this one, hung both.
        self._responses: dict[str, tuple[float, ErrorResponse]] = {}

    def remember(self, error: object, response: ErrorResponse) -> None:
        """Mark the exception; one that cannot be marked will be taken for new."""
        if not is_exception(error):
            return
        try:
            error.__dict__[MARK] = response.error_id
        except Exception:  # noqa: BLE001 - a class may forbid it in any way it likes
            return
        self._responses.pop(response.error_id, None)
        self._responses[response.error_id] = self._clock(), response
        if len(self._responses) > REMEMBERED:
            # Another thread or a signal's handler may have come in between, and taken it or added one.
            with suppress(RuntimeError):
                self._responses.pop(next(iter(self._responses)), None)

    def find(self, error: object) -> ErrorResponse | None:
        """The response to this very exception, where it was handed over just now."""
        error_id = _mark_of(error)
        known = self._responses.get(error_id) if error_id is not None else None
        if known is None or self._clock() - known[0] > REMEMBERED_SECONDS:
            return None
        return known[1]


def _mark_of(error: object) -> str | None:
    try:
        mark = error.__dict__.get(MARK)
    except Exception:  # noqa: BLE001 - any object may be handed over
        return None
    return mark if type(mark) is str else None

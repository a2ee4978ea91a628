"""The one line that an error leaves in the host's log."""

import logging
from types import TracebackType
from typing import TYPE_CHECKING, Final

from faultwire.capture.chain import causes_of, is_exception, is_group
from faultwire_shared.event import Category, Event
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.logging.level import LEVELS
from faultwire_shared.text import printable

if TYPE_CHECKING:
    # Its patterns take 20 ms to compile: the first manager pays for them, not `import faultwire`.
    from faultwire_shared.scrub import Scrubber

_ATTEMPT_CHARACTERS: Final = 200
_TRACED: Final = 1_000
"""Exceptions in one trace, and notes of each, at most; a line about more goes without."""
_TRACED_CALLS: Final = 3_000
"""Calls in one trace, likewise: to format 100,000 takes ten seconds."""
_LINE: Final = "error.handled error_id=%s code=%s severity=%s service=%s"

# A library neither configures its host's logging nor prints where there is none.
logger = logging.getLogger("faultwire")
logger.addHandler(logging.NullHandler())


def log_handled(event: Event, error: object, scrubber: "Scrubber | None" = None) -> None:
    """Log ``error.handled`` with the event's id; with the trace where the service itself failed."""
    try:
        level = LEVELS[event.severity]
        if logger.isEnabledFor(level) and _is_heard():
            _log(level, event, error, scrubber)
    except BaseException as failure:  # noqa: BLE001 - a handler of the host raises; no log is left to say so in
        pass_interruption(failure)


def _is_heard() -> bool:
    """True if a handler would do anything: making a record that nobody sees is a third of a call's cost."""
    current: logging.Logger | None = logger
    while current is not None:
        for handler in current.handlers:
            if type(handler) is not logging.NullHandler:
                return True
        current = current.parent if current.propagate else None
    return False


def _log(level: int, event: Event, error: object, scrubber: "Scrubber | None") -> None:
    code, service = printable(event.code), printable(event.service)
    extra = {
        "event": "error.handled",
        "error_id": event.id,
        "code": code,
        "service": service,
        "severity": event.severity.value,
    }
    line, arguments = _LINE, [event.id, code, event.severity.value, service]
    if event.category is Category.AUTHENTICATION:
        attempt = scrubber.scrub_text(event.message) if scrubber is not None else event.message
        extra["attempt"] = printable(attempt[:_ATTEMPT_CHARACTERS])
        line += " attempt=%s"
        arguments.append(extra["attempt"])
    trace = error if event.category is Category.SYSTEM and is_exception(error) and _ends(error) else None
    logger.log(level, line, *arguments, extra=extra, exc_info=trace)


def _ends(error: BaseException) -> bool:
    """True if a host's handler can format it: ``traceback`` reads all notes, however many there are."""
    try:
        return _is_bounded(error)
    except BaseException as failure:  # noqa: BLE001 - a hostile error raises wherever it is looked at; its line needs no trace
        pass_interruption(failure)
        return False


def _is_bounded(error: BaseException) -> bool:
    waiting = [error]
    calls = 0
    for _ in range(_TRACED):
        if not waiting:
            return True
        for each in causes_of(waiting.pop()):
            calls += _calls_in(each.__traceback__)
            if calls > _TRACED_CALLS:
                return False
            notes = getattr(each, "__notes__", None)
            if notes is not None and (type(notes) is not list or len(notes) > _TRACED):
                return False
            if is_group(each):
                waiting += each.exceptions[:_TRACED]
    return False


def _calls_in(trace: TracebackType | None) -> int:
    calls = 0
    while trace is not None and calls <= _TRACED_CALLS:
        calls += 1
        trace = trace.tb_next
    return calls

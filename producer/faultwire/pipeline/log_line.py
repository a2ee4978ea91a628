"""The one line that an error leaves in the host's log."""

import logging
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Final

from faultwire.capture.chain import causes_of, is_exception, is_group
from faultwire_shared.event import Category, Event
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.trail import Trail
from faultwire_shared.logging.level import LEVELS
from faultwire_shared.logging.trace_text import has_stock_trace, learn_text, recall_text
from faultwire_shared.text import printable

if TYPE_CHECKING:
    # Its patterns take 20 ms to compile: the first manager pays for them, not `import faultwire`.
    from faultwire_shared.scrub import Scrubber

_ATTEMPT_CHARACTERS: Final = 200
_TRACED: Final = 1_000
"""Exceptions in one trace, and notes of each, at most; a line about more goes without."""
_TRACED_CALLS: Final = 3_000
"""Calls in one trace, likewise: to format 100,000 takes ten seconds."""
_STOCK_LOG: Final = [logging.Logger.log, logging.Logger._log, logging.Logger.findCaller]  # noqa: SLF001 - to know them again
_LINE: Final = "error.handled error_id=%s code=%s severity=%s service=%s"

_Trace = tuple[BaseException | None, str | None]
_NO_TRACE: Final[_Trace] = (None, None)

# A library neither configures its host's logging nor prints where there is none.
logger: logging.Logger = logging.getLogger("faultwire")
logger.addHandler(logging.NullHandler())


def log_handled(
    event: Event, error: object, scrubber: "Scrubber | None" = None, trail: Trail | None = None
) -> None:
    """Log ``error.handled`` with the event's id; with the trace where the service itself failed.

    ``trail`` is the error's own, where it is at hand.
    """
    try:
        level = LEVELS[event.severity]
        formatters = _formatters() if logger.isEnabledFor(level) else []
        if formatters:
            told = _NO_TRACE
            if event.category is Category.SYSTEM and is_exception(error):
                told = _trace_of(error, formatters, trail)
            _log(level, *_words_of(event, scrubber), told)
    except BaseException as failure:  # noqa: BLE001 - a handler of the host raises; no log is left to say so in
        pass_interruption(failure)


def _formatters() -> list[object]:
    """Formatters of those who would do anything: a record that nobody sees is a third of a call's cost."""
    found: list[object] = []
    current: logging.Logger | None = logger
    while current is not None:
        found += [each.formatter for each in current.handlers if type(each) is not logging.NullHandler]
        current = current.parent if current.propagate else None
    return found


def _words_of(event: Event, scrubber: "Scrubber | None") -> tuple[str, tuple[str, ...], dict[str, str]]:
    """The line, its arguments, and the fields that go with it."""
    code, service = printable(event.code), printable(event.service)
    extra = {
        "event": "error.handled",
        "error_id": event.id,
        "code": code,
        "service": service,
        "severity": event.severity.value,
    }
    arguments = event.id, code, event.severity.value, service
    if event.category is not Category.AUTHENTICATION:
        return _LINE, arguments, extra
    attempt = scrubber.scrub_text(event.message) if scrubber is not None else event.message
    extra["attempt"] = printable(attempt[:_ATTEMPT_CHARACTERS])
    return f"{_LINE} attempt=%s", (*arguments, extra["attempt"]), extra


def _log(level: int, line: str, arguments: tuple[str, ...], extra: dict[str, str], told: _Trace) -> None:
    trace, text = told
    if not _has_stock_log():
        logger.log(level, line, *arguments, extra=extra, exc_info=trace)
        return
    here = sys._getframe()  # noqa: SLF001 - what `log` finds out too, by a search
    exc_info = None if trace is None else (type(trace), trace, trace.__traceback__)
    place = here.f_code.co_filename, here.f_lineno
    name = here.f_code.co_name
    record = logger.makeRecord(logger.name, level, *place, line, arguments, exc_info, name, extra)
    record.exc_text = text
    logger.handle(record)


def _has_stock_log() -> bool:
    """False where somebody has put something of their own in the place of how a line becomes a record."""
    now = [getattr(each, "__func__", None) for each in (logger.log, logger._log, logger.findCaller)]  # noqa: SLF001 - see above
    return now == _STOCK_LOG


def _trace_of(error: BaseException, formatters: list[object], trail: Trail | None) -> _Trace:
    """The error if its trace is to be shown, and the trace where every formatter would make the same of it.

    The standard library's formatters take it from the record, where one of them has made it before.
    """
    if not all(each is None or has_stock_trace(each) for each in formatters):
        return (error if _ends(error) else None), None
    text = recall_text(error, trail)
    if text is not None:
        return error, text
    if not _ends(error):
        return _NO_TRACE
    try:
        return error, learn_text(error)
    except BaseException as failure:  # noqa: BLE001 - an error's own text raises anything; the handlers say so in their way
        pass_interruption(failure)
        return error, None


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

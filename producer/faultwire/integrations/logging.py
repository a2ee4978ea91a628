"""A handler for the standard library's logging: errors that are logged become events.

``logging.getLogger().addHandler(ErrorHandler(errors))``
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from faultwire.capture.chain import is_exception
from faultwire.client import Client
from faultwire.integrations.log_event import (
    LogLine,
    exception_in,
    has_event,
    is_own,
    leave_breadcrumb,
    make_event,
)
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.snapshot import clean_text

_RECORD: Final = {
    *logging.LogRecord("", 0, "", 0, "", (), None).__dict__,
    *("message", "asctime", "taskName"),  # set by formatters, and from Python 3.12 on
}


class ErrorHandler(logging.Handler):
    """Makes events of what is logged from one level on, and breadcrumbs of what is below.

    A record with ``exc_info``, or with an exception in place of its message, becomes an event of that
    exception; one that was handed over elsewhere too stays one event. Without, the text is the event, grouped
    by the message before its arguments were put in. The level is the severity, ``extra`` goes into the
    context, and the logger's name is a tag. The client's own lines, and anything logged while an error is
    handed over, are left alone.

    Args:
        errors: a ``SyncErrorManager`` or an ``ErrorManager``.
        level: from which on a record makes an event.
        breadcrumb_level: from which on it makes a breadcrumb; None makes none.
    """

    makes_events = True
    """For ``configure_logging``, which keeps a logger's lines from the handlers above, but not from this."""

    def __init__(
        self,
        errors: Client,
        level: int | str = logging.ERROR,
        *,
        breadcrumb_level: int | str | None = logging.INFO,
    ) -> None:
        super().__init__(level)
        self._errors = errors
        self._event_level = self.level
        if breadcrumb_level is not None:
            self.setLevel(breadcrumb_level)
            self.setLevel(min(self.level, self._event_level))

    def emit(self, record: logging.LogRecord) -> None:
        """Make an event or a breadcrumb of the record; never raises."""
        try:
            if is_own(record.name, record.threadName):
                return
            line = _line_of(record)
            if has_event(self._errors, line.fields):  # structlog's processor was here, or the service itself
                return
            if record.levelno >= self._event_level:
                make_event(self._errors, line)
            else:
                leave_breadcrumb(self._errors, line)
        except BaseException as error:  # noqa: BLE001 - the record's arguments may raise anything; logging has its own way to tell
            pass_interruption(error)
            self._tell(record)

    def _tell(self, record: logging.LogRecord) -> None:
        try:
            self.handleError(record)
        except BaseException as error:  # noqa: BLE001 - it prints the arguments, which may raise there as well
            pass_interruption(error)


def _line_of(record: logging.LogRecord) -> LogLine:
    fields = {name: value for name, value in record.__dict__.items() if name not in _RECORD}
    message, template = _text_of(record), None
    exc_info: object = record.exc_info
    given: Any = record.msg
    if issubclass(type(given), Mapping) and "event" in given:  # structlog's own, on its way to a formatter
        fields |= {name: value for name, value in given.items() if name not in ("event", "exc_info")}
        exc_info, given = exc_info or given.get("exc_info"), given["event"]
        message = "" if is_exception(given) else str(given)
    elif record.args and isinstance(given, str):
        template = given
    return LogLine(
        logger=record.name,
        level=record.levelno,
        message=message,
        template=template,
        error=exception_in(exc_info, given),
        fields=fields,
        source=f"{record.pathname}:{record.lineno} {record.funcName}",
    )


def _text_of(record: logging.LogRecord) -> str:
    try:
        # Of an exception, the event reads the text itself, with all the care that takes.
        return "" if is_exception(record.msg) else record.getMessage()
    except BaseException as error:  # noqa: BLE001 - arguments that do not fit are a mistake of the host's, and no reason to lose its error
        pass_interruption(error)
        return clean_text(record.msg)

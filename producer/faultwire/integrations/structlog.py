"""A processor for structlog: errors that are logged become events, and their lines carry the event's id.

It stands before ``format_exc_info`` and its kind, as it needs the exception itself.
"""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

from faultwire.capture.chain import is_exception
from faultwire.client import Client
from faultwire.integrations.log_event import (
    ERROR_ID,
    OTHER_ID,
    LogLine,
    exception_in,
    has_event,
    is_own,
    leave_breadcrumb,
    make_event,
)

_LEVELS: Final[Mapping[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
    "fatal": logging.CRITICAL,
    "critical": logging.CRITICAL,
}
_NOT_FIELDS: Final = ("event", "exc_info", "level", "logger", "timestamp")


class ErrorProcessor:
    """Adds ``error_id`` to what is logged from one level on, and makes breadcrumbs of what is below.

    A field of the service's own with that name stays; the id is then ``faultwire_error_id``. A line with
    ``exc_info``, or with an exception in place of its text, becomes an event of its exception, one that is
    known already stays one event; without, its text is the event, and so is its template, as structlog keeps
    the values apart from it.

    Args:
        errors: a ``SyncErrorManager`` or an ``ErrorManager``.
        level: of logging; from which on a line makes an event.
        breadcrumb_level: from which on it makes a breadcrumb; None makes none.
    """

    def __init__(
        self,
        errors: Client,
        level: int = logging.ERROR,
        *,
        breadcrumb_level: int | None = logging.INFO,
    ) -> None:
        self._errors = errors
        self._level = level
        self._breadcrumb_level = level if breadcrumb_level is None else breadcrumb_level

    def __call__(
        self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """As structlog calls it."""
        level = _LEVELS.get(method_name, 0)
        name = str(event_dict.get("logger") or getattr(logger, "name", None) or "structlog")
        if level < min(self._level, self._breadcrumb_level) or is_own(name):
            return event_dict
        if has_event(self._errors, event_dict):
            return event_dict
        given = event_dict.get("event", "")
        text = "" if is_exception(given) else str(given)
        fields = {key: value for key, value in event_dict.items() if key not in _NOT_FIELDS}
        error = exception_in(event_dict.get("exc_info"), given)
        line = LogLine(logger=name, level=level, message=text, template=text, error=error, fields=fields)
        if level >= self._level:
            free = OTHER_ID if ERROR_ID in event_dict else ERROR_ID
            event_dict[free] = make_event(self._errors, line).error_id
        else:
            leave_breadcrumb(self._errors, line)
        return event_dict

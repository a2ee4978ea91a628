"""From a line of a host's log to an event or a breadcrumb, whichever library wrote it."""

import logging
import sys
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from faultwire.capture.chain import is_exception
from faultwire.client import Client
from faultwire.process import handover
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.snapshot import clean_text

OWN_LOGGERS: Final = ("faultwire", "faultwire_shared", "faultwire_consumer", "aio_pika", "aiormq", "pamqp")
"""Ours, and those of the libraries that carry our events: a line about an event would make the next."""
OWN_CLIENTS: Final = ("aiohttp.client", "aiohttp.internal")
OWN_THREADS: Final = "faultwire "
ERROR_ID: Final = "error_id"
"""Field of a line that has an event already, by the id that the manager gave; a service may have one too."""
OTHER_ID: Final = "faultwire_error_id"
"""The same, where a service's own field has that name."""


class LogLine(Struct, frozen=True, kw_only=True):
    """One line of a log, before it is rendered."""

    logger: str
    level: int
    message: str
    """Empty where an exception stands in its place."""
    template: str | None = None
    """The message before its values were put in, where there were any."""
    error: BaseException | None = None
    fields: Mapping[str, Any] = {}
    source: str | None = None
    """The place where it was logged."""


def is_own(logger: str, thread: str | None = None) -> bool:
    """True if a line comes from ourselves, or is logged while this thread hands over an error."""
    if handover.is_under_way() or (thread is not None and thread.startswith(OWN_THREADS)):
        return True
    return logger.partition(".")[0] in OWN_LOGGERS or logger in OWN_CLIENTS


def has_event(errors: Client, fields: Mapping[str, Any]) -> bool:
    """True if the line tells the id of an event that this manager has made."""
    return any(errors.has_given(fields.get(name)) for name in (ERROR_ID, OTHER_ID))


def make_event(errors: Client, line: LogLine) -> ErrorResponse:
    """Hand the line over: its exception where it has one, which may be known already, else its text."""
    context: dict[str, Any] = {**line.fields}
    if line.source is not None:
        context["source"] = line.source
    if line.error is not None and line.message:
        context["log"] = line.message
    return errors.handle_once(
        line.message if line.error is None else line.error,
        severity_of(line.level),
        context,
        tags={"logger": line.logger},
        template=line.template if line.error is None else None,
    )


def leave_breadcrumb(errors: Client, line: LogLine) -> None:
    """Remember the line for the next error of this context."""
    level = logging.getLevelName(line.level).lower()
    text = line.message
    if line.error is not None and not text:
        text = clean_text(line.error) or type(line.error).__name__
    errors.add_breadcrumb(text, category=line.logger, level=level, data=line.fields or None)


def severity_of(level: int) -> ErrorSeverity:
    """The severity of one of logging's levels, or of any number between them."""
    if level >= logging.CRITICAL:
        return ErrorSeverity.CRITICAL
    if level >= logging.ERROR:
        return ErrorSeverity.HIGH
    return ErrorSeverity.MEDIUM if level >= logging.WARNING else ErrorSeverity.LOW


def exception_in(exc_info: object, message: object = None) -> BaseException | None:
    """The exception that a line is about.

    Args:
        exc_info: in any of its forms: True, an exception or a triple.
        message: as it was logged; an exception in place of a text is the line's too.
    """
    if exc_info is True or exc_info == 1:
        exc_info = sys.exc_info()[1]
    elif isinstance(exc_info, tuple) and len(exc_info) == 3:
        exc_info = exc_info[1]
    found = exc_info if isinstance(exc_info, BaseException) else message
    return original_of(found) if is_exception(found) else None


def original_of(error: BaseException) -> BaseException:
    """The exception itself, where a pool of processes shows one in its stead that can be pickled."""
    inner = getattr(error, "exc", None)
    if type(error).__name__.endswith("ExceptionWithTraceback") and is_exception(inner):
        error = inner
    if type(error).__name__ != "UnpickleableExceptionWrapper":
        return error
    raised = sys.exc_info()[1]
    is_it = raised is not None and type(raised).__name__ == getattr(error, "exc_cls_name", None)
    return raised if is_it and raised is not None else error

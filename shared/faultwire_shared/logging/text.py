"""Formats of a log record: a line for people, and a JSON document for machines.

Both accept records of the standard library and of structlog, with any content, and never show
local variables.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.trail import TRAILS
from faultwire_shared.logging.trace import ExcInfo, trace_document
from faultwire_shared.logging.trace_text import Part, trace_parts
from faultwire_shared.memo import Memo
from faultwire_shared.scrub import Scrubber
from faultwire_shared.snapshot import Snapshot, clean_text
from faultwire_shared.text import printable

MESSAGE_CHARACTERS: Final = 16_384
KEYS: Final = ("timestamp", "level", "logger", "message")
"""Keys of every JSON line; a bound value of such a name gets an underscore appended."""

_EXCEPTION: Final = "exception"
_EXCEPTION_TEXT: Final = "exception_text"
_STACK: Final = "stack"
_STANDARD: Final = frozenset(
    (*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "_logger", "_name")
)
_STRUCTLOG: Final = ("event", "exc_info", "stack", "stack_info", "_record", "_from_structlog")
_COLORS: Final = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}


class ConsoleFormatter(logging.Formatter):
    """``time [LEVEL] logger: message``, followed by structlog's bound values, with the trace below it.

    Control characters are escaped, and a trace is indented: no text can forge a line of its own.
    """

    def __init__(self, *, color: bool, scrubber: Scrubber | None = None) -> None:
        super().__init__()
        self._color = color
        self._scrubber = scrubber
        self._shown: Memo[Part, str] = Memo(TRAILS)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the lines of the trace if there is one."""
        values, message = _bound(record), message_of(record)
        if self._scrubber is not None:
            values, message = self._scrubber.scrub_mapping(values), self._scrubber.scrub_text(message)
        bound = "".join(f" {printable(key)}={_shown(value)}" for key, value in values.items())
        # Not the standard library's `extra`: its authors wrote the message to be complete.
        head = f"{_timestamp(record)} [{self._level(record)}] {printable(record.name)}: "
        return "\n".join([head + printable(message) + bound, *self._trace(record)])

    def _trace(self, record: logging.LogRecord) -> Iterable[str]:
        """The trace below the line; of what was told before it is at hand as it was shown then."""
        exc_info = _exc_info(record)
        if exc_info is not None and not _stack(record) and _is_as_raised(exc_info):
            shown = [self._shown.get(part) or self._show(part) for part in trace_parts(exc_info[1]) or ()]
            if shown and None not in shown:
                return filter(None, shown)
        return _trace_lines(record, self._scrubber)

    def _show(self, part: Part) -> str | None:
        """Return a part's lines; None where scrubbing has joined the last to the next part's first."""
        scrubbed = "".join(part if self._scrubber is None else self._scrubber.scrub_trace(part))
        if not scrubbed.endswith("\n"):
            return None
        shown = "\n".join(f"    {printable(line)}" for line in scrubbed.splitlines())
        if len(part) > 1:  # calls, which come again; what an error says hardly does
            self._shown[part] = shown
        return shown

    def _level(self, record: logging.LogRecord) -> str:
        color = _COLORS.get(record.levelno)
        return f"\x1b[{color}m{record.levelname}\x1b[0m" if self._color and color else record.levelname


class JsonFormatter(logging.Formatter):
    """One JSON document per line: ``timestamp level logger message``, bound values, the exception."""

    def __init__(self, *, scrubber: Scrubber | None = None) -> None:
        super().__init__()
        self._scrubber = scrubber

    def format(self, record: logging.LogRecord) -> str:
        """Return the document, in ASCII, so that its characters are its bytes."""
        snapshot = Snapshot()
        document: dict[str, Any] = {
            "timestamp": _timestamp(record),
            "level": record.levelname,
            "logger": clean_text(record.name),
            "message": message_of(record),
        }
        for key, value in snapshot.mapping("bound", _extra(record) | _bound(record)).items():
            document[f"{key}_" if key in KEYS else key] = value
        if (exc_info := _exc_info(record)) is not None:
            document[_EXCEPTION] = trace_document(exc_info)
        elif record.exc_text:  # of a record that another process made text of
            document[_EXCEPTION_TEXT] = clean_text(record.exc_text, MESSAGE_CHARACTERS)
        if (stack := _stack(record)) is not None:
            document[_STACK] = clean_text(stack, MESSAGE_CHARACTERS)
        if self._scrubber is not None:
            document = self._scrubber.scrub_mapping(document)
        return json.dumps(document, allow_nan=False)


def message_of(record: logging.LogRecord) -> str:
    """Return the message with its arguments, or a note that they cannot be formatted."""
    if isinstance(record.msg, dict):
        return clean_text(record.msg.get("event", ""), MESSAGE_CHARACTERS)
    try:
        return clean_text(record.getMessage(), MESSAGE_CHARACTERS)
    except BaseException as error:  # noqa: BLE001 - an argument's __repr__ may raise anything, and the line must come
        pass_interruption(error)
        return f"{clean_text(record.msg, MESSAGE_CHARACTERS)} <arguments unprintable: {type(error).__name__}>"


def _bound(record: logging.LogRecord) -> dict[str, object]:
    """Return structlog's bound values, of the logger or the context."""
    bound: dict[str, object] = dict(structlog.contextvars.get_contextvars())
    if isinstance(record.msg, dict):
        bound |= {key: value for key, value in record.msg.items() if key not in _STRUCTLOG}
    return bound


def _extra(record: logging.LogRecord) -> dict[str, object]:
    """Return the standard library's ``extra``."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _exc_info(record: logging.LogRecord) -> ExcInfo | None:
    found: object = record.exc_info
    if isinstance(record.msg, dict):
        found = record.msg.get("exc_info") or found
    if isinstance(found, BaseException):
        return type(found), found, found.__traceback__
    if found and not isinstance(found, tuple):
        found = sys.exc_info()
    return found if isinstance(found, tuple) and found[1] is not None else None


def _is_as_raised(exc_info: ExcInfo) -> bool:
    return exc_info[0] is type(exc_info[1]) and exc_info[2] is exc_info[1].__traceback__


def _stack(record: logging.LogRecord) -> str | None:
    return record.msg.get("stack") if isinstance(record.msg, dict) else record.stack_info


def _trace_lines(record: logging.LogRecord, scrubber: Scrubber | None) -> Iterator[str]:
    exc_info = _exc_info(record)
    parts = traceback.format_exception(*exc_info) if exc_info is not None else _text_of_trace(record)
    if scrubber is not None:
        parts = scrubber.scrub_trace(parts)
    for line in "".join([*parts, _stack(record) or ""]).splitlines():
        yield f"    {printable(line)}"


def _text_of_trace(record: logging.LogRecord) -> list[str]:
    """Return the trace of a record from another process, which had made text of it."""
    return [f"{line}\n" for line in record.exc_text.splitlines()] if isinstance(record.exc_text, str) else []


def _timestamp(record: logging.LogRecord) -> str:
    """Format the time by RFC 3339, in UTC with milliseconds."""
    at = datetime.fromtimestamp(record.created, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: object) -> str:
    plain = Snapshot().mapping("value", {"value": value})["value"]
    if isinstance(plain, str) and plain and plain.isprintable() and not set(plain) & set(' "='):
        return plain
    return printable(json.dumps(plain, ensure_ascii=False))


def wants_color(stream: object, environ: Mapping[str, str]) -> bool:
    """Return True if a stream is a terminal that may be coloured (https://no-color.org)."""
    is_terminal = getattr(stream, "isatty", None)
    allowed = not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return allowed and callable(is_terminal) and bool(is_terminal())

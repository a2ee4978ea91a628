"""Logging, of a worker and of a service: structlog over the standard library, one chain for both."""

import logging
import os
import sys
import traceback
from collections.abc import Mapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog
from msgspec import Struct

from faultwire_shared.logging.pipe import LogPipe, Target
from faultwire_shared.logging.text import ConsoleFormatter, JsonFormatter, wants_color
from faultwire_shared.scrub import Scrubber
from faultwire_shared.text import printable

LOG_EVENTS: Final[Mapping[str, str]] = {
    "worker.started": "The worker takes events; the line says from where and into which store.",
    "worker.draining": "The worker was told to end: it takes nothing more in and settles what it has.",
    "worker.drained": "Every event that was taken is settled; the worker ends.",
    "broker.connected": "A lane's connection to the broker stands and its queue is being consumed.",
    "broker.lost": "A lane cannot consume its queue, for the reason told; it tries again, and tells it again "
    "after five minutes.",
    "store.lost": "The store did not take a batch; its messages went back and the lanes wait for it.",
    "store.found": "The store answers again and the lanes go on.",
    "chore.postponed": "A chore that one worker does for all could not be done now; it is tried again.",
    "retention.pruned": "Events went by age or size; the line says how many, and of which days.",
    "retention.bound_missed": "The database is above its bound, and holds no day that is old enough to go.",
    "replica.left": "The read replica is away or too far behind; queries go to the primary meanwhile.",
    "replica.joined": "The read replica answers queries again.",
    "search.unindexed": "Free text is searched without an index; the line says why, and what mends it.",
    "delivery.dead_lettered": "An event could not be stored and stands in the dead letters with its reason.",
    "incident.opened": "An event of a kind never seen before opened an incident.",
    "incident.overflowed": "Too many new incidents of one service and type; one takes what is beyond.",
    "incident.regressed": "An event occurred after its incident was resolved and opened a new episode.",
    "sequence.gap_told": "Numbered events of a producer did not arrive in time; an incident tells of it.",
    "sequence.gap_closed": "The missing events came late or are explained; their incident is resolved.",
    "notification.logged": "A notification whose receiver is the log; the line carries what it says.",
    "notification.stopped": "A stage found that nobody has to be told any more; the line says why.",
    "notification.failed": "An attempt did not reach its receiver; it is made again after a wait.",
    "notification.given_up": "A notification was not sent and is tried no more; the line says why.",
    "notification.lease_lost": "Another dispatcher took a notification over while it was being sent.",
    "notification.sender_failed": "A sender met a mistake of its own; the attempt counts as failed.",
    "request.failed": "A request to the API or page failed inside the worker; its error has the same id.",
    "self_report.failed": "An error of the worker's own could not be stored, and is not told anywhere else.",
    "self_report.cut_short": "The worker ended before it had told the count of a burst of its own errors.",
    "operation.retried": "A database operation or request failed and is tried again after a wait.",
    "give_up.not_told": "The error of an operation that was given up could not be handed over.",
    "circuit.opened": "Calls of that name failed so often in a row that they are refused for a while.",
    "circuit.closed": "A trial call went well, and calls of that name pass again.",
    "circuit.hook_failed": "A service's own hook for changes of circuits raised; the change stands.",
    "error.handled": "The client was handed an exception; the line carries the event's id.",
    "transport.connected": "The client reached the broker or the intake after it had been away.",
    "transport.lost": "The client cannot publish to the broker or the intake; it tries again after a wait.",
    "settings.refused": "A FAULTWIRE_ variable of the client cannot be used, and nothing is published.",
    "processor.failed": "A processor of the service raised; the event went on without it.",
    "scope.unreadable": "What a host says of the running request could not be read; the event goes without.",
    "publisher.failed": "The client's publisher met a mistake of its own and starts again.",
    "report.failed": "The client could not keep or say how far it has counted; it tries again later.",
    "event.lost": "The client dropped events; the line says how many and why.",
    "log.lost": "Lines came faster than the log's file could be written; the line says how many are missing.",
    "event.set_aside": "Events in the spool were refused five times; they stay on disk and hold up nobody.",
    "spool.opened": "The client made its file on disk; the line carries SQLite's version.",
    "spool.unavailable": "The spool's disk or directory cannot be used; events wait in memory.",
    "spool.available": "The spool can be written again.",
    "spool.salvaged": "A damaged spool was put aside; the line says how many events came back.",
    "spool.not_adopted": "A file that a dead process left cannot be read now; it is tried again later.",
    "spool.failed": "The spool's thread met a mistake of its own and goes on.",
}
"""Every log event of the worker and the client, with a sentence each."""

_LIBRARIES: Final = {
    "aio_pika": logging.ERROR,
    "aiormq": logging.ERROR,
    "aiohttp.access": logging.WARNING,
    "alembic": logging.WARNING,
}

_UNSCRUBBED: Final = frozenset(("exc_info", "stack_info", "_record", "_from_structlog"))
# A log is the host's own: people's addresses may stand there.
_SCRUBBER: Final = Scrubber(send_default_pii=True)

LogFormat = Literal["auto", "console", "json"]

MAX_BYTES: Final = 10_485_760
"""10 MiB: so large a log file grows before it is rotated."""
BACKUPS: Final = 5


class _Settings(Struct, frozen=True):
    """What one pipe writes, and where; two loggers of one file must agree."""

    file: Path | None
    console_level: int
    file_level: int
    max_bytes: int
    backups: int
    stream: TextIO
    scrub: bool


_pipes: dict[str, tuple[_Settings, LogPipe]] = {}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger over the standard library's logger of that name."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure_logging(
    name: str = "faultwire",
    file: str | os.PathLike[str] | None = "logs/app.log",
    *,
    level: int | str = logging.DEBUG,
    console_level: int | str = logging.INFO,
    file_level: int | str = logging.ERROR,
    max_bytes: int = MAX_BYTES,
    backups: int = BACKUPS,
    stream: TextIO | None = None,
    scrub: bool = True,
) -> LogPipe:
    """Send one logger's lines to the console and, as JSON, to a file that is rotated.

    The console reads ``time [LEVEL] logger: message``, coloured on a terminal. The file has one JSON
    document a line, with ``timestamp level logger message`` and whatever was bound. Both are written
    by a thread behind a queue, which is emptied when the process ends. Other loggers stay as they
    are; a second call for the same name replaces the first. structlog is set up to go the same way.

    Args:
        name: of the logger; the loggers below it (``shop.orders``) follow. Empty for the root.
        file: where the JSON goes; its directory is made. None for the console alone.
        level: from which on the logger takes lines at all.
        console_level: from which on lines go to the console.
        file_level: from which on lines go to the file.
        max_bytes: the size at which the file is rotated.
        backups: how many rotated files are kept beside it.
        stream: the console; stderr by default.
        scrub: take secrets out of messages, of what was bound, and of exceptions.

    Returns:
        The pipe, to flush or close it earlier than at the process's end.

    Raises:
        OSError: the file cannot be written.
        ValueError: another logger writes that file with other settings, or a level is unknown.
    """
    settings = _Settings(
        file=Path(file).absolute() if file is not None else None,
        console_level=_level(console_level),
        file_level=_level(file_level),
        max_bytes=max_bytes,
        backups=backups,
        stream=stream or sys.stderr,
        scrub=scrub,
    )
    logger, lowest = logging.getLogger(name), _level(level)
    before = _pipes.get(name)
    pipe = _pipe_for(settings, {other: it for other, it in _pipes.items() if other != name})
    if before is not None:
        before[1].detach(logger)
    _pipes[name] = settings, pipe
    pipe.attach(logger, level=lowest)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return pipe


def _pipe_for(settings: _Settings, others: Mapping[str, tuple[_Settings, LogPipe]]) -> LogPipe:
    """A new pipe, or the one that writes this file already: two that rotate it would lose lines."""
    for known, pipe in others.values():
        if settings.file is None or known.file != settings.file or not pipe.loggers:
            continue
        if known != settings:
            raise ValueError(f"{settings.file} is written with other settings already; give it the same")
        return pipe
    scrubber = _SCRUBBER if settings.scrub else None
    console = ConsoleFormatter(color=wants_color(settings.stream, os.environ), scrubber=scrubber)
    targets = [Target(logging.StreamHandler(settings.stream), console, settings.console_level)]
    if settings.file is not None:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(
            settings.file, maxBytes=settings.max_bytes, backupCount=settings.backups, encoding="ascii"
        )
        targets.append(Target(handler, JsonFormatter(scrubber=scrubber), settings.file_level))
    return LogPipe(targets)


def _level(level: int | str) -> int:
    if isinstance(level, int):
        return level
    known = logging.getLevelNamesMapping()
    if level.upper() not in known:
        raise ValueError(f"there is no log level {level!r}; known are {', '.join(known)}")
    return known[level.upper()]


def configure_process_logging(*, level: str = "INFO", log_format: LogFormat = "auto") -> None:
    """Send every log record of this process to stderr, one line each, without secrets.

    Args:
        level: of the root logger, by name.
        log_format: ``console`` for people, ``json`` for machines, ``auto`` by whether stderr is a terminal.
    """
    terminal = sys.stderr.isatty()
    as_json = log_format == "json" or (log_format == "auto" and not terminal)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(as_json, colors=terminal),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Our supervisors tell of every lost connection once; aiormq's warnings repeat it for each channel.
    for library, threshold in _LIBRARIES.items():
        logging.getLogger(library).setLevel(threshold)


def _renderers(as_json: bool, *, colors: bool) -> list[structlog.typing.Processor]:
    # Local variables never enter a log line: structlog prints them unless told otherwise.
    if as_json:
        transformer = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        return [
            structlog.processors.ExceptionRenderer(transformer),
            _scrub,
            structlog.processors.JSONRenderer(default=_text),
        ]
    return [
        _scrub,
        _escape_controls,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_write_trace),
    ]


def _scrub(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take secrets out of what is about to be rendered."""
    kept = {key: value for key, value in event.items() if key in _UNSCRUBBED}
    return kept | _SCRUBBER.scrub_mapping({key: event[key] for key in event if key not in kept})


def _write_trace(stream: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    stream.write("\n" + "".join(_SCRUBBER.scrub_trace(traceback.format_exception(*exc_info))).rstrip("\n"))


def _escape_controls(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep a line a line and a terminal safe: what is logged may be an attacker's text."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _text(value: object) -> str:
    return str(value)

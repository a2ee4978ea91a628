"""Configuration of logging, for workers and services alike: structlog over the standard library."""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, TextIO

import structlog
from msgspec import Struct

from faultwire_shared.logging.handler import ConsoleHandler, FileHandler
from faultwire_shared.logging.pipe import LogPipe, Target
from faultwire_shared.logging.standard_stream import open_standard_streams
from faultwire_shared.logging.text import ConsoleFormatter, JsonFormatter, wants_color
from faultwire_shared.scrub import Scrubber

_LIBRARIES: Final = {
    "aio_pika": logging.ERROR,
    "aiormq": logging.ERROR,
    "aiohttp.access": logging.WARNING,
    "alembic": logging.WARNING,
}

# A log belongs to the host: people's addresses may appear in it.
_SCRUBBER: Final = Scrubber(send_default_pii=True)

LogFormat = Literal["auto", "console", "json"]

MAX_BYTES: Final = 10_485_760
"""10 MiB: the size at which a log file is rotated."""
BACKUPS: Final = 5


class _Settings(Struct, frozen=True):
    """Settings of one pipe; two loggers of one file must agree on them."""

    file: Path | None
    console_level: int
    file_level: int
    max_bytes: int
    backups: int
    stream: TextIO
    scrub: bool


_pipes: dict[str, tuple[_Settings, LogPipe]] = {}


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a structured logger over the standard library's logger of that name."""
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
    document per line, with ``timestamp level logger message`` and the bound values. Both are written
    by a thread behind a queue, which is emptied when the process ends. Other loggers stay as they
    are; a second call for the same name replaces the first. structlog is configured to use the same path.

    Args:
        name: of the logger; the loggers below it (``shop.orders``) follow. Empty for the root.
        file: where the JSON goes; its directory is made. None for the console alone.
        level: lowest level that the logger accepts at all.
        console_level: lowest level that goes to the console.
        file_level: lowest level that goes to the file.
        max_bytes: the size at which the file is rotated.
        backups: number of rotated files that are kept; with 0 the file begins anew at its size.
        stream: the console; stderr by default.
        scrub: take secrets out of messages, bound values and exceptions.

    Returns:
        The pipe, to flush or close it before the process ends.

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
    _send_structlog_to_the_standard_library()
    return pipe


def _pipe_for(settings: _Settings, others: Mapping[str, tuple[_Settings, LogPipe]]) -> LogPipe:
    """Return a new pipe, or the one that already writes this file: two that rotate it would lose lines."""
    for known, pipe in others.values():
        if settings.file is None or known.file != settings.file or not pipe.loggers:
            continue
        if known != settings:
            raise ValueError(f"{settings.file} is already written with other settings; use the same")
        return pipe
    scrubber = _SCRUBBER if settings.scrub else None
    console = ConsoleFormatter(color=wants_color(settings.stream, os.environ), scrubber=scrubber)
    targets = [Target(ConsoleHandler(settings.stream), console, settings.console_level)]
    if settings.file is not None:
        settings.file.parent.mkdir(parents=True, exist_ok=True)
        handler = FileHandler(
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
    """Send every log record of this process to stderr, without secrets.

    A thread writes the lines, behind a bounded queue: where nobody reads them, or a driver of logs hangs,
    they are dropped and nothing waits; how many that were is said once they flow again.
    A line has the form that ``configure_logging`` writes: ``time [LEVEL] logger: message`` for people, and
    for machines a JSON document with ``timestamp level logger message`` and the bound values.

    Args:
        level: of the root logger, by name.
        log_format: ``console`` for people, ``json`` for machines, ``auto`` for the former on a terminal.
    """
    _send_structlog_to_the_standard_library()
    open_standard_streams()
    formatter = _formatter(log_format, sys.stderr)
    root = logging.getLogger()
    LogPipe([Target(ConsoleHandler(sys.stderr), formatter, logging.NOTSET)]).take_over(root)
    root.setLevel(level.upper())
    # Our supervisors log every lost connection once; aiormq's warnings repeat it for each channel.
    for library, threshold in _LIBRARIES.items():
        logging.getLogger(library).setLevel(threshold)


def _formatter(log_format: LogFormat, stream: TextIO) -> logging.Formatter:
    as_json = log_format == "json" or (log_format == "auto" and not stream.isatty())
    if as_json:
        return JsonFormatter(scrubber=_SCRUBBER)
    return ConsoleFormatter(color=wants_color(stream, os.environ), scrubber=_SCRUBBER)


def _send_structlog_to_the_standard_library() -> None:
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

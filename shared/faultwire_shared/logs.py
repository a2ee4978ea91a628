"""Logging of a process that is ours: structlog over the standard library, one chain for both."""

import logging
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal

import structlog

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
    "delivery.dead_lettered": "An event could not be stored and stands in the dead letters with its reason.",
    "incident.opened": "An event of a kind never seen before opened an incident.",
    "incident.regressed": "An event occurred after its incident was resolved and opened a new episode.",
    "sequence.gap_told": "Numbered events of a producer did not arrive in time; an incident tells of it.",
    "sequence.gap_closed": "The missing events came late or are explained; their incident is resolved.",
    "request.failed": "A request to the API or page failed inside the worker.",
    "error.handled": "The client was handed an exception; the line carries the event's id.",
    "transport.connected": "The client reached the broker or the intake after it had been away.",
    "transport.lost": "The client cannot publish to the broker or the intake; it tries again after a wait.",
    "settings.refused": "A FAULTWIRE_ variable of the client cannot be used, and nothing is published.",
    "processor.failed": "A processor of the service raised; the event went on without it.",
    "publisher.failed": "The client's publisher met a mistake of its own and starts again.",
    "report.failed": "The client could not keep or say how far it has counted; it tries again later.",
    "event.lost": "The client dropped events; the line says how many and why.",
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

LogFormat = Literal["auto", "console", "json"]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A structured logger over the standard library's logger of that name."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure_process_logging(*, level: str = "INFO", log_format: LogFormat = "auto") -> None:
    """Send every log record of this process to stderr, one line each.

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
            structlog.processors.JSONRenderer(default=_text),
        ]
    return [
        _escape_controls,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback),
    ]


def _escape_controls(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep a line a line and a terminal safe: what is logged may be an attacker's text."""
    return {key: printable(value) if isinstance(value, str) else value for key, value in event.items()}


def _text(value: object) -> str:
    return str(value)

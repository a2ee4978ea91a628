"""Where code writes log events: their levels and fields, read from the source."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("producer/faultwire", "consumer/faultwire_consumer", "shared/faultwire_shared")
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
_NAME: Final = re.compile(r"[a-z_]+\.[a-z_]+")
_METHODS: Final = {name: name for name in LEVELS} | {"exception": "error"}


class LogLine(Struct, frozen=True, kw_only=True):
    """One place that writes an event."""

    event: str
    level: str
    fields: tuple[str, ...]


_ABOUT_OTHERS: Final = {"exc_info", "extra", "event"}

BY_HAND: Final = (
    # What names its event by what happened, or writes its line without a logger.
    *(
        LogLine(event=f"incident.{reason}", level="info", fields=("incident", "event_id"))
        for reason in ("opened", "regressed", "severity_rose", "acknowledge_ended", "mute_ended")
    ),
    LogLine(
        event="error.handled", level="as severe as it is", fields=("error_id", "code", "service", "severity")
    ),
    LogLine(event="log.lost", level="error", fields=("count",)),
    LogLine(event="notification.logged", level="as severe as it is", fields=()),
)


def log_lines() -> Iterator[LogLine]:
    """Every place that names its event by a literal, and what is told by hand."""
    yield from BY_HAND
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    yield from _bound(node)
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _as_extra(node)


def _bound(call: ast.Call) -> Iterator[LogLine]:
    """A line of structlog: the event first, its fields by name."""
    first = call.args[0] if call.args else None
    if _level(call) and isinstance(first, ast.Constant) and _NAME.fullmatch(str(first.value)):
        fields = (keyword.arg for keyword in call.keywords if keyword.arg is not None)
        yield _line(str(first.value), _level(call), fields)


def _as_extra(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[LogLine]:
    """A line of the standard library's: its event and fields in ``extra``, which the next call takes."""
    nodes = list(ast.walk(function))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _takes_extra(node)]
    for node in nodes:
        if isinstance(node, ast.Dict):
            keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
            values = dict(zip(keys, node.values, strict=False))
            event = values.get("event")
            later = [call for call in calls if (call.end_lineno or 0) >= node.lineno]
            if isinstance(event, ast.Constant) and later:
                level = _level(min(later, key=lambda call: call.lineno)) or "as severe as it is"
                yield _line(str(event.value), level, (str(key) for key in keys))


def _takes_extra(call: ast.Call) -> bool:
    return any(keyword.arg == "extra" for keyword in call.keywords)


def _level(call: ast.Call) -> str:
    return _METHODS.get(call.func.attr, "") if isinstance(call.func, ast.Attribute) else ""


def _line(event: str, level: str, fields: Iterable[str]) -> LogLine:
    told = tuple(field for field in fields if field not in _ABOUT_OTHERS)
    return LogLine(event=event, level=level, fields=told)

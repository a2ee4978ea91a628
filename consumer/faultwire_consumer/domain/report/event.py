"""One event as Markdown: its facts, its trace, and what led to it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from faultwire_consumer.domain.links.source import NO_SOURCE_LINKS, SourceLinks
from faultwire_consumer.domain.report.layout import CHARACTERS, Section, assemble
from faultwire_consumer.domain.report.quoting import WARNING, address, cut, fence, span
from faultwire_consumer.domain.report.trace import trace_lines
from faultwire_consumer.domain.report.variable import variable_lines
from faultwire_shared.event import Event

_FACTS: Final = (
    *("message", "template", "code", "service", "environment", "release", "host", "transaction"),
    *("trace_id", "span_id"),
)
_BREADCRUMBS: Final = 50
_SOURCES: Final = 10
_CALLS: Final = 10
"""The most calls whose local variables are shown."""
_VALUE_CHARACTERS: Final = 300
_DETAILS: Final = ("user", "request", "tags", "context")
_ORDINARY: Final = ("timestamp", "category", "level", "type", "message", "data")


def event_report(
    event_id: str,
    incident_id: str,
    event: Event | None,
    *,
    kept: str | None = None,
    sources: SourceLinks = NO_SOURCE_LINKS,
    most: int = CHARACTERS,
) -> str:
    """Return one event as Markdown.

    Args:
        event_id: its id.
        incident_id: its incident, as in ``INC-12``.
        event: the event; None where its body was not kept.
        kept: the id of an event of the same kind that can be read instead.
        sources: where the lines of its frames are to be read.
        most: the most characters.
    """
    head = [f"# Event {span(event_id)} of {incident_id}", WARNING]
    if event is None:
        instead = f" Read {span(kept)} instead, the nearest of its kind." if kept else ""
        head.append(f"It was counted; its body is not kept, for its incident had enough of them.{instead}")
        return assemble(head, (), most=most)
    return assemble([*head, event_sentence(event)], event_sections(event, sources), most=most)


def event_sentence(event: Event) -> str:
    """Return when and how bad, in one sentence."""
    times = f" It stands for {event.count} errors." if event.count > 1 else ""
    handled = "handled" if event.handled else "not handled"
    return (
        f"{event.severity.value.capitalize()} {event.category.value} error at "
        f"{_moment(event.occurred_at)}, {handled}.{times}"
    )


def event_sections(event: Event, sources: SourceLinks = NO_SOURCE_LINKS) -> tuple[Section, ...]:
    """Return an event's sections, the most telling first."""
    return (
        Section("Trace, the crash last", tuple(_trace(event))),
        Section("Source of its own calls, the crash first", tuple(_sources(event, sources))),
        Section("Facts", tuple(_facts(event))),
        Section("Local variables of its own calls, the crash first", tuple(_variables(event))),
        Section("Breadcrumbs, the oldest first", tuple(_breadcrumbs(event))),
        Section("Details", tuple(_details(event))),
    )


def _trace(event: Event) -> Iterator[str]:
    if event.exceptions:
        yield fence(trace_lines(event.exceptions, annotated=True), "python-traceback")


def _sources(event: Event, sources: SourceLinks) -> Iterator[str]:
    frames = [frame for error in event.exceptions for frame in reversed(error.frames)]
    lines: list[str] = []
    for frame in frames:
        url = sources.url_of(frame, service=event.service, release=event.release)
        if url is not None and len(lines) < _SOURCES:
            lines.append(f"- {span(f'{frame.file or frame.module}:{frame.line}')}: {address(url)}")
    if lines:
        yield "\n".join(lines)


def _variables(event: Event) -> Iterator[str]:
    frames = (frame for error in event.exceptions for frame in reversed(error.frames) if frame.vars)
    for frame in islice(frames, _CALLS):
        place = f"{frame.file or frame.module or '?'}:{frame.line} in {frame.qualname or '?'}"
        yield f"{span(place)}:\n\n" + fence(variable_lines(frame.vars))


def _facts(event: Event) -> Iterator[str]:
    shown = [(name, getattr(event, name)) for name in _FACTS]
    lines = [f"- {name.replace('_', ' ')}: {span(value)}" for name, value in shown if value]
    if event.truncated:
        lines.append(f"- cut by the client or the worker: {span(', '.join(event.truncated))}")
    if lines:
        yield "\n".join(lines)


def _breadcrumbs(event: Event) -> Iterator[str]:
    if event.breadcrumbs:
        lines = [_breadcrumb(crumb, event.occurred_at) for crumb in event.breadcrumbs[-_BREADCRUMBS:]]
        yield fence(lines)


def _breadcrumb(crumb: Mapping[str, Any], at: datetime) -> str:
    """Return a breadcrumb on one line, with the seconds between it and the error."""
    kind = " ".join(str(crumb[name]) for name in ("category", "type", "level") if crumb.get(name))
    extra = {name: value for name, value in crumb.items() if name not in _ORDINARY}
    data = crumb.get("data") or extra
    parts = (_before(crumb.get("timestamp"), at), kind, str(crumb.get("message") or ""), _json(data))
    return " ".join("  ".join(part for part in parts if part).split("\n"))


def _before(timestamp: Any, at: datetime) -> str:
    seconds = seconds_before(timestamp, at)
    return "" if seconds is None else f"{-seconds:+.3f} s"


def seconds_before(timestamp: Any, at: datetime) -> float | None:
    """Return how long before a moment a breadcrumb's time was; None where it names none that can be read."""
    if isinstance(timestamp, int | float) and not isinstance(timestamp, bool):
        return at.timestamp() - timestamp
    try:
        moment = datetime.fromisoformat(str(timestamp))
        return at.timestamp() - (moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)).timestamp()
    except (ValueError, OverflowError):
        return None


def _details(event: Event) -> Iterator[str]:
    for name in _DETAILS:
        values: Mapping[str, Any] = getattr(event, name)
        if values:
            yield f"{name}:\n\n" + fence([f"{key}: {_plain(value)}" for key, value in values.items()])


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    if value in (None, "", {}, []):
        return ""
    return cut(json.dumps(value, ensure_ascii=False, default=str), _VALUE_CHARACTERS)


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def parts_section(parts: Sequence[str]) -> Section:
    """Return the key parts of a fingerprint as the reason why events are one incident."""
    return Section("Why its events are one", (fence(list(parts)),) if parts else ())

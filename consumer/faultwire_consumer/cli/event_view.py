"""One event as people read it: facts, the trail that led to it, and the stack, newest call first."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import CommandError
from faultwire_consumer.cli.output import cell, print_value, styled
from faultwire_consumer.domain.report.trace import places_with_lines, source_lines, trace_lines
from faultwire_consumer.domain.report.variable import variable_lines
from faultwire_shared.event import ExceptionInfo

_FACTS: Final = (
    *("incident_id", "severity", "category", "code", "service", "environment", "release", "host"),
    *("transaction", "occurred_at", "received_at", "count", "trace_id", "unreadable", "text"),
)
_VALUES: Final = ("tags", "user", "request", "context")
_CRUMB: Final = ("timestamp", "category", "message", "level", "type")
_MINUTE: Final = 60
_NEAR: Final = 20
"""The number of newest events among which one with a body is looked for."""


def show_event(event: Mapping[str, Any], console: Console) -> None:
    """Write one event as the API gives it."""
    console.print(styled(f"{event['id']}  {event.get('message', '')}", "bold"), soft_wrap=True)
    for name in _FACTS:
        print_value(console, name, event.get(name))
    if event.get("body_kept") is False:
        _show_instead(event["kept_events"], console)
    for name in _VALUES:
        for key, value in (event.get(name) or {}).items():
            print_value(console, f"{name}.{key}", spell_value(value))
    show_trail(event, console)
    show_chain(event.get("exceptions") or (), console)


def newest_event_id(client: ApiClient, incident_id: str) -> str:
    """The id of an incident's newest event, or of the nearest one whose body is kept.

    Raises:
        CommandError: there is no such incident, or none of its events is there any more.
    """
    found = client.get("api", "v1", "incidents", incident_id, "events", limit=_NEAR)["events"]
    if not found:
        raise CommandError(f"{incident_id} has no events any more: retention took them")
    kept = next((event for event in found if event["body_kept"]), found[0])
    return str(kept["id"])


def beside_event_id(client: ApiClient, event_id: str, side: str) -> str:
    """The id of the event just before (``previous``) or after (``next``) another in their incident's order.

    Raises:
        CommandError: there is no such event, or none on that side of it.
    """
    beside = client.get("api", "v1", "events", event_id, "neighbours")
    if beside[side] is None:
        edge = "first" if side == "previous" else "last"
        raise CommandError(f"{event_id} is the {edge} event of {beside['incident_id']}")
    return str(beside[side]["id"])


def find_newest_event(client: ApiClient, incident_id: str) -> dict[str, Any] | None:
    """The newest event of an incident whose body is kept; None where retention took them all."""
    listed = client.find("api", "v1", "incidents", incident_id, "events", limit=_NEAR) or {"events": ()}
    kept = next((event for event in listed["events"] if event["body_kept"]), None)
    found: dict[str, Any] | None = kept and client.find("api", "v1", "events", kept["id"])
    return found


def spell_value(value: Any) -> str:
    """A value as text: itself, or as JSON where it is none."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def show_trail(event: Mapping[str, Any], console: Console) -> None:
    """Write the breadcrumbs, one a line, with their distance to the event."""
    crumbs = event.get("breadcrumbs") or ()
    if crumbs:
        console.print(styled("before it", "dim"))
    for crumb in crumbs:
        details = {name: value for name, value in crumb.items() if name not in _CRUMB}
        data = details.pop("data", None)
        details |= data if isinstance(data, dict) else {} if data is None else {"data": data}
        told = [
            f"{_seconds_before(crumb, event):>9}",
            f"{spell_value(crumb.get('category') or crumb.get('type') or ''):10}",
            spell_value(crumb.get("message") or ""),
            *(f"{name}={spell_value(value)}" for name, value in details.items()),
        ]
        style = "yellow" if crumb.get("level") in ("warning", "error", "critical", "fatal") else ""
        console.print(styled(" ".join(told).rstrip(), style), soft_wrap=True)


def show_chain(
    chain: Sequence[Mapping[str, Any]], console: Console, *, indent: str = "", detailed: bool = True
) -> None:
    """Write exceptions with their causes below them, and each stack with its newest call on top.

    Detailed, the calls near a crash have the source lines around the one that ran, and any their variables.
    """
    for position, error in enumerate(chain):
        lead = "caused by " if position else ""
        told = f"{indent}{lead}{': '.join(filter(None, (error['type'], error.get('value'))))}"
        console.print(styled(told, "bold"), soft_wrap=True)
        for note in error.get("notes", ()):
            console.print(styled(f"{indent}  {note}"), soft_wrap=True)
        _show_calls(error.get("frames", []), console, indent, detailed=detailed)
        for member in error.get("members", []):
            show_chain(member, console, indent=f"{indent}  | ", detailed=detailed)


def _show_calls(
    frames: Sequence[Mapping[str, Any]], console: Console, indent: str, *, detailed: bool
) -> None:
    near = places_with_lines([len(frame.get("context", ())) for frame in frames]) if detailed else ()
    for at, frame in reversed(list(enumerate(frames))):
        style = "" if frame.get("in_app", True) else "dim"
        place = f"{frame.get('file', '')}:{frame.get('line', 0)} in {frame.get('qualname', '')}"
        console.print(styled(f"{indent}  {place}", style), soft_wrap=True)
        for line, beside in _beside(frame, around=at in near, variables=detailed):
            console.print(styled(f"{indent}    {line}", beside), soft_wrap=True)


def _beside(frame: Mapping[str, Any], *, around: bool, variables: bool) -> Iterator[tuple[str, str]]:
    """The lines below a call, each with its style: its source, and its variables."""
    lines = source_lines(frame.get("context") or [""])
    if around:
        yield from ((f"{'>' if ran else ' '} {text}", "" if ran else "dim") for text, ran in lines)
    else:
        yield from ((f"  {text.strip()}", "dim") for text, ran in lines if ran and text)
    for line in variable_lines(frame.get("vars") or {}) if variables else ():
        yield f"  {line}", "dim"


def python_traceback(event: Mapping[str, Any]) -> str:
    """The stack as Python prints it, the newest call last, to be pasted where that is understood.

    Empty where there is none that can be read.
    """
    try:
        chain = msgspec.convert(event.get("exceptions") or [], list[ExceptionInfo], strict=False)
    except msgspec.ValidationError:
        return ""
    return "".join(f"{cell(line)}\n" for line in trace_lines(chain))


def _show_instead(kept: Mapping[str, Any], console: Console) -> None:
    told = "counted, but its body is not kept: its incident had enough of them"
    console.print(styled(told), soft_wrap=True)
    for name in ("nearest", "first", "last"):
        print_value(console, f"{name} kept", kept[name])


def _seconds_before(crumb: Mapping[str, Any], event: Mapping[str, Any]) -> str:
    at, occurred = crumb.get("timestamp"), event.get("occurred_at")
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(at or 0, UTC)
        seconds = (moment - datetime.fromisoformat(str(occurred))).total_seconds()
    except (TypeError, ValueError, OverflowError, OSError):
        return ""
    return f"{seconds:+.1f} s" if abs(seconds) < _MINUTE else f"{seconds / 60:+.1f} min"

"""``faultwire events``: list, show, why, export, import, regroup."""

from difflib import ndiff
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_export import export
from faultwire_consumer.cli.event_filter import EVENTS, EventFilter
from faultwire_consumer.cli.event_import import import_
from faultwire_consumer.cli.event_regroup import regroup
from faultwire_consumer.cli.option import OUTPUT, QUERY_HELP, Id, Limit, Output, Query
from faultwire_consumer.cli.output import cell, print_document, print_list, print_value, styled

app = App(name="events")
app.command(export, help_epilogue=QUERY_HELP)
app.command(import_, name="import")
app.command(regroup, help_epilogue=QUERY_HELP)

_API = ("api", "v1", "events")
_COLUMNS = (
    *("id", "incident_id", "severity", "service", "environment", "release", "count", "body_kept"),
    *("occurred_at", "title"),
)
_SPARE = ("body_kept", "count", "environment", "release", "incident_id", "severity")


@app.command(name="list", help_epilogue=QUERY_HELP)
def list_(
    query: Query = "",
    /,
    *,
    wanted: EventFilter = EVENTS,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List events, the newest first: as they came, or where their incidents are asked for, as they occurred.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, **wanted.parameters(query), limit=limit, cursor=cursor)
    print_list(document, "events", _COLUMNS, output, spare=_SPARE)


@app.command
def show(event_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Show one event: facts, stack trace, context.

    Example: `faultwire events show error_20261123_k3v9x2m7q4w8r1t6`
    """
    print_document(ApiClient(output).get(*_API, event_id), output, _show)


@app.command
def why(
    event_id: Annotated[str, Parameter(name="ID")],
    other_id: Annotated[str | None, Parameter(name="OTHER")] = None,
    /,
    *,
    output: Output = OUTPUT,
) -> None:
    """Say why an event is in its incident, or why two events are in one or in two.

    Example: `faultwire events why error_20261123_k3v9x2m7q4w8r1t6`

    Args:
        event_id: An event's id.
        other_id: Another's, to compare them.
    """
    client = ApiClient(output)
    groupings = [client.get(*_API, one, "grouping") for one in (event_id, other_id) if one is not None]
    if other_id is None:
        print_document(groupings[0], output, _show_grouping)
    else:
        print_document({"events": groupings, "same": _same(groupings)}, output, _show_difference)


def _same(groupings: list[dict[str, Any]]) -> bool:
    return bool(groupings[0]["fingerprint"] == groupings[1]["fingerprint"])


def _show(event: dict[str, Any], console: Console) -> None:
    console.print(styled(f"{event['id']}  {event.get('message', '')}", "bold"), soft_wrap=True)
    for name in (
        "incident_id",
        "severity",
        "category",
        "code",
        "service",
        "environment",
        "release",
        "host",
        "transaction",
        "occurred_at",
        "received_at",
        "count",
        "trace_id",
        "unreadable",
        "text",
    ):
        print_value(console, name, event.get(name))
    if event.get("body_kept") is False:
        _show_instead(event["kept_events"], console)
    for name in ("tags", "user", "request", "context"):
        for key, value in (event.get(name) or {}).items():
            print_value(console, f"{name}.{key}", value)
    _show_chain(event.get("exceptions", ()), console, indent="")


def _show_instead(kept: dict[str, Any], console: Console) -> None:
    console.print(
        styled("counted, but its body is not kept: its incident had enough of them"), soft_wrap=True
    )
    for name in ("nearest", "first", "last"):
        print_value(console, f"{name} kept", kept[name])


def _show_chain(chain: list[dict[str, Any]], console: Console, *, indent: str) -> None:
    for position, error in enumerate(chain):
        lead = "caused by " if position else ""
        console.print(
            styled(f"{indent}{lead}{error['type']}: {error.get('value', '')}", "bold"), soft_wrap=True
        )
        for frame in reversed(error.get("frames", [])):
            style = "" if frame.get("in_app", True) else "dim"
            place = f"{frame.get('file', '')}:{frame.get('line', 0)} in {frame.get('qualname', '')}"
            console.print(styled(f"{indent}  {place}", style), soft_wrap=True)
            for source in frame.get("context", []):
                console.print(styled(f"{indent}      {source}", "dim"), soft_wrap=True)
        for member in error.get("members", []):
            _show_chain(member, console, indent=f"{indent}  | ")


def _show_grouping(grouping: dict[str, Any], console: Console) -> None:
    head = f"{grouping['event_id']} is in {grouping['incident_id']} by its fingerprint"
    console.print(
        styled(f"{head} {grouping['fingerprint'][:16]} (version {grouping['version']}):"), soft_wrap=True
    )
    for part in grouping["parts"]:
        console.print(styled(f"  {part}"), soft_wrap=True)


def _show_difference(compared: dict[str, Any], console: Console) -> None:
    first, second = compared["events"]
    if compared["same"]:
        console.print(styled("the same fingerprint:"))
        _show_grouping(first, console)
        return
    same_incident = first["incident_id"] == second["incident_id"]
    where = f"one incident, {first['incident_id']}" if same_incident else "two incidents"
    console.print(styled(f"two fingerprints in {where}; - of the first, + of the second:"))
    for mark, part in difference(first["parts"], second["parts"]):
        style = {"-": "red", "+": "green"}.get(mark, "dim")
        console.print(styled(f"{mark} {cell(part)}", style), soft_wrap=True)


def difference(first: list[str], second: list[str]) -> list[tuple[str, str]]:
    """Two ordered lists of key parts as one: ``-`` only in the first, ``+`` only in the second."""
    return [(line[0], line[2:]) for line in ndiff(first, second) if line[0] != "?"]

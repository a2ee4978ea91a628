"""``faultwire events``: list, show, why, export, import, regroup."""

import re
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.choice import offer_both, offer_events
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_export import export
from faultwire_consumer.cli.event_filter import EVENTS, EventFilter
from faultwire_consumer.cli.event_import import import_
from faultwire_consumer.cli.event_regroup import regroup
from faultwire_consumer.cli.event_view import beside_event_id, newest_event_id, python_traceback, show_event
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.follow import Followed, Lines, Seconds, follow
from faultwire_consumer.cli.option import OUTPUT, QUERY_HELP, Flag, Limit, OfIncident, Output, Query
from faultwire_consumer.cli.output import cell, print_document, print_lines, print_list, styled
from faultwire_consumer.domain.report.comparison import difference

app = App(name="events")
app.command(export, help_epilogue=QUERY_HELP)
app.command(import_, name="import")
app.command(regroup, help_epilogue=QUERY_HELP)

_API = ("api", "v1", "events")
_INCIDENT: Final = re.compile(r"inc-\d+", re.IGNORECASE)
_COLUMNS = (
    *("id", "incident_id", "severity", "service", "environment", "release", "count", "body_kept"),
    *("occurred_at", "title", "message"),
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
    print_list(document, "events", _COLUMNS, output, spare=_SPARE, merged={"message": "title"})


@app.command(help_epilogue=QUERY_HELP)
def tail(
    query: Query = "",
    /,
    *,
    wanted: EventFilter = EVENTS,
    every: Seconds = 2.0,
    lines: Lines = 10,
    output: Output = OUTPUT,
) -> None:
    """Print events as they come, until Ctrl-C.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        every: Seconds between two looks.
        lines: How many of the newest to begin with.
    """
    followed = Followed(
        path=_API,
        key="events",
        parameters=wanted.parameters(query),
        identity=("id",),
        columns={
            "received_at": 8,
            "id": 31,
            "incident_id": 7,
            "severity": 8,
            "service": 12,
            "message": 0,
        },
    )
    follow(ApiClient(output), followed, output, every=every, lines=lines)


@app.command
def show(
    id_: Annotated[str | None, Parameter(name="ID", show_default=False, completer=offer_both)] = None,
    /,
    *,
    latest: OfIncident = None,
    previous: Flag = False,
    next_: Annotated[bool, Parameter(name="--next", negative="", show_default=False)] = False,
    python: Flag = False,
    markdown: Flag = False,
    output: Output = OUTPUT,
) -> None:
    """Show one event: facts, breadcrumbs, stack trace, context.

    Example: `faultwire events show --latest INC-54`

    Args:
        id_: An event's id; an incident's, as INC-54, is its newest event.
        latest: The newest event of this incident.
        previous: The event of its incident that occurred just before it.
        next_: The one that occurred just after it.
        python: Print the traceback alone, as Python does, to be pasted.
        markdown: Print a report in Markdown, for a ticket or a chat.
    """
    if (id_ is None) == (latest is None):
        raise CommandError("name one event by its ID, or an incident by --latest", USAGE)
    if previous and next_:
        raise CommandError("--previous or --next, not both", USAGE)
    client = ApiClient(output)
    asked = latest or id_ or ""
    is_incident = latest is not None or _INCIDENT.fullmatch(asked) is not None
    event_id = newest_event_id(client, asked.upper()) if is_incident else asked
    if previous or next_:
        event_id = beside_event_id(client, event_id, "previous" if previous else "next")
    if markdown:
        _, report = client.fetch((*_API, event_id, "report"), {})
        print_lines(report.decode())
        return
    event = client.get(*_API, event_id)
    if python:
        print_lines(_traceback_of(event))
    else:
        print_document(event, output, show_event)


def _traceback_of(event: dict[str, Any]) -> str:
    traceback = python_traceback(event)
    if not traceback:
        raise CommandError(f"{event['id']} has no stack trace; `faultwire events show` shows what it has")
    return traceback


@app.command
def why(
    event_id: Annotated[str, Parameter(name="ID", completer=offer_events)],
    other_id: Annotated[str | None, Parameter(name="OTHER", completer=offer_events)] = None,
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

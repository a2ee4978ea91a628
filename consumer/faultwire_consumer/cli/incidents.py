"""``faultwire incidents``: list, show, acknowledge, resolve, reopen."""

from typing import Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_filter import INCIDENTS, IncidentFilter
from faultwire_consumer.cli.option import OUTPUT, QUERY_HELP, Id, Limit, Output, Query
from faultwire_consumer.cli.output import print_document, print_list, print_value, say, styled

app = App(name="incidents")

_API = ("api", "v1", "incidents")
_COLUMNS = ("id", "severity", "status", "service", "count", "last_seen_at", "title")


@app.command(name="list", help_epilogue=QUERY_HELP)
def list_(
    query: Query = "",
    /,
    *,
    wanted: IncidentFilter = INCIDENTS,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List incidents, the last seen first.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, **wanted.parameters(query), limit=limit, cursor=cursor)
    print_list(document, "incidents", _COLUMNS, output)


@app.command
def show(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Show one incident with its history."""
    print_document(ApiClient(output).get(*_API, incident_id), output, _show)


@app.command(name=["acknowledge", "ack"])
def acknowledge(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Say that somebody looks after an incident."""
    _change(incident_id, "acknowledge", output)


@app.command
def resolve(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Say that an incident is fixed; what occurs later reopens it."""
    _change(incident_id, "resolve", output)


@app.command
def reopen(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Take an acknowledge or resolve back."""
    _change(incident_id, "reopen", output)


def _change(incident_id: str, verb: str, output: Output) -> None:
    document = ApiClient(output).post(*_API, incident_id, verb, body={"actor": user_name()})
    if output.json or output.jsonl:
        print_document(document, output, _show)
    elif not output.quiet:
        say(f"{document['id']} is {document['status']}")


def _show(incident: dict[str, Any], console: Console) -> None:
    console.print(styled(f"{incident['id']}  {incident['title']}", "bold"), soft_wrap=True)
    for name in (
        "severity",
        "status",
        "service",
        "culprit",
        "category",
        "code",
        "count",
        "episode",
        "first_seen_at",
        "last_seen_at",
        "resolved_at",
    ):
        print_value(console, name, incident[name])
    for name in ("environments", "releases"):
        print_value(console, name, ", ".join(incident[name]))
    console.print(styled("history", "dim"))
    for entry in incident["history"]:
        line = f"  {entry['at']}  {entry['reason']} by {entry['actor']}"
        reference = f"  {entry['event_id']}" if entry["event_id"] else ""
        console.print(styled(line + reference), soft_wrap=True)

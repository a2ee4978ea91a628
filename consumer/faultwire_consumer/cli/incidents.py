"""``faultwire incidents``: list, show, acknowledge, resolve, reopen."""

from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import Client
from faultwire_consumer.cli.option import OUTPUT, QUERY_HELP, Limit, Output, Query, Values
from faultwire_consumer.cli.output import print_document, print_list, say, styled

app = App(name="incidents", help="Find, acknowledge and resolve incidents.")

_API = ("api", "v1", "incidents")
_COLUMNS = ("id", "severity", "status", "service", "count", "last_seen_at", "title")
_Texts = Annotated[tuple[str, ...], Values]


@app.command(name="list", help_epilogue=QUERY_HELP)
def list_(
    query: Query = "",
    /,
    *,
    service: _Texts = (),
    severity: _Texts = (),
    category: _Texts = (),
    code: _Texts = (),
    status: _Texts = (),
    environment: _Texts = (),
    release: _Texts = (),
    since: str | None = None,
    until: str | None = None,
    search: str | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List incidents, the last seen first.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        service: Of this service; may be repeated, as the other filters may.
        severity: low, medium, high or critical.
        category: validation, authentication, business, external or system.
        code: With this error code.
        status: open, acknowledged or resolved.
        environment: Ever seen in this environment.
        release: Ever seen in this release.
        since: Seen since: 2h, 7d, 2026-11-23 or 2026-11-23T10:00:00Z.
        until: Seen before, written as for --since.
        search: Contained in what the query's free text is searched in.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = Client(output).get(
        *_API,
        query=query or None,
        service=service,
        severity=severity,
        category=category,
        code=code,
        status=status,
        environment=environment,
        release=release,
        since=since,
        until=until,
        search=search,
        limit=limit,
        cursor=cursor,
    )
    print_list(document, "incidents", _COLUMNS, output)


@app.command
def show(incident_id: Annotated[str, Parameter(name="ID")], /, *, output: Output = OUTPUT) -> None:
    """Show one incident with its history."""
    print_document(Client(output).get(*_API, incident_id), output, _show)


@app.command(name=["acknowledge", "ack"])
def acknowledge(incident_id: Annotated[str, Parameter(name="ID")], /, *, output: Output = OUTPUT) -> None:
    """Say that somebody looks after an incident."""
    _change(incident_id, "acknowledge", output)


@app.command
def resolve(incident_id: Annotated[str, Parameter(name="ID")], /, *, output: Output = OUTPUT) -> None:
    """Say that an incident is mended; what occurs later reopens it."""
    _change(incident_id, "resolve", output)


@app.command
def reopen(incident_id: Annotated[str, Parameter(name="ID")], /, *, output: Output = OUTPUT) -> None:
    """Take an acknowledge or resolve back."""
    _change(incident_id, "reopen", output)


def _change(incident_id: str, verb: str, output: Output) -> None:
    document = Client(output).post(*_API, incident_id, verb, body={"actor": user_name()})
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
        if incident[name] not in (None, ""):
            console.print(styled(f"{name:14}", "dim"), styled(str(incident[name])), soft_wrap=True)
    for name in ("environments", "releases"):
        if incident[name]:
            console.print(styled(f"{name:14}", "dim"), styled(", ".join(incident[name])), soft_wrap=True)
    console.print(styled("history", "dim"))
    for entry in incident["history"]:
        line = f"  {entry['at']}  {entry['reason']} by {entry['actor']}"
        reference = f"  {entry['event_id']}" if entry["event_id"] else ""
        console.print(styled(line + reference), soft_wrap=True)

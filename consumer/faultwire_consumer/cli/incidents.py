"""``faultwire incidents``: list, show; its verbs are in `incident_verbs`."""

from typing import Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_filter import INCIDENTS, IncidentFilter
from faultwire_consumer.cli.incident_verbs import acknowledge, reopen, resolve
from faultwire_consumer.cli.option import OUTPUT, QUERY_HELP, Id, Limit, Output, Query
from faultwire_consumer.cli.output import print_document, print_list, print_value, styled

app = App(name="incidents")
app.command(acknowledge, name=["acknowledge", "ack"])
app.command(resolve)
app.command(reopen)

_API = ("api", "v1", "incidents")
_COLUMNS = ("id", "severity", "status", "service", "count", "last_seen_at", "first_seen_at", "title")
_SPARE = ("first_seen_at", "status", "count")


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
    print_list(document, "incidents", _COLUMNS, output, spare=_SPARE)


@app.command
def show(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Show one incident with its history.

    Example: `faultwire incidents show INC-1`
    """
    print_document(ApiClient(output).get(*_API, incident_id), output, _show)


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

"""``faultwire incidents``: list, show, watch; its verbs are in `incident_verbs`."""

from typing import Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_filter import INCIDENTS, IncidentFilter
from faultwire_consumer.cli.event_view import find_newest_event
from faultwire_consumer.cli.follow import Followed, Lines, Seconds, follow
from faultwire_consumer.cli.incident_verbs import register
from faultwire_consumer.cli.incident_view import Sight, show_incident
from faultwire_consumer.cli.option import OUTPUT, QUERY_HELP, Flag, IncidentId, Limit, Output, Query
from faultwire_consumer.cli.output import print_document, print_lines, print_list
from faultwire_shared.clock import utc_now

app = App(name="incidents")
register(app)

_API = ("api", "v1", "incidents")
_COLUMNS = ("id", "severity", "status", "service", "count", "last_seen_at", "first_seen_at", "title")
_LATER: Final = ("users", "assignee")
"""Columns that not every worker's answer has; they stand before the title."""
_SPARE = ("first_seen_at", "assignee", "users", "status", "count")
_TOLD: Final = 5

Order = Annotated[
    Literal["urgent", "last", "first", "count", "users", "growth"] | None, Parameter(show_default=False)
]


@app.command(name="list", help_epilogue=QUERY_HELP)
def list_(
    query: Query = "",
    /,
    *,
    wanted: IncidentFilter = INCIDENTS,
    sort: Order = None,
    new: Flag = False,
    regressed: Flag = False,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List incidents, the last seen first unless --sort says otherwise.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        sort: urgent, last or first (seen), count, users or growth; the most comes first.
        new: First seen within a day; the same as is:new in the query.
        regressed: Came back after it was resolved, and still open; the same as is:regressed.
        limit: How many.
        cursor: Go on where a list ended.
    """
    terms = [query, "is:new" if new else "", "is:regressed" if regressed else ""]
    asked = wanted.parameters(" ".join(term for term in terms if term))
    document = ApiClient(output).get(*_API, **asked, sort=sort, limit=limit, cursor=cursor)
    if not (output.json or output.jsonl):
        document = document | {"incidents": [_row(one) for one in document["incidents"]]}
    later = [name for name in _LATER if any(name in row for row in document["incidents"])]
    print_list(document, "incidents", (*_COLUMNS[:-1], *later, _COLUMNS[-1]), output, spare=_SPARE)


@app.command
def show(
    incident_id: IncidentId, /, *, trace: Flag = False, markdown: Flag = False, output: Output = OUTPUT
) -> None:
    """Show one incident: its state, how often and where it occurs, its newest trace, who was told.

    Example: `faultwire incidents show INC-1 --trace`

    Args:
        trace: Show the newest event's whole stack with its causes.
        markdown: Print a report in Markdown, for a ticket, a chat or a coding agent.
    """
    client = ApiClient(output)
    if markdown:
        _, report = client.fetch((*_API, incident_id, "report"), {})
        print_lines(report.decode())
        return
    incident = client.get(*_API, incident_id)
    if output.json or output.jsonl:
        print_document(incident, output, lambda *_: None)
        return
    trend = client.find(*_API, incident["id"], "trend") or incident.get("trend")
    alerts = client.find("api", "v1", "alerts", incident=incident["id"], limit=_TOLD) or {}
    sight = Sight(
        incident=incident,
        event=find_newest_event(client, incident["id"]),
        trend=trend,
        alerts=alerts.get("alerts", ()),
        now=utc_now(),
        with_trace=trace,
    )
    print_document(sight, output, show_incident)


@app.command(help_epilogue=QUERY_HELP)
def watch(
    query: Query = "",
    /,
    *,
    wanted: IncidentFilter = INCIDENTS,
    every: Seconds = 2.0,
    lines: Lines = 10,
    output: Output = OUTPUT,
) -> None:
    """Print a line for each incident that is seen, new or again, or changes its status, until Ctrl-C.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        every: Seconds between two looks.
        lines: How many of the last seen to begin with.
    """
    followed = Followed(
        path=_API,
        key="incidents",
        parameters=wanted.parameters(query),
        identity=("id", "count", "status"),
        columns={
            "last_seen_at": 8,
            "id": 7,
            "severity": 8,
            "status": 12,
            "service": 12,
            "count": 6,
            "title": 0,
        },
    )
    follow(ApiClient(output), followed, output, every=every, lines=lines)


def _row(incident: dict[str, Any]) -> dict[str, Any]:
    """The number of users as a text, with a mark where it is an estimate."""
    users = incident.get("users")
    if not isinstance(users, dict):
        return incident
    about = "" if users.get("exact", True) else "~"
    return incident | {"users": f"{about}{users.get('count', 0)}"}

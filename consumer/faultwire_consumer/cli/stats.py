"""``faultwire stats``: events by severity, service and hour."""

from collections.abc import Mapping
from typing import Any, Final

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.incident_view import counts_in, draw_bars
from faultwire_consumer.cli.option import OUTPUT, Output, Services
from faultwire_consumer.cli.output import print_document, styled

_NAME: Final = 10

app = App(name="stats", help_epilogue="Example: `faultwire stats --since 7d --service billing`")


@app.default
def stats(
    *,
    service: Services = (),
    since: str | None = None,
    until: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """Count events by severity, service and hour: of the last 24 hours unless asked otherwise.

    Args:
        service: Of this service; may be repeated.
        since: From this hour on: 2h, 7d, 2026-11-23 or 2026-11-23T10:00:00Z; 31 days at most.
        until: Up to this hour, written as for --since.
    """
    document = ApiClient(output).get("api", "v1", "stats", service=service, since=since, until=until)
    print_document(document, output, _show)


def _show(document: Mapping[str, Any], console: Console) -> None:
    told = f"{document['count']:,} events from {document['since']} to {document['until']}"
    console.print(styled(told, "bold"), soft_wrap=True)
    if document["counted_since"] is not None:
        console.print(styled(f"severities are counted since {document['counted_since']}", "dim"))
    console.print(styled(f"{'by hour':{_NAME}}", "dim"), styled(draw_bars(counts_in(document["hours"]))))
    for severity, count in document["severities"].items():
        console.print(styled(f"{severity:{_NAME}}", severity), styled(f"{count:,}"))
    wide = max((len(one["service"]) for one in document["services"]), default=0)
    for one in document["services"]:
        console.print(styled(f"{one['service']:{wide}}"), styled(f"{one['count']:,}"), soft_wrap=True)
    if document["other_services"]:
        console.print(styled(f"and {document['other_services']:,} of other services"))

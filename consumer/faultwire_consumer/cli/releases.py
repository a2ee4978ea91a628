"""``faultwire releases``: list."""

from typing import Final

from cyclopts import App

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Limit, Output, Services
from faultwire_consumer.cli.output import print_list

app = App(name="releases")

_API: Final = ("api", "v1", "releases")
_COLUMNS: Final = (
    *("service", "release", "new_incidents", "regressed", "count", "first_seen_at", "last_seen_at"),
)


@app.command(name="list")
def list_(
    *, service: Services = (), limit: Limit = 50, cursor: str | None = None, output: Output = OUTPUT
) -> None:
    """List the releases that events came from, the newest first, with the incidents that each brought.

    Example: `faultwire releases list --service billing`

    Args:
        service: Of this service; may be repeated.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, service=service, limit=limit, cursor=cursor)
    print_list(document, "releases", _COLUMNS, output, spare=("last_seen_at", "count"))

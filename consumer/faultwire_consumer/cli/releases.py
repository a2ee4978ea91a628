"""``faultwire releases``: list."""

from typing import Any, Final

from cyclopts import App

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Limit, Output, Services
from faultwire_consumer.cli.output import print_list

app = App(name="releases")

_API: Final = ("api", "v1", "releases")
_COLUMNS: Final = (
    *("service", "release", "first_seen_at", "new_incidents", "regressed", "worse", "ended"),
    *("per_hour", "worst", "count", "last_seen_at"),
)
_SPARE: Final = ("last_seen_at", "count", "worst", "per_hour", "worse")


@app.command(name="list")
def list_(
    *, service: Services = (), limit: Limit = 50, cursor: str | None = None, output: Output = OUTPUT
) -> None:
    """List the releases that events came from, the newest first, and what each did to its service.

    Incidents that began in it, came back in it, get worse in the newest, and ended with it: seen while the
    release before ran, and not since. Events of the service an hour, in the day before and after.

    Example: `faultwire releases list --service billing`

    Args:
        service: Of this service; may be repeated.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, service=service, limit=limit, cursor=cursor)
    if not (output.json or output.jsonl):
        document = document | {"releases": [_line(one) for one in document["releases"]]}
    print_list(document, "releases", _COLUMNS, output, spare=_SPARE)


def _line(one: dict[str, Any]) -> dict[str, Any]:
    before, after = (_rate(one[name]) for name in ("per_hour_before", "per_hour_after"))
    worst = one["worst"]
    told = None if worst is None else f"{worst['id']} {worst['title']}"
    return one | {"per_hour": f"{before} -> {after}", "worst": told}


def _rate(rate: float | None) -> str:
    return "?" if rate is None else f"{rate:g}"

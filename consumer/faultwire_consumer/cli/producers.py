"""``faultwire producers``: list."""

from typing import Annotated, Any

from cyclopts import App

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Limit, Output, Values
from faultwire_consumer.cli.output import print_list

app = App(name="producers")

_API = ("api", "v1", "producers")
_COLUMNS = (
    "service",
    "host",
    "id",
    "last_sequence",
    "missing",
    "dead_lettered",
    "lost",
    "spool_depth",
    "last_seen_at",
)


@app.command(name="list")
def list_(
    *,
    service: Annotated[tuple[str, ...], Values] = (),
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List producers, the last seen first.

    Example: `faultwire producers list --service billing`

    Args:
        service: Of this service; may be repeated.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, service=service, limit=limit, cursor=cursor)
    if not (output.json or output.jsonl):
        document = document | {"producers": [_line(one) for one in document["producers"]]}
    print_list(document, "producers", _COLUMNS, output)


def _line(producer: dict[str, Any]) -> dict[str, Any]:
    """Losses as text: ``5 buffer_full, 2 shutdown``."""
    lost = ", ".join(f"{count} {reason}" for reason, count in producer["lost"].items())
    return producer | {"lost": lost}

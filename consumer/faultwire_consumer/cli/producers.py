"""``faultwire producers``: list, by service or by process."""

from collections.abc import Mapping
from typing import Any

from cyclopts import App

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Flag, Limit, Output, Services
from faultwire_consumer.cli.output import print_list

app = App(name="producers")

_API = ("api", "v1", "producers")
_COLUMNS = (
    *("service", "host", "id", "state", "last_sequence", "missing", "dead_lettered", "lost"),
    *("spool_depth", "last_seen_at"),
)
_SPARE = ("last_sequence", "dead_lettered", "spool_depth", "state", "lost", "host")
_BY_SERVICE = (
    *("service", "state", "state_reason", "processes", "quiet", "missing", "dead_lettered", "lost"),
    *("spool_depth", "last_seen_at", "sdks"),
)
_SPARE_BY_SERVICE = ("sdks", "dead_lettered", "spool_depth", "state_reason", "quiet", "processes", "lost")


@app.command(name="list")
def list_(
    *,
    service: Services = (),
    processes: Flag = False,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List the services that send events, and what is missing of them, the last heard from first.

    A process reports while it has something to say. It is settled once it has said it all, quiet where it
    owes something and is not heard from any more. A service stands as the process of it seen last.

    Example: `faultwire producers list --service billing --processes`

    Args:
        service: Of this service; may be repeated.
        processes: A row for each process instead.
        limit: How many.
        cursor: Go on where a list ended.
    """
    path, key = (_API, "producers") if processes else ((*_API, "services"), "services")
    document = ApiClient(output).get(*path, service=service, limit=limit, cursor=cursor)
    if not (output.json or output.jsonl):
        document = document | {key: [_line(one) for one in document[key]]}
    columns, spare = (_COLUMNS, _SPARE) if processes else (_BY_SERVICE, _SPARE_BY_SERVICE)
    print_list(document, key, columns, output, spare=spare)


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    line = {**row, "lost": ", ".join(f"{count} {reason}" for reason, count in row["lost"].items())}
    if "sdks" in row:
        line["sdks"] = ", ".join(row["sdks"])
    return line

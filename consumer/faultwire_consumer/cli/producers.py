"""``faultwire producers``: list, by service or by process."""

from collections.abc import Mapping, Sequence
from typing import Any

from cyclopts import App

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Limit, Output, Services
from faultwire_consumer.cli.output import print_list

app = App(name="producers")

_API = ("api", "v1", "producers")
_COLUMNS = (
    *("service", "host", "id", "state", "last_sequence", "missing", "dead_lettered", "lost"),
    *("spool_depth", "last_seen_at", "via", "unnumbered", "dropped"),
)
_SPARE = (
    "dropped",
    "unnumbered",
    "via",
    "last_sequence",
    "dead_lettered",
    "spool_depth",
    "state",
    "lost",
    "host",
)
_BY_SERVICE = (
    *("service", "state", "state_reason", "processes", "quiet", "missing", "dead_lettered", "lost"),
    *("spool_depth", "last_seen_at", "sdks", "unnumbered", "dropped"),
)
_SPARE_BY_SERVICE = (
    "dropped",
    "unnumbered",
    "sdks",
    "dead_lettered",
    "spool_depth",
    "state_reason",
    "quiet",
    "processes",
    "lost",
)
_BY_CLIENT = (
    *("service", "sdk", "via", "last_seen_at", "processes", "numbered", "unnumbered", "lost", "dropped"),
)
_SPARE_BY_CLIENT = ("numbered", "processes", "via", "dropped", "lost")


@app.command(name="list")
def list_(
    *,
    service: Services = (),
    processes: Flag = False,
    clients: Flag = False,
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
        clients: A row for each client library and version of each service instead: when it was last heard,
            what it says it lost, and what of it is not stored.
        limit: How many.
        cursor: Go on where a list ended.
    """
    if processes and clients:
        raise CommandError("give --processes or --clients, not both", USAGE)
    path, key = (_API, "producers") if processes else ((*_API, "services"), "services")
    document = ApiClient(output).get(*path, service=service, limit=limit, cursor=cursor)
    columns: Sequence[str] = _COLUMNS if processes else _BY_SERVICE
    spare: Sequence[str] = _SPARE if processes else _SPARE_BY_SERVICE
    if clients:
        key, columns, spare = "clients", _BY_CLIENT, _SPARE_BY_CLIENT
        document = {"clients": _clients_of(document["services"]), "next_cursor": document["next_cursor"]}
    if not (output.json or output.jsonl):
        document = document | {key: [_line(one) for one in document[key]]}
    print_list(document, key, columns, output, spare=spare)


def _clients_of(services: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"service": one["service"], **client} for one in services for client in one.get("clients", ())]


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    line = dict(row)
    for name in ("lost", "dropped"):  # a worker of an earlier release says nothing of the latter
        line[name] = ", ".join(f"{count} {what}" for what, count in row.get(name, {}).items())
    if "sdks" in row:
        line["sdks"] = ", ".join(row["sdks"])
    return line

"""``faultwire producers``: list, by service or by process."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from cyclopts import App

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Flag, Limit, Output, Services
from faultwire_consumer.cli.output import print_list, say
from faultwire_shared.clock import utc_now

app = App(name="producers")

_API = ("api", "v1", "producers")
_COLUMNS = (
    *("service", "host", "id", "state", "last_sequence", "missing", "dead_lettered", "lost"),
    *("spool_depth", "last_seen_at"),
)
_SPARE = ("last_sequence", "dead_lettered", "spool_depth", "state", "lost", "host")
_BY_SERVICE = (
    *("service", "state", "processes", "quiet", "missing", "dead_lettered", "lost", "spool_depth"),
    "last_seen_at",
)
_SPARE_BY_SERVICE = ("dead_lettered", "spool_depth", "quiet", "processes", "lost")
_PAGE: Final = 1000
_PAGES: Final = 20
"""The most pages that are added up: 20,000 processes."""
_SAYS_WITHIN: Final = timedelta(seconds=90)
"""The time within which a process that has something to say does: it reports every 30 s."""


class ProducerState(StrEnum):
    """The state of a producer, as far as can be known: one without errors and one that ended say nothing."""

    REPORTS = "reports"
    """It was heard from just now."""
    SETTLED = "settled"
    """It has said all there was to say: it ended well, or has no errors."""
    QUIET = "quiet"
    """It owes something, events on its disk or a word about its last ones, and is not heard from."""


@app.command(name="list")
def list_(
    *,
    service: Services = (),
    processes: Flag = False,
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List the services that send events, and what is missing of them, the last seen first.

    A process reports while it has something to say. It is settled once it has said it all, quiet where it
    owes something and is not heard from any more. --json and --jsonl are by process.

    Example: `faultwire producers list --service billing --processes`

    Args:
        service: Of this service; may be repeated.
        processes: A row for each process instead.
        limit: How many processes, with --processes.
        cursor: Go on where a list of processes ended.
    """
    client = ApiClient(output)
    if not (processes or output.json or output.jsonl or cursor):
        rows = list(by_service(_all(client, service, output), utc_now()))
        print_list({"services": rows}, "services", _BY_SERVICE, output, spare=_SPARE_BY_SERVICE)
        return
    document = client.get(*_API, service=service, limit=limit, cursor=cursor)
    if not (output.json or output.jsonl):
        now = utc_now()
        document = document | {"producers": [_line(one, now) for one in document["producers"]]}
    print_list(document, "producers", _COLUMNS, output, spare=_SPARE)


def state_of(producer: Mapping[str, Any], now: datetime) -> ProducerState:
    """The state of one process."""
    seen = datetime.fromisoformat(producer["last_seen_at"])
    if now - seen <= _SAYS_WITHIN:
        return ProducerState.REPORTS
    said = producer["last_report_at"]
    owes = said is None or producer["spool_depth"] > 0
    # An event and the report that counts it are not a minute apart.
    owes = owes or seen - datetime.fromisoformat(said) > _SAYS_WITHIN
    return ProducerState.QUIET if owes else ProducerState.SETTLED


def by_service(producers: Iterable[Mapping[str, Any]], now: datetime) -> Iterator[dict[str, Any]]:
    """Yield a row for each service; it stands as the process of it that was seen last."""
    services: dict[str, list[Mapping[str, Any]]] = {}
    for producer in producers:
        services.setdefault(producer["service"], []).append(producer)
    for service, found in services.items():
        states = [state_of(producer, now) for producer in found]
        lost: Counter[str] = Counter()
        for producer in found:
            lost.update(producer["lost"])
        yield {
            "service": service,
            "state": ProducerState.REPORTS if ProducerState.REPORTS in states else states[0],
            "processes": len(found),
            "quiet": states.count(ProducerState.QUIET),
            **{name: sum(one[name] for one in found) for name in ("missing", "dead_lettered", "spool_depth")},
            "lost": _spell(lost),
            "last_seen_at": max(producer["last_seen_at"] for producer in found),
        }


def _all(client: ApiClient, service: tuple[str, ...], output: Output) -> Iterator[dict[str, Any]]:
    cursor = None
    for _ in range(_PAGES):
        page = client.get(*_API, service=service, limit=_PAGE, cursor=cursor)
        yield from page["producers"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
    if not output.quiet:
        say(f"only the {_PAGES * _PAGE} processes that were seen last are counted; --processes lists all")


def _line(producer: dict[str, Any], now: datetime) -> dict[str, Any]:
    return producer | {"lost": _spell(producer["lost"]), "state": state_of(producer, now)}


def _spell(lost: Mapping[str, int]) -> str:
    """Losses as text: ``5 buffer_full, 2 shutdown``."""
    return ", ".join(f"{count} {reason}" for reason, count in lost.items())

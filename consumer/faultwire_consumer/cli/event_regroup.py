"""``faultwire events regroup``: what this release's grouping would make of events that are stored."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.event_filter import EVENTS, EventFilter
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Output, Query
from faultwire_consumer.cli.output import print_document, styled
from faultwire_consumer.cli.progress import progress_bars
from faultwire_consumer.domain.regrouping import Move, add_up, judge

_PATH: Final = ("api", "v1", "events", "regroup")
_PAGE: Final = 1000
_SHOWN: Final = 20


def regroup(
    query: Query = "",
    /,
    *,
    dry_run: Flag = False,
    wanted: EventFilter = EVENTS,
    output: Output = OUTPUT,
) -> None:
    """Say which incidents would split or merge if this release grouped stored events again.

    It only reads: what is stored stays in its incident, where what comes in finds it.

    Args:
        query: What to find, as in 'severity:high service:api "timed out" since:24h'.
        dry_run: Required, to say that nothing is to change.
    """
    if not dry_run:
        raise CommandError(
            "regroup changes nothing: what is stored stays in its incident; give --dry-run "
            "to see what this release would make of it",
            USAGE,
        )
    print_document(_ask(wanted.lasting_parameters(query), output), output, _show)


def _ask(given: Mapping[str, Any], output: Output) -> dict[str, Any]:
    client = ApiClient(output)
    parameters: dict[str, Any] = {**given, "limit": _PAGE}
    told = dict.fromkeys(("events", "left_out", "unreadable"), 0)
    moves: list[Move] = []
    page: dict[str, Any] = {}
    with progress_bars(output, unit="count") as bars:
        task = bars.add_task("events", total=None)
        while not page or page["next_cursor"] is not None:
            page = client.get(*_PATH, **parameters, cursor=page.get("next_cursor"))
            told = {name: count + page[name] for name, count in told.items()}
            moves = add_up([*moves, *msgspec.convert(page["moves"], list[Move])])
            bars.update(task, completed=told["events"])
    changes: dict[str, Any] = msgspec.to_builtins(judge(moves))
    return {"version": page["version"], **told, **changes}


def _show(document: dict[str, Any], console: Console) -> None:
    for kind, key in (("split", "splits"), ("merge", "merges")):
        for change in document[key][:_SHOWN]:
            console.print(styled(f"{kind} {', '.join(change['incidents'])}"), soft_wrap=True)
            for move in change["moves"]:
                _show_move(move, console)
        if len(document[key]) > _SHOWN:
            console.print(
                styled(f"and {len(document[key]) - _SHOWN} more that would {kind}: --json has them")
            )
    same = document["unchanged"] + document["renamed"]
    console.print(
        styled(
            f"{document['events']} events read, grouped by version {document['version']}: "
            f"{len(document['splits'])} splits, {len(document['merges'])} merges, {same} fingerprints stay "
            f"with their incident"
        ),
        soft_wrap=True,
    )
    if document["left_out"] or document["unreadable"]:
        unseen = (
            f"{document['left_out']} whose body was not kept, {document['unreadable']} that cannot be read"
        )
        console.print(styled(f"not seen: {unseen}", "yellow"), soft_wrap=True)


def _show_move(move: dict[str, Any], console: Console) -> None:
    if move["fingerprint"] == move["new_fingerprint"]:
        where = f"stay in {move['incident_id']}"
    else:
        where = f"from {move['incident_id']} to {move['new_incident_id'] or 'a new incident'}"
    counted = f" ({move['count']} counted)" if move["count"] != move["events"] else ""
    console.print(
        styled(f"  {move['events']} events{counted} {where}, as {move['example']}: {move['title']}"),
        soft_wrap=True,
    )

"""Lists that go on: what is new or changed since the last look, until Ctrl-C or the reader goes away."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec import Struct
from rich.text import Text

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import FAILED, CommandError
from faultwire_consumer.cli.option import Output
from faultwire_consumer.cli.output import STYLES, cell, print_tabbed, say, stdout_console
from faultwire_consumer.cli.table import cut, pad

PAGE: Final = 100
_PAGES: Final = 20
"""The most pages that are read back at one look: what is beyond is told, and not shown."""
_KEPT: Final = 20_000
"""The number of rows that are remembered as shown."""

Seconds = Annotated[float, Parameter(validator=Number(gte=0.2, lte=3600))]
Lines = Annotated[int, Parameter(validator=Number(gte=0, lte=PAGE))]
Row = Mapping[str, Any]


class Followed(Struct, frozen=True, kw_only=True):
    """A list to follow.

    Attributes:
        path: where the API has it, the newest first.
        key: its name in the answer.
        parameters: its filters.
        identity: the row's values that make it another line when they change.
        columns: what is shown of a row, and the cells that each takes at least; the last takes the rest.
    """

    path: Sequence[str]
    key: str
    parameters: Mapping[str, Any]
    identity: Sequence[str]
    columns: Mapping[str, int]


def follow(
    client: ApiClient,
    followed: Followed,
    output: Output,
    *,
    every: float,
    lines: int,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Print the newest rows and then each that comes or changes; it ends by Ctrl-C alone.

    A worker that goes away is waited for, and that is said once; one that never answered is a failure.
    """
    seen: dict[tuple[Any, ...], None] = {}
    first, _ = _ask(client, followed, None)
    seen.update(dict.fromkeys(_identity(row, followed) for row in first))
    if not (output.jsonl or output.json or sys.stdout.isatty()):
        print_tabbed((), [*followed.columns])
    _print(first[:lines][::-1], followed, output)
    is_away = False
    while True:
        wait(every)
        try:
            fresh = list(_fresh(client, followed, seen, output))
        except CommandError as error:
            if error.exit_code != FAILED:
                raise
            if not is_away and not output.quiet:
                say(f"{error}; trying again")
            is_away = True
            continue
        is_away = False
        seen.update(dict.fromkeys(_identity(row, followed) for row in fresh))
        for old in list(seen)[: max(0, len(seen) - _KEPT)]:
            del seen[old]
        _print(fresh[::-1], followed, output)


def _fresh(
    client: ApiClient, followed: Followed, seen: Mapping[tuple[Any, ...], None], output: Output
) -> Iterator[Row]:
    """Yield the rows that were not shown, the newest first, back to the first page with one that was."""
    cursor: str | None = None
    given: set[tuple[Any, ...]] = set()
    for _ in range(_PAGES):
        rows, cursor = _ask(client, followed, cursor)
        known = [_identity(row, followed) in seen for row in rows]
        for row, is_known in zip(rows, known, strict=True):
            identity = _identity(row, followed)
            if not is_known and identity not in given:
                given.add(identity)
                yield row
        if cursor is None or any(known) or not seen:
            return
    if not output.quiet:
        say(f"more than {_PAGES * PAGE} at once: the older ones of these are not shown")


def _ask(client: ApiClient, followed: Followed, cursor: str | None) -> tuple[list[Row], str | None]:
    document = client.get(*followed.path, **followed.parameters, limit=PAGE, cursor=cursor)
    rows = document[followed.key]
    if "message" in followed.columns:  # of an event whose body is not kept
        rows = [{**row, "message": row.get("message") or row.get("title")} for row in rows]
    return rows, document.get("next_cursor")


def _identity(row: Row, followed: Followed) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in followed.identity)


def _print(rows: Sequence[Row], followed: Followed, output: Output) -> None:
    if output.jsonl or output.json:
        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in rows)
    elif sys.stdout.isatty():
        console = stdout_console(output)
        for row in rows:
            console.print(line_of(row, followed.columns, output, room=console.width), soft_wrap=True)
    else:
        print_tabbed(rows, [*followed.columns], head=False)
    sys.stdout.flush()


def line_of(row: Row, columns: Mapping[str, int], output: Output, *, room: int) -> Text:
    """A row on a line of a terminal: its time of day, its values, and a text up to the edge."""
    line = Text()
    for name, width in columns.items():
        text = cell(row.get(name))
        text = text[11:19] if name.endswith("_at") and not output.wide else text
        line.append(pad(text, width), style=STYLES.get(text, "")).append("  ")
    line.rstrip()
    whole = line.plain
    short = whole if output.wide else cut(whole, room)
    if short != whole:
        line = line[: len(short) - 1]
        line.append("…")
    return line

"""Data to stdout, talk to stderr: tables on a terminal, tab-separated when piped, JSON on request."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from faultwire_consumer.cli.option import Output
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.text import printable

STYLES: Final = {
    "critical": "bold red",
    "high": "yellow",
    "medium": "cyan",
    "low": "dim",
    "open": "red",
    "acknowledged": "yellow",
    "resolved": "green",
    "waiting": "yellow",
    "sent": "green",
    "given_up": "bold red",
}
_RIGHT: Final = (
    *("count", "attempts", "size"),
    *("published", "refused", "lost"),
    *("files", "owned", "bytes", "quarantined"),
    *("last_sequence", "missing", "dead_lettered", "spool_depth"),
    *ErrorSeverity,
)
_WIDE: Final = 60

Row = Mapping[str, Any]


def say(text: str) -> None:
    """Talk to the person who started the command."""
    sys.stderr.write(f"{printable(text)}\n")


def underline(text: str, start: int, length: int) -> tuple[str, str]:
    """A text on one line, and a line of carets under some of its characters, even if these are wide."""
    before, wrong = printable(text[:start]), printable(text[start : start + length])
    line = f"  {before}{wrong}{printable(text[start + length :])}"
    return line, f"  {' ' * cell_len(before)}{'^' * max(1, cell_len(wrong))}"


def stdout_console(output: Output) -> Console:
    """Rich's console over stdout; stored text goes through it as `Text`, never as markup."""
    return Console(
        file=sys.stdout, no_color=output.no_color or None, highlight=False, markup=False, emoji=False
    )


def print_json(document: Any) -> None:
    """One document, as the API gave it."""
    sys.stdout.write(f"{json.dumps(document, indent=2, ensure_ascii=True)}\n")


def print_document(document: Any, output: Output, show: Callable[[Any, Console], None]) -> None:
    """One thing: as JSON on request, else as ``show`` writes it for people."""
    if output.jsonl:
        sys.stdout.write(f"{json.dumps(document)}\n")
    elif output.json:
        print_json(document)
    else:
        show(document, stdout_console(output))


def print_list(document: Mapping[str, Any], key: str, columns: Sequence[str], output: Output) -> None:
    """A page of a list, with a word on stderr where more follows."""
    rows: Sequence[Row] = document[key]
    if output.json:
        print_json(document)
    elif output.jsonl:
        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in rows)
    elif sys.stdout.isatty():
        _print_table(rows, columns, output)
    else:
        lines = [columns, *([cell(row.get(column)) for column in columns] for row in rows)]
        sys.stdout.writelines("\t".join(line) + "\n" for line in lines)
    cursor = document.get("next_cursor")
    if cursor and not output.quiet and not output.json:
        say(f"more: --cursor {cursor}")


def cell(value: Any) -> str:
    """A value in one cell: one line, nothing in it that steers a terminal."""
    return "" if value is None else printable(str(value))


def styled(text: str, style: str | None = None) -> Text:
    """Stored text, with a style where its value has one."""
    return Text(cell(text), style=style or STYLES.get(text, ""))


def print_value(console: Console, name: str, value: Any, *, width: int = 14) -> None:
    """A name with its value on one line; nothing if there is no value."""
    if value not in (None, "", [], {}):
        console.print(styled(f"{name:{width}}", "dim"), styled(str(value)), soft_wrap=True)


def _print_table(rows: Sequence[Row], columns: Sequence[str], output: Output) -> None:
    if not rows:
        if not output.quiet:
            say("nothing matches")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        fixed = column in ("id", "severity", "status", "last_seen_at", *_RIGHT)
        table.add_column(
            column.replace("_", " "),
            justify="right" if column in _RIGHT else "left",
            no_wrap=fixed,
            overflow="fold" if fixed else "ellipsis",
            max_width=None if fixed else _WIDE,
        )
    for row in rows:
        table.add_row(*(styled(_short(column, row.get(column))) for column in columns))
    stdout_console(output).print(table)


def _short(column: str, value: Any) -> str:
    """Times to the second and a title's beginning: on a terminal a row should be a line."""
    text = cell(value)
    if column.endswith("_at"):
        return text[:19].replace("T", " ")
    return text if len(text) <= _WIDE or column == "id" else f"{text[: _WIDE - 1]}…"

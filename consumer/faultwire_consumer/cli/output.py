"""Data to stdout, talk to stderr: tables on a terminal, tab-separated when piped, JSON on request."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from faultwire_consumer.cli.option import LocalOutput
from faultwire_consumer.cli.table import GAP, Breadth, Layout, cut, lay_out, pad, width_of
from faultwire_consumer.cli.unit import spell_age
from faultwire_shared.clock import utc_now
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.text import printable

STYLES: Final = {
    "critical": "bold red",
    "high": "yellow",
    "medium": "cyan",
    "low": "dim",
    "acknowledged": "yellow",
    "resolved": "green",
    "waiting": "yellow",
    "sent": "green",
    "given_up": "bold red",
    "quiet": "bold red",
    "settled": "dim",
}
_NUMBERS: Final = (
    *("count", "attempts", "size", "users", "events", "new_incidents", "regressed", "processes", "quiet"),
    *("worse", "ended", "numbered"),
    *("published", "refused", "lost_events", "trend"),
    *("files", "owned", "bytes", "quarantined"),
    *("last_sequence", "missing", "dead_lettered", "spool_depth"),
    *ErrorSeverity,
)
_WHOLE: Final = ("id", "severity", "status", "state", "body_kept", *_NUMBERS)
"""Columns that are never cut, as are ids of other things and times."""
_LEAST: Final = {"service": 30, "title": 16, "message": 16, "detail": 16}
"""The least that other columns are cut to, where it is not what follows."""
_LEAST_OF_OTHERS: Final = 10
_HEADINGS: Final = {"occurred_at": "when", "body_kept": "kept"}
_NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})
_NEVER_HIDDEN: Final = ("id", "severity", "service", "title", "message")

Row = Mapping[str, Any]


def say(*lines: str) -> None:
    """Talk to the person who started the command."""
    sys.stderr.writelines(f"{printable(line)}\n" for line in lines)


def underline(text: str, start: int, length: int) -> tuple[str, str]:
    """A text on one line, and a line of carets under some of its characters, even if these are wide."""
    before, wrong = printable(text[:start]), printable(text[start : start + length])
    line = f"  {before}{wrong}{printable(text[start + length :])}"
    return line, f"  {' ' * width_of(before)}{'^' * max(1, width_of(wrong))}"


def stdout_console(output: LocalOutput) -> Console:
    """Rich's console over stdout; stored text goes through it as `Text`, never as markup."""
    return Console(
        file=sys.stdout, no_color=output.no_color or None, highlight=False, markup=False, emoji=False
    )


def print_json(document: Any) -> None:
    """One document, as the API gave it."""
    sys.stdout.write(f"{json.dumps(document, indent=2, ensure_ascii=True)}\n")


def print_lines(text: str) -> None:
    """A text of several lines, each without what could steer a terminal."""
    sys.stdout.writelines(f"{printable(line)}\n" for line in text.splitlines())


def print_document(document: Any, output: LocalOutput, show: Callable[[Any, Console], None]) -> None:
    """One thing: as JSON on request, else as ``show`` writes it for people."""
    if output.jsonl:
        sys.stdout.write(f"{json.dumps(document)}\n")
    elif output.json:
        print_json(document)
    else:
        show(document, stdout_console(output))


def print_list(
    document: Mapping[str, Any],
    key: str,
    columns: Sequence[str],
    output: LocalOutput,
    *,
    spare: Sequence[str] = (),
    merged: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """A page of a list, with a word on stderr where more follows.

    Args:
        document: The API's answer.
        key: The name of the list in it.
        columns: The rows' values to show.
        output: How to print.
        spare: Columns that fall away first where a terminal is too narrow, in this order; then the others
            from the right.
        merged: Columns that stand for another one on a terminal, which fills in where they are empty.
    """
    rows: Sequence[Row] = document[key]
    if output.json:
        print_json(document)
    elif output.jsonl:
        sys.stdout.writelines(f"{json.dumps(row)}\n" for row in rows)
    elif sys.stdout.isatty():
        whole = [
            {**row, **{name: row.get(name) or row.get(other) for name, other in merged.items()}}
            for row in rows
        ]
        shown = [column for column in columns if column not in merged.values()]
        print_table(whole, shown, output, spare=spare)
    else:
        print_tabbed(rows, columns)
    searched = document.get("searched")
    if searched and not rows and not output.quiet and not output.json:
        say(searched["note"])
    cursor = document.get("next_cursor")
    if cursor and not output.quiet and not output.json:
        say("more, by the same command and:", f"--cursor={cursor}")


def print_tabbed(rows: Sequence[Row], columns: Sequence[str], *, head: bool = True) -> None:
    """Rows for programs: values as they are, with tabs between them."""
    lines = [[cell(row.get(column)) for column in columns] for row in rows]
    sys.stdout.writelines("\t".join(line) + "\n" for line in ([columns] if head else []) + lines)


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


def print_table(
    rows: Sequence[Row], columns: Sequence[str], output: LocalOutput, *, spare: Sequence[str]
) -> None:
    """Rows for people, each on a line that fits the terminal."""
    if not rows:
        if not output.quiet:
            say("nothing matches")
        return
    now = utc_now()
    names = [column for column in columns if any(row.get(column) not in _NOTHING for row in rows)]
    table = [[_shown(name, row.get(name), now, output) for name in names] for row in rows]
    breadths = [_breadth(name, [line[place] for line in table]) for place, name in enumerate(names)]
    console = stdout_console(output)
    room = sys.maxsize if output.wide else console.width
    layout = lay_out(breadths, room=room, spare=_order_to_hide(names, spare))
    heads = [_heading(name) for name in names]
    console.print(Text(_line(heads, names, layout).plain, style="bold"), soft_wrap=True)
    for line in table:
        console.print(_line(line, names, layout), soft_wrap=True)
    if layout.hidden and not output.quiet:
        what = "1 column" if len(layout.hidden) == 1 else f"{len(layout.hidden)} columns"
        say(f"{what} hidden ({', '.join(_heading(names[place]) for place in layout.hidden)}): --wide")


def _line(texts: Sequence[str], names: Sequence[str], layout: Layout) -> Text:
    line = Text()
    for place, width in layout.widths.items():
        shown = pad(cut(texts[place], width), width, to_the_right=_is_number(names[place]))
        line.append(" " * GAP if line else "").append(shown, style=STYLES.get(texts[place], ""))
    line.rstrip()
    return line


def _breadth(name: str, texts: Sequence[str]) -> Breadth:
    natural = max(width_of(_heading(name)), *map(width_of, texts))
    if name in _WHOLE or name.endswith(("_id", "_at")):
        return Breadth(natural, natural)
    least = max(_LEAST.get(name, _LEAST_OF_OTHERS), width_of(_heading(name)))
    return Breadth(natural, min(natural, least))


def _order_to_hide(names: Sequence[str], spare: Sequence[str]) -> list[int]:
    others = [name for name in reversed(names) if name not in (*spare, *_NEVER_HIDDEN)]
    return [names.index(name) for name in (*spare, *others) if name in names]


def _heading(name: str) -> str:
    if name in _HEADINGS:
        return _HEADINGS[name]
    return name.removesuffix("_at").removesuffix("_id").replace("_", " ")


def _is_number(name: str) -> bool:
    return name in _NUMBERS or name.endswith("_at")


def _shown(name: str, value: Any, now: datetime, output: LocalOutput) -> str:
    """A cell on a terminal: a time as an age, for a row should be a line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = cell(value)
    if not name.endswith("_at") or output.wide:
        return text
    try:
        return spell_age(datetime.fromisoformat(text), now)
    except (ValueError, TypeError):  # no time, or one without a zone
        return text

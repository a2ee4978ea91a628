"""``faultwire rules test``: what other rules would have told of the stored history."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import Output
from faultwire_consumer.cli.output import print_document, styled
from faultwire_consumer.cli.progress import progress_bars
from faultwire_consumer.cli.time_option import seconds_option

TIMEOUT_SECONDS: Final = 300.0
_PATH: Final = ("api", "v1", "rules", "rehearsal")
_POLICIES: Final = ("current", "shipped")
_ASK_SECONDS: Final = 0.5
_COUNTS: Final = (
    ("by rule", "by_rule"),
    ("by receiver", "by_receiver"),
    ("by reason", "by_reason"),
    ("stopped", "stopped"),
)


def rehearse_file(file: Path, *, since: str, against: str | None, shown: int, output: Output) -> None:
    """Have a worker play its history to a file's rules, and print what they would have sent.

    Raises:
        CommandError: a file cannot be read, or the worker says no.
    """
    body: dict[str, Any] = {"policy": _read(file), "since_seconds": seconds_option("--since", since)}
    if against is not None:
        field = "against" if against in _POLICIES else "against_policy"
        body[field] = against if against in _POLICIES else _read(Path(against))
    document = _ask(body, output)
    print_document(document, output, lambda report, console: _show(report, console, shown))


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{file}: it is not UTF-8", USAGE) from None
    except OSError as error:
        raise CommandError(f"cannot read {file}: {error.strerror or error}", USAGE) from None


def _ask(body: dict[str, Any], output: Output) -> dict[str, Any]:
    """Ask for the rehearsal in a thread, and for its progress meanwhile."""
    found: list[dict[str, Any]] = []
    failed: list[CommandError] = []

    def ask() -> None:
        try:
            found.append(ApiClient(output, timeout_seconds=TIMEOUT_SECONDS).post(*_PATH, body=body))
        except CommandError as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    with progress_bars(output) as bars:
        if bars.disable:
            asking.join()
        else:
            task = bars.add_task("events", total=None)
            _follow(asking, output, lambda events, total: bars.update(task, completed=events, total=total))
    if failed:
        raise failed[0]
    return found[0]


def _follow(asking: threading.Thread, output: Output, tell: Callable[[int, int | None], None]) -> None:
    while asking.is_alive():
        asking.join(_ASK_SECONDS)
        try:
            progress = ApiClient(output).get(*_PATH)
        except CommandError:
            continue  # the rehearsal's own answer says what is wrong
        tell(progress["events"], progress["total"] or None)


def _show(report: dict[str, Any], console: Console, shown: int) -> None:
    _show_counts(report, console)
    difference = report["difference"]
    if difference is None:
        _show_list("would have been sent", report["tally"]["sent"], report["notifications"], console, shown)
    else:
        against = difference["against"]
        console.print(styled(f"{difference['sent']:,} by {against}"), soft_wrap=True)
        for name in ("new", "missing"):
            part = difference[name]
            _show_list(f"{name} beside {against}", part["count"], part["notifications"], console, shown)
    for one in report["unseen"]:
        console.print(styled(f"not seen: {one['detail']}", "yellow"), soft_wrap=True)


def _show_counts(report: dict[str, Any], console: Console) -> None:
    tally = report["tally"]
    console.print(
        styled(
            f"{tally['sent']:,} notifications in {tally['messages']:,} messages would have been sent between "
            f"{report['since']} and {report['until']}, of {report['events']:,} events and "
            f"{report['acts']:,} acts played in {report['seconds']:g} s"
        ),
        soft_wrap=True,
    )
    for label, name in _COUNTS:
        if tally[name]:
            counted = ", ".join(f"{one['name']} {one['count']:,}" for one in tally[name])
            console.print(styled(f"  {label:12}", "dim"), styled(counted), soft_wrap=True)
    if tally["waiting"]:
        console.print(styled(f"  {'waiting':12}", "dim"), styled(f"{tally['waiting']:,}"), soft_wrap=True)


def _show_list(label: str, count: int, rows: list[dict[str, Any]], console: Console, shown: int) -> None:
    console.print(styled(f"{count:,} {label}"), soft_wrap=True)
    for one in rows[:shown]:
        what = one["incident"] or one["kind"]
        detail = f": {one['detail']}" if one["detail"] else ""
        line = f"{one['at'] or one['created_at']}  {one['rule']}  {one['reason']}  {what}  {one['receiver']}"
        console.print(styled(f"  {line}{detail}", one["severity"]), soft_wrap=True)
    if count > min(shown, len(rows)):
        left = count - min(shown, len(rows))
        console.print(styled(f"  and {left:,} more: --show, or --json"), soft_wrap=True)

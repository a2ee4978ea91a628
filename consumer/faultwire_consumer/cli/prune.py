"""``faultwire db prune``: delete what retention would, by hand and now."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated, Any

import msgspec
from rich.console import Console

from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting, Values
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.cli.progress import progress_bars
from faultwire_consumer.cli.unit import spell_bytes
from faultwire_consumer.domain.query.value import moment_of
from faultwire_consumer.domain.retention import latest_floor
from faultwire_shared.event import ErrorSeverity


def prune(
    *,
    before: str | None = None,
    older_than: str | None = None,
    severity: Annotated[tuple[ErrorSeverity, ...], Values] = (),
    dry_run: Flag = False,
    vacuum: Flag = False,
    yes: Flag = False,
    json: Flag = False,
    setting: Setting = SETTING,
) -> int:
    """Delete events that are too old; incidents, their counts and their history stay.

    Without --before or --older-than it is what the configured retention takes. What is gone is gone:
    an event of such a day that comes again becomes a dead letter. May be interrupted and run again.
    A SQLite file belongs to its worker while that runs: stop it, or let it prune by itself.

    Example: `faultwire db prune --older-than 30d --severity low --dry-run`

    Args:
        before: Of days before this one, as in 2026-10-01.
        older_than: Of days longer ago, as in 30d.
        severity: Of this severity alone; may be repeated.
        dry_run: Say what would go, and change nothing; a worker may keep running.
        vacuum: Rewrite a SQLite file at the end, so that it can shrink by itself from now on.
        yes: Do not ask.
        json: Print one JSON document.
    """
    floor = _floor_asked(before, older_than, datetime.now(UTC))
    if severity and floor is None:
        raise CommandError("--severity needs --before or --older-than", USAGE)
    with expected_failures():
        config = setting.load(with_broker=False)
        from faultwire_consumer.maintenance import manual_pruning as part  # noqa: PLC0415 - loads SQLAlchemy

        request = part.PruneRequest(
            database_url=config.database_url,
            retention=config.retention,
            before=floor,
            severities=severity or tuple(ErrorSeverity),
            dry_run=dry_run,
            vacuum=vacuum and not dry_run,
        )
        run = part.prune_by_hand(
            request,
            confirm=lambda report: yes or json or _confirmed(msgspec.to_builtins(report)),
            show_progress=partial(_bar, quiet=setting.quiet or json),
            clock=lambda: datetime.now(UTC),
        )
        try:
            report = asyncio.run(run)
        except part.NoFileError:
            raise CommandError(
                "--vacuum is for SQLite: PostgreSQL drops whole days, which frees the disk at once", USAGE
            ) from None
    if report is None:
        return FAILED
    print_document(msgspec.to_builtins(report), LocalOutput(json=json), _show)
    return 0


def _floor_asked(before: str | None, older_than: str | None, now: datetime) -> date | None:
    if before is not None and older_than is not None:
        raise CommandError("give --before or --older-than, not both", USAGE)
    text = before or older_than
    if text is None:
        return None
    try:
        day = moment_of(text, now=now).date()
    except ValueError as error:
        raise CommandError(f"{'--before' if before else '--older-than'}: {error}", USAGE) from None
    if day > (latest := latest_floor(now.date())):
        raise CommandError(
            f"today and the two days before stay: nothing after {latest} can be asked for", USAGE
        )
    return day


@contextmanager
def _bar(rows: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    with progress_bars(LocalOutput(quiet=quiet)) as bars:
        task = bars.add_task("pruning", total=rows)
        yield lambda gone: bars.advance(task, gone)


def _confirmed(document: Mapping[str, Any]) -> bool:
    if not sys.stdin.isatty():
        raise CommandError(
            f"{_sum(document)} would be deleted for good: give --yes, or --dry-run to see them", USAGE
        )
    sys.stderr.write(f"{_sum(document)} will be deleted for good. Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _sum(document: Mapping[str, Any]) -> str:
    number = len({one["day"] for one in document["days"]})
    days = "1 day" if number == 1 else f"{number} days"
    return f"{document['rows']:,} events of {days}, about {spell_bytes(document['bytes'])},"


def _show(document: dict[str, Any], console: Console) -> None:
    for one in document["days"]:
        row = f"{one['day']:<10}  {one['severity']:<8}  {one['rows']:>12,}  {spell_bytes(one['bytes']):>10}"
        console.print(styled(row))
    if not document["days"]:
        say("nothing is old enough to be deleted")
    if document["dry_run"]:
        if document["days"]:
            say(
                f"{_sum(document)} would be deleted; the database has {spell_bytes(document['bytes_before'])}"
            )
        return
    before, after = document["bytes_before"], document["bytes_after"]
    if document["days"]:
        say(f"{_sum(document)} were deleted")
    if before != after:
        say(f"the database had {spell_bytes(before)} and has {spell_bytes(after)}")

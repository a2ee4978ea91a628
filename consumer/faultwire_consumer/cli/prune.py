"""``faultwire db prune``: what retention would take, by hand and now."""

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Struct
from rich.console import Console

from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Flag, Output, Setting, Values
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.cli.progress import progress_bars
from faultwire_consumer.cli.unit import spell_bytes
from faultwire_shared.event import ErrorSeverity

if TYPE_CHECKING:
    from faultwire_consumer.domain.retention import Floors, Retention
    from faultwire_consumer.store.contract.store import Store
    from faultwire_consumer.store.upkeep.retention import Share


class _Asked(Struct, frozen=True, kw_only=True):
    """What is to go, and how."""

    url: str
    retention: "Retention"
    before: date | None
    severities: tuple[ErrorSeverity, ...]
    dry_run: bool
    yes: bool
    quiet: bool


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

    Args:
        before: Of days before this one, as in 2026-10-01.
        older_than: Of days longer ago, as in 30d.
        severity: Of this severity alone; may be repeated.
        dry_run: Say what would go, and change nothing; a worker may run meanwhile.
        vacuum: Write a SQLite file anew at the end, so that it can shrink by itself from now on.
        yes: Do not ask.
        json: Print one JSON document.
    """
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    now = datetime.now(UTC)
    with expected_failures():
        config = setting.load(with_broker=False)
        asked = _Asked(
            url=config.database_url,
            retention=config.retention,
            before=_floor_asked(before, older_than, now),
            severities=severity or tuple(ErrorSeverity),
            dry_run=dry_run,
            yes=yes or json,
            quiet=setting.quiet or json,
        )
        if severity and asked.before is None:
            raise CommandError("--severity chooses with --before or --older-than", USAGE)
        document = asyncio.run(_prune(asked, now, vacuum=vacuum and not dry_run))
    if document is None:
        return FAILED
    print_document(document, Output(json=json), _show)
    return 0


def _floor_asked(before: str | None, older_than: str | None, now: datetime) -> date | None:
    from faultwire_consumer.domain.query_value import moment_of  # noqa: PLC0415 - see above
    from faultwire_consumer.domain.retention import latest_floor  # noqa: PLC0415

    if before is not None and older_than is not None:
        raise CommandError("say --before or --older-than, not both", USAGE)
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


async def _prune(asked: _Asked, now: datetime, *, vacuum: bool) -> dict[str, Any] | None:
    from faultwire_consumer.maintenance.pruning import survey  # noqa: PLC0415 - see above
    from faultwire_consumer.maintenance.retention import floors_wanted  # noqa: PLC0415
    from faultwire_consumer.store.upkeep.space import measure_store, rewrite_file  # noqa: PLC0415

    async with _opened(asked) as store:
        if vacuum and store.name != "sqlite":
            raise CommandError(
                "--vacuum is SQLite's: PostgreSQL's days are dropped, and the disk is free", USAGE
            )
        wanted: Floors
        if asked.before is not None:
            wanted = dict.fromkeys(asked.severities, asked.before)
        else:
            wanted = await floors_wanted(store, asked.retention, today=now.date())
        size = await measure_store(store)
        shares = await survey(store, wanted, now=now)
        document = _document(asked, wanted, shares) | {"bytes_before": size.bytes}
        if asked.dry_run:
            return document
        if shares and not asked.yes and not _confirmed(document):
            return None
        if shares or wanted:
            await _run(store, wanted, shares, asked)
        if vacuum:
            await rewrite_file(store)
        return document | {"bytes_after": (await measure_store(store)).bytes}


@asynccontextmanager
async def _opened(asked: _Asked) -> AsyncIterator["Store"]:
    from faultwire_consumer.store.contract.store import StoreTakenError  # noqa: PLC0415 - see above
    from faultwire_consumer.store.engine import open_store, open_to_read  # noqa: PLC0415

    try:
        store = await (open_to_read if asked.dry_run else open_store)(asked.url)
    except StoreTakenError as error:
        raise CommandError(
            f"{error}; it also prunes by itself, by its retention_… settings, and --dry-run works beside it"
        ) from None
    try:
        yield store
    finally:
        await store.close()


async def _run(store: "Store", wanted: "Floors", shares: "Sequence[Share]", asked: _Asked) -> None:
    from faultwire_consumer.maintenance.pruning import Pruner  # noqa: PLC0415 - see above
    from faultwire_consumer.store.upkeep.leases import LeaseLostError, LeaseTakenError, new_holder  # noqa: PLC0415

    try:
        with progress_bars(Output(quiet=asked.quiet)) as progress:
            task = progress.add_task("pruning", total=sum(share.rows for share in shares))
            pruner = Pruner(store, new_holder(), clock=lambda: datetime.now(UTC))
            await pruner.prune(wanted, tell=lambda gone: progress.advance(task, gone))
    except (LeaseTakenError, LeaseLostError) as error:
        raise CommandError(f"{error}; run this again in a minute") from None


def _document(asked: _Asked, wanted: "Floors", shares: "Sequence[Share]") -> dict[str, Any]:
    return {
        "dry_run": asked.dry_run,
        "kept_from": {
            severity.value: str(wanted[severity]) for severity in ErrorSeverity if severity in wanted
        },
        "days": [
            {
                "day": _day_name(share.day),
                "severity": share.severity.value,
                "rows": share.rows,
                "bytes": share.bytes,
            }
            for share in shares
        ],
        "rows": sum(share.rows for share in shares),
        "bytes": sum(share.bytes for share in shares),
    }


def _day_name(day: date) -> str:
    from faultwire_consumer.store.schema.events import QUARANTINE_DAY  # noqa: PLC0415 - see above

    return "quarantine" if day == QUARANTINE_DAY else str(day)


def _confirmed(document: Mapping[str, Any]) -> bool:
    if not sys.stdin.isatty():
        raise CommandError(f"{_sum(document)} would go for good: say --yes, or --dry-run to see them", USAGE)
    sys.stderr.write(f"{_sum(document)} go for good. Go on? [y/N] ")
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
        say("nothing is old enough to go")
    if document["dry_run"]:
        if document["days"]:
            say(f"{_sum(document)} would go; the database has {spell_bytes(document['bytes_before'])}")
        return
    before, after = document["bytes_before"], document["bytes_after"]
    if document["days"]:
        say(f"{_sum(document)} are gone")
    if before != after:
        say(f"the database had {spell_bytes(before)} and has {spell_bytes(after)}")

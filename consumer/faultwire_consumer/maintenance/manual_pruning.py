"""Prunes a database on request: it first says what would go, and deletes it once confirmed."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import date, datetime
from typing import Final

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from faultwire_consumer.domain.retention import Clocks, Floors, Retention, clocks_of, latest_floor
from faultwire_consumer.maintenance.pruning import Pruner, survey
from faultwire_consumer.maintenance.retention import floors_wanted
from faultwire_consumer.store.contract.store import Store, StoreTakenError
from faultwire_consumer.store.engine import open_store, open_to_read
from faultwire_consumer.store.schema.events import QUARANTINE_DAY
from faultwire_consumer.store.upkeep.leases import LeaseLostError, LeaseTakenError, new_holder
from faultwire_consumer.store.upkeep.retention import ReportDeleted, Share
from faultwire_consumer.store.upkeep.retention_looks import read_database_day, write_last_look
from faultwire_consumer.store.upkeep.space import measure_store, rewrite_file
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failure import UnavailableError

QUARANTINE: Final = "quarantine"
"""Where events lie whose day could not be believed."""


class PruneBlockedError(UnavailableError):
    """Somebody else uses the database so that nothing can be taken from it now; the text says what to do."""


class NoFileError(Exception):
    """A database that is not a SQLite file was to be rewritten."""


class PruneRequest(Struct, frozen=True, kw_only=True):
    """The choice of what to delete, and how."""

    database_url: str
    retention: Retention
    """Decides if no day is named."""
    before: date | None = None
    severities: Sequence[ErrorSeverity] = tuple(ErrorSeverity)
    """The severities whose days before that one go."""
    dry_run: bool = False
    vacuum: bool = False
    """Rewrite a SQLite file at the end, so that it shrinks by itself from then on."""


class DayShare(Struct, frozen=True, kw_only=True):
    """The rows and bytes to delete of one day and severity."""

    day: str
    severity: ErrorSeverity
    rows: int
    bytes: int


class PruneReport(Struct, frozen=True, kw_only=True):
    """The rows and bytes that would go, or that went."""

    dry_run: bool
    kept_from: Mapping[ErrorSeverity, date]
    days: Sequence[DayShare]
    rows: int
    bytes: int
    bytes_before: int
    bytes_after: int | UnsetType = UNSET
    """Unset until something was done."""


Confirm = Callable[[PruneReport], bool]
ShowProgress = Callable[[int], AbstractContextManager[ReportDeleted]]
"""Gets the number of rows that will go; what it opens gets those that are gone, and is closed at the end."""


async def prune_by_hand(
    request: PruneRequest, *, confirm: Confirm, show_progress: ShowProgress, clock: Callable[[], datetime]
) -> PruneReport | None:
    """Survey what would go, ask, and take it; None where the answer was no.

    May be cut short anywhere and done again.

    Raises:
        NoFileError: there is no SQLite file to rewrite.
        PruneBlockedError: a worker owns the file, or somebody else prunes.
        StoreUnavailableError: the database does not answer now.
        MigrationError: its schema is not this release's.
    """
    async with _opened(request) as store:
        if request.vacuum and store.name != "sqlite":
            raise NoFileError(store.name)
        now = clock()
        clocks = await _clocks(store, now.date())
        wanted = await _floors(store, request, today=clocks.earliest)
        shares = await survey(store, wanted, now=now)
        report = _report(request, wanted, shares, size=(await measure_store(store)).bytes)
        if request.dry_run:
            return report
        if shares and not confirm(report):
            return None
        if shares or wanted:
            with show_progress(report.rows) as on_deleted:
                await _take(store, wanted, clocks, on_deleted=on_deleted, clock=clock)
        if request.before is None:  # what retention itself would take was shown and confirmed
            await write_last_look(store, clocks.earliest)
        if request.vacuum:
            await rewrite_file(store)
        return replace(report, bytes_after=(await measure_store(store)).bytes)


@asynccontextmanager
async def _opened(request: PruneRequest) -> AsyncIterator[Store]:
    try:
        store = await (open_to_read if request.dry_run else open_store)(request.database_url)
    except StoreTakenError as error:
        raise PruneBlockedError(
            f"{error}; it also prunes by itself, by its retention_… settings, and --dry-run works beside it"
        ) from None
    try:
        yield store
    finally:
        await store.close()


async def _clocks(store: Store, today: date) -> Clocks:
    database = await read_database_day(store)
    return clocks_of([today] if database is None else [today, database])


async def _floors(store: Store, request: PruneRequest, *, today: date) -> Floors:
    if request.before is not None:
        return dict.fromkeys(request.severities, min(request.before, latest_floor(today)))
    return await floors_wanted(store, request.retention, today=today)


async def _take(
    store: Store, wanted: Floors, clocks: Clocks, *, on_deleted: ReportDeleted, clock: Callable[[], datetime]
) -> None:
    pruner = Pruner(store, new_holder(), clock=clock)
    try:
        await pruner.prune(wanted, clocks=clocks, on_deleted=on_deleted)
    except (LeaseTakenError, LeaseLostError) as error:
        raise PruneBlockedError(f"{error}; run this again in a minute") from None


def _report(request: PruneRequest, wanted: Floors, shares: Sequence[Share], *, size: int) -> PruneReport:
    days = [
        DayShare(
            day=QUARANTINE if share.day == QUARANTINE_DAY else str(share.day),
            severity=share.severity,
            rows=share.rows,
            bytes=share.bytes,
        )
        for share in shares
    ]
    return PruneReport(
        dry_run=request.dry_run,
        kept_from={severity: wanted[severity] for severity in ErrorSeverity if severity in wanted},
        days=days,
        rows=sum(share.rows for share in shares),
        bytes=sum(share.bytes for share in shares),
        bytes_before=size,
    )

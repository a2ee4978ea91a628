"""Copying of a whole database into another one, of the same kind or the other, with a check of the result."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from typing import Final

from msgspec import Struct
from sqlalchemy import URL, Table
from sqlalchemy.exc import DBAPIError

from faultwire_consumer.store.contract.failure import first_line
from faultwire_consumer.store.contract.store import MigrationError, StoreUnavailableError
from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.copy.plan import (
    CopyDiffersError,
    CopyError,
    CopyRefusedError,
    TableSummary,
    copied_tables,
    encode_key,
)
from faultwire_consumer.store.copy.progress import Step
from faultwire_consumer.store.copy.side import Chunk, Side
from faultwire_consumer.store.copy.sqlite import SqliteSide
from faultwire_consumer.store.migrations import migrate, schema_version
from faultwire_shared.failpoint import failpoint

__all__ = ["Copied", "CopyError", "ReportCopied", "copy_database"]

_NAMED_MAX: Final = 5
"""The most tables named in one sentence."""

ReportCopied = Callable[[str, int, int], None]
"""A callback that gets a table's name, its number of rows, and how many of them are copied."""


class CopiedTable(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The contents of one table in both databases now, checked."""

    table: str
    rows: int
    counted: int | None = None
    """The sum of its column ``count``, where it has one."""


class Copied(Struct, frozen=True, kw_only=True):
    """The result of a copy."""

    source: str
    target: str
    tables: Sequence[CopiedTable]
    copied_rows: int
    """The number stored by this run; the others were stored by earlier runs."""


def _silent(table: str, rows: int, copied: int) -> None:
    """Report nothing."""


async def copy_database(source_url: str, target_url: str, *, report: ReportCopied = _silent) -> Copied:
    """Copy every table, and check that both databases hold the same.

    A copy that was interrupted goes on where it was. One that is complete is only checked.

    Args:
        source_url: the database to copy from; nothing in it changes.
        target_url: the database to copy into: an empty one, or one with a begun copy of this source.
        report: the callback for progress, called after every chunk.

    Raises:
        DatabaseUrlError: a text does not name a database.
        StoreUnavailableError: one of them does not answer.
        MigrationError: one has another schema than this release's; the text names the command to run.
        CopyRefusedError: a worker uses one, the target holds something else, or both are the same one.
        CopyDiffersError: they do not hold the same in the end.
    """
    source, target = await _sides(source_url, target_url)
    async with _open(source), _open(target):
        if await source.identity() == await target.identity():
            raise CopyRefusedError(f"{source.where} and {target.where} are the same database")
        await _check_schemas(source_url, target_url, source, target)
        for side in (source, target):
            if await side.find_worker():
                raise CopyRefusedError(f"a worker uses {side.where}; stop it for the copy")
        summaries, steps = await _begin(source, target)
        rows = 0
        for table in copied_tables():
            step, total = steps.get(table.name, Step(None, 0)), summaries[table.name].rows
            report(table.name, total, step.copied)
            rows += await _copy_table(source, target, table, step, partial(report, table.name, total))
        if rows:
            await target.finish()
        await _check_same(summaries, target)
    tables = [
        # SQLAlchemy's names are a class of their own, which nothing outside the store can write as JSON.
        CopiedTable(table=str(name), rows=summary.rows, counted=summary.counted)
        for name, summary in sorted(summaries.items())
    ]
    return Copied(source=source.where, target=target.where, tables=tables, copied_rows=rows)


async def _sides(source_url: str, target_url: str) -> tuple[Side, Side]:
    source, target = parse_database_url(source_url), parse_database_url(target_url)
    if source.drivername == "sqlite":
        path = sqlite_path(source)
        if not await asyncio.to_thread(path.is_file):
            raise CopyRefusedError(f"there is no database {path} to copy from")
        if target.drivername == "sqlite" and path.resolve() == sqlite_path(target).resolve():
            raise CopyRefusedError(f"source and target are the same file, {path}")
    return _side(source), _side(target)


def _side(url: URL) -> Side:
    if url.drivername == "sqlite":
        return SqliteSide(url)
    # With the extra `consumer` alone there is no driver for PostgreSQL, and none is needed.
    from faultwire_consumer.store.copy.postgresql import PostgresqlSide  # noqa: PLC0415 - see above

    return PostgresqlSide(url)


@asynccontextmanager
async def _open(side: Side) -> AsyncIterator[None]:
    try:
        await side.open()
        yield
    except (DBAPIError, OSError) as error:
        raise StoreUnavailableError(f"{side.where}: {first_line(error)}") from None
    finally:
        await side.close()


async def _check_schemas(source_url: str, target_url: str, source: Side, target: Side) -> None:
    current, needed = await schema_version.status(source_url)
    if current is None:
        raise MigrationError(f"{source.where} is not a faultwire database")
    if current != needed:
        raise MigrationError(_other_schema(source, current, needed))
    current, _ = await schema_version.status(target_url)
    if current is None:
        await migrate.upgrade(target_url)
    elif current != needed:
        raise MigrationError(_other_schema(target, current, needed))


def _other_schema(side: Side, current: str, needed: str) -> str:
    if current > needed:
        return f"{side.where}: {schema_version.newer_than_release(current)}"
    return (
        f"the schema of {side.where} is {current}, this release needs {needed}; "
        f"run `faultwire db upgrade --database-url {side.where}`"
    )


async def _begin(source: Side, target: Side) -> tuple[Mapping[str, TableSummary], Mapping[str, Step]]:
    """Return what is to be copied, and how far it has been copied already."""
    summaries = await source.summaries()
    before, steps = await target.load_progress()
    if not before:
        filled = [name for name, summary in (await target.summaries()).items() if summary.rows]
        if filled:
            raise CopyRefusedError(
                f"{target.where} is not empty ({_spell(filled)}); copy into a new database"
            )
        await target.begin(source.where, summaries)
        return summaries, {}
    if before != summaries:
        changed = [name for name in summaries if summaries[name] != before.get(name)]
        raise CopyRefusedError(
            f"{target.where} holds a copy of another database, or {source.where} was written to since that "
            f"copy began ({_spell(changed)}); copy into a new database"
        )
    return summaries, steps


async def _copy_table(
    source: Side, target: Side, table: Table, step: Step, report: Callable[[int], None]
) -> int:
    """Copy the rows after a step, report after each chunk, and return how many rows this run stored."""
    begun_at = step.copied
    async with aclosing(_ahead(source.chunks(table, step.last_key))) as chunks:
        async for chunk in chunks:
            after = Step(encode_key(table, chunk[-1]), step.copied + len(chunk))
            await target.load(table, chunk, before=step, after=after)
            failpoint("copy.loaded")
            step = after
            report(step.copied)
    return step.copied - begun_at


async def _ahead(chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
    """Yield each chunk while the next one is being read."""

    async def read() -> Chunk | None:
        return await anext(chunks, None)

    async with aclosing(chunks):
        upcoming = asyncio.ensure_future(read())
        try:
            while (chunk := await upcoming) is not None:
                upcoming = asyncio.ensure_future(read())
                yield chunk
        finally:
            await asyncio.wait({upcoming})


async def _check_same(summaries: Mapping[str, TableSummary], target: Side) -> None:
    found = await target.summaries()
    differing = [
        f"{name} {found[name].rows} for {summary.rows}, counting {found[name].counted} for {summary.counted}"
        for name, summary in summaries.items()
        if (found[name].rows, found[name].counted) != (summary.rows, summary.counted)
    ]
    if differing:
        raise CopyDiffersError(
            f"{target.where} does not hold what was copied: {_spell(differing)}; was it written to meanwhile?"
        )


def _spell(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED_MAX} more" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more

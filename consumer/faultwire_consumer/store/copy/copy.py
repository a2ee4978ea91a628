"""Copies a whole database into another one, of the same kind or the other, and proves that it did."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
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

_NAMED: Final = 5
"""Tables in one sentence, at most."""

Tell = Callable[[str, int, int], None]


class Copied(Struct, frozen=True, kw_only=True):
    """What became of a copy."""

    source: str
    target: str
    tables: Mapping[str, TableSummary]
    """What both databases hold now, checked."""
    rows: int
    """Stored by this run; the others were there by a run before it."""


def _silent(table: str, rows: int, copied: int) -> None:
    """Tell nobody."""


async def copy_database(source_url: str, target_url: str, *, tell: Tell = _silent) -> Copied:
    """Copy every table, and check that both hold the same.

    A copy that was cut short goes on where it was. One that is complete is only checked.

    Args:
        source_url: from there; nothing in it changes.
        target_url: to there: a database without any events, or the copy of this source that was begun.
        tell: is told table, its rows in all and those that are copied, after every chunk.

    Raises:
        DatabaseUrlError: a text names no database.
        StoreUnavailableError: one of them does not answer.
        MigrationError: one has another schema than this release's; the text names the command.
        CopyRefusedError: a worker uses one, the target holds something else, or both are one database.
        CopyDiffersError: after all they do not hold the same.
    """
    source, target = await _sides(source_url, target_url)
    async with _open(source), _open(target):
        if await source.identity() == await target.identity():
            raise CopyRefusedError(f"{source.where} and {target.where} are the same database")
        await _check_schemas(source_url, target_url, source, target)
        for side in (source, target):
            if await side.find_worker():
                raise CopyRefusedError(f"a worker uses {side.where}; stop it for the copy")
        marks, steps = await _begin(source, target)
        rows = 0
        for table in copied_tables():
            step, total = steps.get(table.name, Step(None, 0)), marks[table.name].rows
            tell(table.name, total, step.copied)
            rows += await _copy_table(source, target, table, step, partial(tell, table.name, total))
        if rows:
            await target.finish()
        await _check_same(marks, target)
    return Copied(source=source.where, target=target.where, tables=marks, rows=rows)


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
        raise MigrationError(f"{source.where} is no database of faultwire's")
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
    """What is to be copied, and how far it is already."""
    marks = await source.marks()
    before, steps = await target.begun()
    if not before:
        filled = [name for name, mark in (await target.marks()).items() if mark.rows]
        if filled:
            raise CopyRefusedError(
                f"{target.where} is not empty ({_spell(filled)}); copy into a new database"
            )
        await target.begin(source.where, marks)
        return marks, {}
    if before != marks:
        changed = [name for name in marks if marks[name] != before.get(name)]
        raise CopyRefusedError(
            f"{target.where} holds a copy of another database, or {source.where} was written to since that "
            f"copy began ({_spell(changed)}); copy into a new database"
        )
    return marks, steps


async def _copy_table(
    source: Side, target: Side, table: Table, step: Step, tell: Callable[[int], None]
) -> int:
    """Copy the rows behind a step, and tell after each chunk how many there are; how many this run stored."""
    begun_at = step.copied
    async with aclosing(_ahead(source.chunks(table, step.last_key))) as chunks:
        async for chunk in chunks:
            after = Step(encode_key(table, chunk[-1]), step.copied + len(chunk))
            await target.load(table, chunk, before=step, after=after)
            failpoint("copy.loaded")
            step = after
            tell(step.copied)
    return step.copied - begun_at


async def _ahead(chunks: AsyncGenerator[Chunk]) -> AsyncGenerator[Chunk]:
    """Each chunk, while the one behind it is being read."""

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


async def _check_same(marks: Mapping[str, TableSummary], target: Side) -> None:
    found = await target.marks()
    differing = [
        f"{name} {found[name].rows} for {mark.rows}, counting {found[name].counted} for {mark.counted}"
        for name, mark in marks.items()
        if (found[name].rows, found[name].counted) != (mark.rows, mark.counted)
    ]
    if differing:
        raise CopyDiffersError(
            f"{target.where} does not hold what was copied: {_spell(differing)}; was it written to meanwhile?"
        )


def _spell(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

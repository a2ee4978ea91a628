"""Looks into the database behind the worker's back, as an auditor would."""

import asyncio
import sqlite3
from typing import Any

import asyncpg


class StoreReader:
    """Counts, straight from the tables of SQLite or PostgreSQL."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._schema = "faultwire." if database_url.startswith("postgresql") else ""

    async def all(self, sql: str) -> list[Any]:
        """The first column of a query; ``{s}`` stands for the schema."""
        statement = sql.replace("{s}", self._schema)
        if not self._schema:
            return await asyncio.to_thread(self._from_sqlite, statement)
        connection = await asyncpg.connect(self._url)
        try:
            return [row[0] for row in await connection.fetch(statement)]
        finally:
            await connection.close()

    async def one(self, sql: str) -> int:
        """A single number."""
        try:
            return int((await self.all(sql))[0] or 0)
        except (sqlite3.OperationalError, asyncpg.UndefinedTableError):  # before the worker made its tables
            return 0

    async def size(self) -> int:
        """Bytes of the database; what SQLite has only in its WAL is counted with them."""
        if self._schema:
            return await self.one("SELECT pg_database_size(current_database())")
        return await self.one("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")

    async def event_ids(self) -> list[str]:
        """Of everybody's events but the worker's own: what it tells of gaps is in no producer's ledger."""
        return await self.all("SELECT event_id FROM {s}events WHERE service <> 'faultwire'")

    async def dead_letter_ids(self) -> list[str]:
        """Of the dead letters that name one; what was replayed stands among the events."""
        return await self.all(
            "SELECT event_id FROM {s}dead_letters WHERE event_id IS NOT NULL AND status <> 'replayed'"
        )

    async def stored(self) -> int:
        return await self.one("SELECT count(*) FROM {s}events")

    def _from_sqlite(self, statement: str) -> list[Any]:
        path = self._url.removeprefix("sqlite:///")
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
        try:
            return [row[0] for row in connection.execute(statement)]
        finally:
            connection.close()

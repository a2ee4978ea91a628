"""The schema brought up to date, as ``faultwire db upgrade`` does."""

import asyncio

from faultwire_consumer.store.migrations import migrate


async def upgrade(url: str) -> None:
    """Bring a database up to date; in a thread, as the migrations are files that are read."""
    await asyncio.to_thread(asyncio.run, migrate.upgrade(url))

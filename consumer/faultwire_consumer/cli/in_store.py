"""Commands that ask the database and no worker, as its upgrade does."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from faultwire_consumer.cli.failure import CommandError, expected_failures

if TYPE_CHECKING:
    # SQLAlchemy is loaded by the command that needs it, and by no help.
    from faultwire_consumer.cli.option import Setting
    from faultwire_consumer.store.contract.store import Store

T = TypeVar("T")


class FileTakenError(CommandError):
    """The database is a SQLite file that a running worker has."""


def in_store(setting: "Setting", work: "Callable[[Store], Awaitable[T]]", *, only_reads: bool = False) -> T:
    """Open the configured database, do one thing in it, and close it.

    Args:
        setting: names the database.
        work: what is to be done.
        only_reads: nothing is written, so a SQLite file may have a worker.

    Raises:
        FileTakenError: it is a SQLite file that a worker has.
        CommandError: it cannot be used: it is away, or needs an upgrade.
    """

    async def run() -> T:
        from faultwire_consumer.store.contract.store import StoreTakenError  # noqa: PLC0415 - see above
        from faultwire_consumer.store.engine import open_store, open_to_read  # noqa: PLC0415 - see above

        try:
            store = await (open_to_read(url) if only_reads else open_store(url))
        except StoreTakenError as error:
            raise FileTakenError(str(error)) from None
        try:
            return await work(store)
        finally:
            await store.close()

    with expected_failures():
        url = setting.load(with_broker=False).database_url
        return asyncio.run(run())

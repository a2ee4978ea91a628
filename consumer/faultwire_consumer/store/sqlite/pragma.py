"""The setup of every writing connection to SQLite."""

from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Engine, event

from faultwire_consumer.store.contract.timeouts import Timeouts

# 2.5 KB rows waste most of a 4,096-byte page: 16,384 stores 0.68 of the bytes, 1.2 times as fast.
PAGE_BYTES: Final = 16_384
# The pages fit in that a batch of 500 events changes among 900,000 of thirty days: with half of it some are
# written twice (36 KiB an event, not 22); with twice of it no fewer, and the worker takes 8 MiB more.
_CACHE_KIB: Final = 8_192


def prepare_connection(engine: Engine, *, busy_seconds: float = Timeouts().lock) -> None:
    """Set page size, WAL, full durability and ``BEGIN IMMEDIATE`` on every connection of an engine."""
    event.listen(engine, "connect", partial(_set_pragmas, busy_seconds))
    event.listen(engine, "begin", _begin_immediate)


def _set_pragmas(busy_seconds: float, connection: Any, _: object) -> None:
    # Otherwise sqlite3 begins transactions by itself, and late.
    connection.isolation_level = None
    for pragma in (
        f"page_size = {PAGE_BYTES}",  # takes effect before the first table only
        "auto_vacuum = INCREMENTAL",  # the same; an older file gets it with its next VACUUM
        f"busy_timeout = {round(busy_seconds * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"cache_size = -{_CACHE_KIB}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")

"""A store whose queries go to a read replica and whose changes go to the primary.

Users read what they wrote: after a change through this worker, its queries go to the primary until
the replica has replayed that change, and inside `reading_primary` they always do.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import date
from typing import Any, Final

from sqlalchemy import Executable, Row, text

from faultwire_consumer.store.contract.pile import UsualWrites
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import (
    NewFingerprint,
    Place,
    Store,
    StoreReader,
    StoreSlowError,
    StoreUnavailableError,
    Transaction,
)
from faultwire_consumer.store.replica.freshness import STALE_SECONDS, Freshness, LogPosition

POLL_TIMEOUT_SECONDS: Final = 2.0
"""The time that either server has to answer a poll."""

# pg_current_wal_lsn() is refused during recovery. A promoted replica has its own log's position.
_POSITION: Final = text(
    "SELECT (SELECT system_identifier FROM pg_control_system()), current_database(), "
    "(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
    " - '0/0'::pg_lsn)::bigint"
)

_primary_only: Final[ContextVar[bool]] = ContextVar("faultwire_primary_only", default=False)


@contextmanager
def reading_primary() -> Iterator[None]:
    """Send every query in this context, and in tasks started in it, to the primary."""
    token = _primary_only.set(True)
    try:
        yield
    finally:
        _primary_only.reset(token)


class ReplicatedStore:
    """A primary with a read replica; its owner has to call `poll` every second.

    Args:
        primary: the store for every change, and for the queries that the replica does not answer.
        replica: the store of the same database, somewhat later.
        clock: the source of monotonic seconds.
    """

    def __init__(
        self, primary: Store, replica: Store, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name = primary.name
        self._primary = primary
        self._replica = replica
        self._clock = clock
        self._freshness = Freshness()
        self._written_at = clock()
        self._why_away = "it has not been asked yet"
        self._away = asyncio.Event()

    @property
    def behind_seconds(self) -> float | None:
        """The replica's lag at the last poll; None while it is unknown."""
        return None if self._why_away else self._freshness.behind_seconds

    @property
    def why_unused(self) -> str:
        """The reason why the replica answers no queries; empty while it does."""
        if self._why_away:
            return self._why_away
        behind = self._freshness.behind_seconds
        return f"it is {behind:.0f} s behind, more than {STALE_SECONDS:g} s" if behind > STALE_SECONDS else ""

    async def poll(self) -> None:
        """Ask both servers for their log positions, the primary first; never raises if one is unavailable."""
        at = self._clock()
        primary = await _read_position(self._primary)
        if isinstance(primary, LogPosition):
            self._freshness.note_primary(primary.lsn, at)
        replica = await _read_position(self._replica)
        self._why_away = _why_not(primary, replica)
        if isinstance(replica, LogPosition) and not self._why_away:
            self._freshness.note_replica(replica.lsn)
            self._away.clear()
        else:
            self._away.set()

    async def warm(self, usual: UsualWrites = ()) -> None:
        """Warm the primary; the replica is polled every second anyway."""
        await self._primary.warm(usual)

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query, on the replica if it is fresh enough."""
        if not self._must_ask_primary():
            try:
                return await self._read_replica(query)
            except StoreSlowError:
                raise  # too slow there is too slow on the primary, where it would be in the way of the events
            except StoreUnavailableError:
                pass  # unavailable, or the query was in the way of its replay: `poll` finds out which
        return await self._primary.read(query)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[StoreReader]:
        """Return itself: where a replica is lost, each query by itself goes to the primary."""
        yield self

    def _must_ask_primary(self) -> bool:
        return _primary_only.get() or bool(self.why_unused) or not self._freshness.has(self._written_at)

    async def _read_replica(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run a query on the replica, until that is found to be unavailable: a frozen one never answers."""
        reading = asyncio.ensure_future(self._replica.read(query))
        reading.add_done_callback(_discard_error)
        away = asyncio.ensure_future(self._away.wait())
        try:
            await asyncio.wait({reading, away}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                return reading.result()
            raise StoreUnavailableError(self._why_away)
        finally:
            away.cancel()
            reading.cancel()

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        """Begin a transaction on the primary."""
        try:
            async with self._primary.write() as tx:
                yield tx
        finally:
            self._note_written()

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """Register fingerprints and places at the primary."""
        await self._primary.register(fingerprints, places)
        self._note_written()

    async def prepare_days(self, days: frozenset[date]) -> None:
        """Make room for these days at the primary."""
        await self._primary.prepare_days(days)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """Run a maintenance statement at the primary."""
        await self._primary.run_alone(statement, seconds=seconds)

    def _note_written(self) -> None:
        self._written_at = self._clock()

    async def ping(self) -> None:
        """Check the primary alone, since everything works without the replica."""
        await self._primary.ping()

    async def close(self) -> None:
        """Close the replica; the primary is closed by its owner."""
        await self._replica.close()


def _discard_error(reading: asyncio.Future[Any]) -> None:
    """Retrieve the error of a query that nobody waits for any more, since asyncio would log it otherwise."""
    if not reading.cancelled():
        reading.exception()


async def _read_position(store: Store) -> LogPosition | str:
    """Return a server's log position, or the reason why there is none."""
    try:
        async with asyncio.timeout(POLL_TIMEOUT_SECONDS):
            ((cluster, database, lsn),) = map(tuple, await store.read(_POSITION))
    except StoreUnavailableError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {POLL_TIMEOUT_SECONDS:g} s"
    return LogPosition(cluster, database, lsn)


def _why_not(primary: LogPosition | str, replica: LogPosition | str) -> str:
    if isinstance(replica, str):
        return f"it does not answer: {replica}"
    if isinstance(primary, str):
        return ""
    if (primary.cluster, primary.database) != (replica.cluster, replica.database):
        return "it is not a copy of the primary's database: name a streaming replica of the same cluster"
    return ""

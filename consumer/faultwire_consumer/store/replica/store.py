"""A store whose queries go to a read replica, and whose every change goes to the primary.

Who wrote reads what they wrote: after a change through this worker its queries go to the primary
until the replica has replayed it, and inside `reading_primary` they do so always.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import date
from typing import Any, Final

from sqlalchemy import Executable, Row, text

from faultwire_consumer.store.contract.store import (
    NewFingerprint,
    Place,
    Store,
    StoreSlowError,
    StoreUnavailableError,
    Transaction,
)
from faultwire_consumer.store.replica.freshness import STALE_SECONDS, Freshness, LogPosition

LOOK_SECONDS: Final = 2.0
"""For one look at either server."""

# pg_current_wal_lsn() is refused while a server recovers. A replica that was promoted has what it has.
_POSITION: Final = text(
    "SELECT (SELECT system_identifier FROM pg_control_system()), current_database(), "
    "(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"
    " - '0/0'::pg_lsn)::bigint"
)

_primary_only: Final[ContextVar[bool]] = ContextVar("faultwire_primary_only", default=False)


@contextmanager
def reading_primary() -> Iterator[None]:
    """Let every query in here, and in the tasks that are begun in here, go to the primary."""
    token = _primary_only.set(True)
    try:
        yield
    finally:
        _primary_only.reset(token)


class ReplicatedStore:
    """A primary with a read replica beside it; somebody has to `look` every second.

    Args:
        primary: takes every change, and the queries that the replica does not answer.
        replica: the same database, somewhat later.
        clock: seconds that only grow.
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
        self._why_away = "it was not asked yet"
        self._away = asyncio.Event()

    @property
    def behind_seconds(self) -> float | None:
        """How far the replica was behind at the last look; None while nobody knows."""
        return None if self._why_away else self._freshness.behind_seconds

    @property
    def why_unused(self) -> str:
        """Why the replica answers no query; empty while it does."""
        if self._why_away:
            return self._why_away
        behind = self._freshness.behind_seconds
        return f"it is {behind:.0f} s behind, more than {STALE_SECONDS:g} s" if behind > STALE_SECONDS else ""

    async def look(self) -> None:
        """Ask both servers where they stand, the primary first; never raises for one that is away."""
        at = self._clock()
        primary = await _ask(self._primary)
        if isinstance(primary, LogPosition):
            self._freshness.note_primary(primary.lsn, at)
        replica = await _ask(self._replica)
        self._why_away = _why_not(primary, replica)
        if isinstance(replica, LogPosition) and not self._why_away:
            self._freshness.note_replica(replica.lsn)
            self._away.clear()
        else:
            self._away.set()

    async def warm(self) -> None:
        """Have the primary ready; the replica is looked at every second."""
        await self._primary.warm()

    async def read(self, statement: Executable) -> Sequence[Row[Any]]:
        """Run one query, on the replica where that will do."""
        if not self._must_ask_primary():
            try:
                return await self._read_replica(statement)
            except StoreSlowError:
                raise  # a query that is too slow there would be too slow here, and in the way of the events
            except StoreUnavailableError:
                pass  # away, or in the way of its replay: `look` finds out which
        return await self._primary.read(statement)

    def _must_ask_primary(self) -> bool:
        return _primary_only.get() or bool(self.why_unused) or not self._freshness.has(self._written_at)

    async def _read_replica(self, statement: Executable) -> Sequence[Row[Any]]:
        """Its answer, if it comes before the replica is found to be away; one that froze is silent."""
        reading = asyncio.ensure_future(self._replica.read(statement))
        reading.add_done_callback(_take_error)
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
        """A transaction of the primary's."""
        try:
            async with self._primary.write() as tx:
                yield tx
        finally:
            self._note_written()

    async def register(self, fingerprints: Sequence[NewFingerprint], places: Sequence[Place]) -> None:
        """At the primary."""
        await self._primary.register(fingerprints, places)
        self._note_written()

    async def prepare_days(self, days: frozenset[date]) -> None:
        """At the primary."""
        await self._primary.prepare_days(days)

    async def run_alone(self, statement: str, *, seconds: float) -> None:
        """At the primary."""
        await self._primary.run_alone(statement, seconds=seconds)

    def _note_written(self) -> None:
        self._written_at = self._clock()

    async def ping(self) -> None:
        """Ask the primary: without the replica everything works."""
        await self._primary.ping()

    async def close(self) -> None:
        """Close the replica; the primary is closed by who opened it."""
        await self._replica.close()


def _take_error(reading: asyncio.Future[Any]) -> None:
    """What a query that nobody waits for any more fails by is no news; untaken, asyncio would log it."""
    if not reading.cancelled():
        reading.exception()


async def _ask(store: Store) -> LogPosition | str:
    """Where a server stands, or why it does not say."""
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            ((cluster, database, lsn),) = map(tuple, await store.read(_POSITION))
    except StoreUnavailableError as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {LOOK_SECONDS:g} s"
    return LogPosition(cluster, database, lsn)


def _why_not(primary: LogPosition | str, replica: LogPosition | str) -> str:
    if isinstance(replica, str):
        return f"it does not answer: {replica}"
    if isinstance(primary, str):
        return ""
    if (primary.cluster, primary.database) != (replica.cluster, replica.database):
        return "it is no copy of the primary's database: name a streaming replica of the same cluster"
    return ""

"""Stores a batch: whole, or in halves if its size or something in it is in the way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from msgspec import Struct

from faultwire_consumer.domain.outcome import Outcome, Retry
from faultwire_consumer.store.contract.store import (
    RowsRejectedError,
    StoreBusyError,
    StoreSlowError,
    StoreUnavailableError,
)
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

TRIES: Final = 5
"""Attempts at a batch while the store is busy."""
SLOW_HALVINGS: Final = 3
"""Limit for one batch: each may take a whole statement timeout, and other batches wait behind it."""
_UNBOUNDED: Final = 1_000_000
_GROWTH: Final = 8

T = TypeVar("T")

log = get_logger(__name__)


class _BatchState(Struct):
    """The troubles of one batch so far."""

    away: str | None = None
    """Why the store takes nothing now; the rest of the batch is then not tried."""
    slow_splits: int = 0
    failed: bool = False

    def report(self, error: Exception) -> None:
        """Log what nobody expected, once for all halves of a batch."""
        if not self.failed:
            log.error("ingest.failed", exc_info=error)
        self.failed = True


class BisectingStore(Generic[T]):
    """Stores batches of one kind, and remembers how large a batch can be.

    Nothing that an item holds stops the others, or the caller: not even an error that nobody expects.

    Args:
        store: stores items in one transaction; returns an outcome for each, in order.
        reject: turns an item that the store rejects into one to be stored in its place; None if there
            is none.
        sleep: waits between two attempts, in seconds.
    """

    def __init__(
        self,
        store: Callable[[Sequence[T]], Awaitable[list[Outcome]]],
        reject: Callable[[T, str], T | None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store = store
        self._reject = reject
        self._sleep = sleep
        self._batch_max = _UNBOUNDED

    async def store(self, items: Sequence[T]) -> list[Outcome]:
        """Store what can be stored; return an outcome for each, in order. No content makes it raise."""
        this = _BatchState()
        outcomes = await self._put(items, this)
        if this.away is None and not this.slow_splits and len(items) * 2 > self._batch_max:
            # In small steps: trying too much again costs a whole statement timeout.
            self._batch_max = min(_UNBOUNDED, self._batch_max + max(1, self._batch_max // _GROWTH))
        return outcomes

    async def _put(self, items: Sequence[T], this: _BatchState) -> list[Outcome]:
        if not items or this.away is not None:
            return [Retry(this.away or "")] * len(items)
        if len(items) > self._batch_max:
            return await self._put_halves(items, this)
        try:
            return await self._try(items)
        except RowsRejectedError as error:
            return await self._put_rejected(items, this, str(error))
        except StoreUnavailableError as error:
            self._note(error, len(items), this)
            return await self._put(items, this)
        except Exception as error:  # noqa: BLE001 - logged once a batch, below
            # A mistake of the worker's that one of the items brings out: as if the database rejected it.
            this.report(error)
            return await self._put_rejected(items, this, f"the worker failed: {type(error).__name__}")

    def _note(self, error: StoreUnavailableError, size: int, this: _BatchState) -> None:
        """Go on with fewer items at a time if that may help; else give the batch up."""
        if isinstance(error, StoreSlowError):
            self._batch_max = max(1, min(self._batch_max, size // 2))
            if size > 1 and this.slow_splits < SLOW_HALVINGS:
                this.slow_splits += 1
                return
        this.away = str(error)

    async def _put_halves(self, items: Sequence[T], this: _BatchState) -> list[Outcome]:
        middle = len(items) // 2
        first = await self._put(items[:middle], this)
        return first + await self._put(items[middle:], this)

    async def _put_rejected(self, items: Sequence[T], this: _BatchState, why: str) -> list[Outcome]:
        if len(items) > 1:
            return await self._put_halves(items, this)
        instead = self._reject(items[0], why)
        # If even its dead letter is rejected it goes back: nothing may be lost.
        return [Retry(why)] if instead is None else await self._put([instead], this)

    async def _try(self, items: Sequence[T]) -> list[Outcome]:
        delays = full_jitter_delays(0.01, 0.5)
        for _ in range(TRIES - 1):
            try:
                return await self._store(items)
            except StoreBusyError:
                await self._sleep(next(delays))
        return await self._store(items)

"""Gets a batch into the store: whole, or in halves where its size or something in it is in the way."""

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
from faultwire_shared.retry import full_jitter_delays

TRIES: Final = 5
"""For what is busy."""
SLOW_HALVINGS: Final = 3
"""In one batch: each may take as long as a statement has, and other batches wait behind it."""
_UNBOUNDED: Final = 1_000_000
_GROWTH: Final = 8

T = TypeVar("T")


class _BatchState(Struct):
    """What one batch has met so far."""

    away: str | None = None
    """Why the store takes nothing now; what is left of the batch is then not tried."""
    slow_splits: int = 0


class BisectingStore(Generic[T]):
    """Stores batches of one kind, and remembers how large a batch gets through.

    Args:
        store: stores items in one transaction; an outcome for each, in order.
        reject: what becomes of an item that the store refuses, to be stored in its place; None
            where nothing can.
        sleep: waits between two tries, in seconds.
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
        self._most = _UNBOUNDED

    async def store(self, items: Sequence[T]) -> list[Outcome]:
        """Store what can be stored; an outcome for each, in order. Raises nothing for what they hold."""
        this = _BatchState()
        outcomes = await self._put(items, this)
        if this.away is None and not this.slow_splits and len(items) * 2 > self._most:
            # By little: to try too much again costs as long as a statement has.
            self._most = min(_UNBOUNDED, self._most + max(1, self._most // _GROWTH))
        return outcomes

    async def _put(self, items: Sequence[T], this: _BatchState) -> list[Outcome]:
        if not items or this.away is not None:
            return [Retry(this.away or "")] * len(items)
        if len(items) > self._most:
            return await self._put_halves(items, this)
        try:
            return await self._try(items)
        except RowsRejectedError as error:
            return await self._put_rejected(items, this, str(error))
        except StoreUnavailableError as error:
            self._note(error, len(items), this)
            return await self._put(items, this)

    def _note(self, error: StoreUnavailableError, size: int, this: _BatchState) -> None:
        """Go on with less at a time where that may help; else give the batch up."""
        if isinstance(error, StoreSlowError):
            self._most = max(1, min(self._most, size // 2))
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
        # Where even its dead letter is refused it goes back: nothing may be lost.
        return [Retry(why)] if instead is None else await self._put([instead], this)

    async def _try(self, items: Sequence[T]) -> list[Outcome]:
        delays = full_jitter_delays(0.01, 0.5)
        for _ in range(TRIES - 1):
            try:
                return await self._store(items)
            except StoreBusyError:
                await self._sleep(next(delays))
        return await self._store(items)

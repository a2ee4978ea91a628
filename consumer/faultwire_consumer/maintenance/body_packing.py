"""Packs bodies with the newest dictionary, and trains one where it makes bodies clearly smaller."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from faultwire_consumer.store.contract.packed_body import (
    Dictionary,
    Packer,
    TrainingError,
    packed_bytes,
    train,
)
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.upkeep.dictionaries import (
    DICTIONARIES_MAX,
    StoredDictionary,
    find_newest,
    has_older_workers,
    keep_dictionary,
    read_dictionary,
    read_samples,
)
from faultwire_shared.clock import Clock
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "body dictionary"
EVERY: Final = timedelta(minutes=5)
LOOK_SECONDS: Final = 60.0
SAMPLES_MIN: Final = 100
"""Bodies without which none is trained."""
CLEAR_LOOKS: Final = 2
"""Looks one after the other that saw no older worker: one look may fall into a moment without connections."""
FIRST_AGE: Final = timedelta(hours=1)
"""The age from which the first dictionary, which few bodies made, is compared with a new one."""
LATER_AGE: Final = timedelta(days=1)
"""The age of the others."""
CLEARLY: Final = 0.8
"""What a new one must leave of the bytes that the one in use leaves, to be worth its keeping."""

log = get_logger("faultwire.store")


class PackingWatch:
    """Looks every minute for the dictionary to pack with, in every worker.

    Args:
        store: where the dictionaries are.
        packing: what the store packs with.
        sleep: waits for a number of seconds.
    """

    def __init__(
        self, store: Store, packing: Packing, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._store = store
        self._packing = packing
        self._sleep = sleep

    async def run(self) -> None:
        """Look until cancelled; retry while the database is away."""
        while True:
            try:
                await self.look()
            except StoreUnavailableError as error:
                log.warning("store.lost", lane="body packing", why=str(error))
            await self._sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Pack with the newest dictionary from now on.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        newest = await find_newest(self._store)
        if newest is not None and newest.id != self._packing.dictionary_id:
            self._packing.use(Packer(await read_dictionary(self._store, newest.id)))


class DictionaryTrainer:
    """Trains the first dictionary, and later ones where what is stored has changed.

    Args:
        store: where the dictionaries and the bodies are.
        packing: what the store packs with.
        clock: gives the time.
    """

    def __init__(self, store: Store, packing: Packing, *, clock: Clock) -> None:
        self._store = store
        self._watch = PackingWatch(store, packing)
        self._clock = clock
        self._clear_looks = 0
        self._compared_at: datetime | None = None

    async def train(self) -> None:
        """Train a dictionary if there is none, or a better one if it is time to compare.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        newest = await find_newest(self._store)
        if newest is None:
            if await self._is_clear():
                await self._train_first()
        elif self._is_due(newest):
            self._compared_at = self._clock()
            await self._train_better(newest)

    async def _is_clear(self) -> bool:
        if await has_older_workers(self._store):
            self._clear_looks = 0
            log.info("bodies.held", why="a worker of an older release is running, which cannot read them")
            return False
        self._clear_looks += 1
        return self._store.name == "sqlite" or self._clear_looks >= CLEAR_LOOKS

    def _is_due(self, newest: StoredDictionary) -> bool:
        age = FIRST_AGE if newest.number == 1 else LATER_AGE
        since = max(newest.created_at, self._compared_at or newest.created_at)
        return newest.number < DICTIONARIES_MAX and self._clock() - since >= age

    async def _train_first(self) -> None:
        samples = await read_samples(self._store)
        if len(samples) >= SAMPLES_MIN and (found := await asyncio.to_thread(_trained, samples)) is not None:
            await self._use(found, samples=len(samples))

    async def _train_better(self, newest: StoredDictionary) -> None:
        samples = await read_samples(self._store)
        if len(samples) < SAMPLES_MIN:
            return
        before = await read_dictionary(self._store, newest.id)
        better = await asyncio.to_thread(find_better, before, samples)
        if better is not None:
            await self._use(better, samples=len(samples) // 2)

    async def _use(self, dictionary: Dictionary, *, samples: int) -> None:
        await keep_dictionary(self._store, dictionary, samples=samples, now=self._clock())
        await self._watch.look()
        log.info("bodies.dictionary_trained", dictionary=dictionary.id, samples=samples)


def find_better(before: Dictionary, samples: Sequence[bytes]) -> Dictionary | None:
    """Return a dictionary that leaves clearly less of recent bodies, measured by others than those in it."""
    candidate = _trained(samples[::2])
    if candidate is None:
        return None
    others = samples[1::2]
    left, left_before = packed_bytes(Packer(candidate), others), packed_bytes(Packer(before), others)
    return candidate if left <= CLEARLY * left_before else None


def _trained(samples: Sequence[bytes]) -> Dictionary | None:
    try:
        return train(samples)
    except TrainingError:
        return None  # bodies that have nothing in common; others may come

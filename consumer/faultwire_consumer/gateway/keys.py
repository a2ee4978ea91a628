"""The keys that SDKs show, told from wrong ones: by all keys that there are, which are few."""

import asyncio
import hashlib
import hmac
import math
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime
from typing import Final

from msgspec.structs import replace

from faultwire_consumer.domain.access.dsn import DsnKey, KeptKey, KeyRefusal, judge_key, normal_key
from faultwire_consumer.gateway.known_keys import KnownKeys
from faultwire_consumer.store.access.dsns import list_keys, note_uses
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_shared.clock import Clock

MEMORY_SECONDS: Final = 5.0
"""For so long at most a revoked key still gets in while the database answers."""
LOOK_SECONDS: Final = 1.0
"""Between two looks at the database, however many keys nobody knows."""
PATIENCE_SECONDS: Final = 0.5
"""Of a request, for a database that does not answer at once: SDKs hold up their applications meanwhile."""


class KeyBook:
    """Knows all keys, and looks into the database now and then for what changed.

    A key that nobody knows is kept nowhere and costs no query of its own, so that a flood of them stands in
    nobody's way. A key that was made within the last `LOOK_SECONDS` may be taken for one of them. While the
    database is away, everything stays as it was last known; what has expired is judged at each request.

    Args:
        store: the primary; a replica may not know yet what was revoked.
        clock: tells what has expired.
        monotonic: seconds by which it looks again.
        known: a file to begin with, where it may start while the database is away.
        patience: seconds that a request waits for the database.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
        known: KnownKeys | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._known = known
        self._patience = patience
        self._keys: dict[bytes, KeptKey] = {}
        self._learned_at, self._looked_at = -math.inf, -math.inf
        self._uses = _Uses()
        self._filed: tuple[KeptKey, ...] = ()
        self._look = _Errand(self._learn)
        self._noting = _Errand(self._note_uses)
        self._filing = _Errand(self._file)

    async def start(self) -> None:
        """Begin with what the file says, and with what the database says if it answers at once."""
        if self._known is not None:
            self._filed = await asyncio.to_thread(self._known.read)
            self._keys = _by_digest(self._filed)
        await self._look_again()

    async def find(self, public_key: str | None, project: int | None) -> DsnKey | KeyRefusal:
        """Return the key that an SDK shows, or why it is none.

        Args:
            public_key: as it was sent, in any form; None or empty where there was none.
            project: of the address; None where that names none.

        Raises:
            StoreUnavailableError: the database does not answer, and no key was ever known.
        """
        if not public_key:
            return KeyRefusal.MISSING
        normal = normal_key(public_key)
        if normal is None:
            return KeyRefusal.UNKNOWN
        found = self._judge(normal, project)
        if isinstance(found, KeyRefusal) or self._monotonic() - self._learned_at >= MEMORY_SECONDS:
            await self._look_again()
            found = self._judge(normal, project)
        if self._learned_at == -math.inf and not self._keys:
            raise StoreUnavailableError("the database does not answer, and no key of a DSN is known yet")
        return found

    async def close(self) -> None:
        """End what is under way, after a moment in which it may end by itself."""
        for errand in (self._look, self._noting, self._filing):
            await errand.end(self._patience)

    def _judge(self, normal: str, project: int | None) -> DsnKey | KeyRefusal:
        kept = self._keys.get(_digest_of(normal))
        if kept is None or not hmac.compare_digest(kept.key.public_key, normal):
            return KeyRefusal.UNKNOWN
        now = self._clock()
        found = judge_key(kept, project, now)
        if isinstance(found, DsnKey) and self._uses.add(kept, now):
            self._noting.begin()
        return found

    async def _look_again(self) -> None:
        """Look, or wait for the look that is under way; for no look that takes too long."""
        since = self._monotonic() - self._looked_at
        if not self._look.is_running:
            if since < LOOK_SECONDS:
                return
            self._looked_at = self._monotonic()
            self._look.begin()
        elif since >= self._patience:
            return
        await self._look.wait(self._patience)

    async def _learn(self) -> None:
        asked_at = self._monotonic()  # before the answer: what is revoked while it comes is seen in time
        try:
            keys = await list_keys(self._store)
        except StoreUnavailableError:
            return  # the worker's own watch over the database tells that
        self._keys, self._learned_at = _by_digest(keys), asked_at
        self._filing.begin()
        if self._uses.waiting:
            self._noting.begin()

    async def _note_uses(self) -> None:
        """Keep the day on which keys are used; nobody waits or fails for that."""
        while self._uses.waiting:
            day, ids = self._uses.take()
            try:
                await note_uses(self._store, ids, day)
            except StoreUnavailableError:
                self._uses.give_back(day, ids)
                return

    async def _file(self) -> None:
        while self._known is not None and (held := _to_file(self._keys.values())) != self._filed:
            if not await asyncio.to_thread(self._known.write, held):
                return
            self._filed = held


class _Uses:
    """Uses of keys that are to be kept, each once a day."""

    def __init__(self) -> None:
        self._day = datetime.min.replace(tzinfo=UTC)
        self._seen: set[int] = set()
        self._waiting: set[int] = set()

    @property
    def waiting(self) -> bool:
        return bool(self._waiting)

    def add(self, kept: KeptKey, now: datetime) -> bool:
        """Return True if this is the key's first use on its day."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if day != self._day:
            self._day, self._seen, self._waiting = day, set(), set()
        is_kept = kept.last_used_on is not None and kept.last_used_on >= day
        if is_kept or kept.key.token_id in self._seen:
            return False
        self._seen.add(kept.key.token_id)
        self._waiting.add(kept.key.token_id)
        return True

    def take(self) -> tuple[datetime, frozenset[int]]:
        ids, self._waiting = frozenset(self._waiting), set()
        return self._day, ids

    def give_back(self, day: datetime, ids: frozenset[int]) -> None:
        if day == self._day:
            self._waiting |= ids


class _Errand:
    """Work in the background, once at a time."""

    def __init__(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self) -> None:
        if not self.is_running:
            self._task = asyncio.create_task(self._work())

    async def wait(self, seconds: float) -> None:
        """Wait for it for so long at most; whoever waits may go without ending it."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=seconds)

    async def end(self, seconds: float) -> None:
        await self.wait(seconds)
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})


def _digest_of(normal: str) -> bytes:
    """Return what a key is looked up by, so that the time that it takes tells nothing of other keys."""
    return hashlib.sha256(normal.encode()).digest()


def _by_digest(keys: Iterable[KeptKey]) -> dict[bytes, KeptKey]:
    return {_digest_of(kept.key.public_key): kept for kept in keys}


def _to_file(keys: Iterable[KeptKey]) -> tuple[KeptKey, ...]:
    """Return the keys that are kept in a file, without what changes every day."""
    held = (replace(kept, last_used_on=None) for kept in keys if kept.revoked_at is None)
    return tuple(sorted(held, key=lambda kept: kept.key.public_key))

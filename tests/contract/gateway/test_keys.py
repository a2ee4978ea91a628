"""The book of keys: what it answers, what it asks, and what it knows while the database is away."""

import asyncio
import random
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.tools.clock import FixedClock
from tests.tools.waiting import until

from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.dsn import DsnKey, KeyRefusal
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.token import AccessToken
from faultwire_consumer.gateway.keys import LOOK_SECONDS, MEMORY_SECONDS, KeyBook
from faultwire_consumer.gateway.known_keys import KnownKeys
from faultwire_consumer.store.access.dsns import issue_dsn, list_keys
from faultwire_consumer.store.access.tokens import revoke_token
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError

draw: Callable[[int], int] = random.Random(22).randrange
ADA = AuditSource(actor="ada", via=Via.SESSION)
KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


class Watched:
    """What a store is asked for, and whether it answers."""

    def __init__(self, store: Store, patch: pytest.MonkeyPatch) -> None:
        self.reads = self.writes = 0
        self.is_away = False
        self.hangs: asyncio.Event | None = None
        self._read, self._write = store.read, store.write
        patch.setattr(store, "read", self.read)
        patch.setattr(store, "write", self.write)

    async def read(self, query: Any) -> Any:
        self.reads += 1
        await self._answer()
        return await self._read(query)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Any]:
        self.writes += 1
        await self._answer()
        async with self._write() as tx:
            yield tx

    async def _answer(self) -> None:
        if self.hangs is not None:
            await self.hangs.wait()
        if self.is_away:
            raise StoreUnavailableError("away")


@pytest.fixture
def watched(store: Store, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(store, monkeypatch)


async def issue(store: Store, clock: FixedClock, service: str = "shop", **changes: object) -> AccessToken:
    draft = DsnDraft(service=service, **changes)  # type: ignore[arg-type]  # what a test says is what it means
    async with store.write() as tx:
        return await issue_dsn(tx, draft, source=ADA, now=clock(), draw=draw)


async def revoke(store: Store, token: AccessToken, clock: FixedClock) -> None:
    async with store.write() as tx:
        await revoke_token(tx, token.id, source=ADA, now=clock())


@asynccontextmanager
async def opened(
    store: Store, clock: FixedClock, path: Path | None = None, patience: float = 30.0
) -> AsyncIterator[KeyBook]:
    known = None if path is None else KnownKeys(path)
    book = KeyBook(store, clock=clock, monotonic=clock.monotonic, known=known, patience=patience)
    await book.start()
    yield book
    await book.close()


async def test_a_key_is_found_in_every_form_and_for_its_project_alone(
    store: Store, clock: FixedClock
) -> None:
    made = await issue(store, clock, key=KEY, project=7, origins=("https://shop.example",))
    key = DsnKey(
        public_key=KEY,
        project=7,
        service="shop",
        token_id=made.id,
        token_name="shop",  # noqa: S106 - a name
        allowed_origins=("https://shop.example",),
    )
    async with opened(store, clock) as book:
        assert await book.find(KEY, 7) == key
        assert await book.find("0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0", 7) == key
        assert await book.find(KEY, None) == key
        assert await book.find(KEY, 8) is KeyRefusal.OTHER_PROJECT
        assert await book.find(None, 7) is KeyRefusal.MISSING
        assert await book.find("", 7) is KeyRefusal.MISSING
        for wrong in (KEY[:-1], f"{KEY}0", "no key", "\u0130", "a" * 10_000, "\ud800"):
            assert await book.find(wrong, 7) is KeyRefusal.UNKNOWN


async def test_known_keys_ask_the_database_once_in_a_while(
    store: Store, clock: FixedClock, watched: Watched
) -> None:
    await issue(store, clock, key=KEY)
    async with opened(store, clock) as book:
        before = watched.reads
        for _ in range(50):
            assert isinstance(await book.find(KEY, 1), DsnKey)
        assert watched.reads == before
        clock.advance(MEMORY_SECONDS)
        for _ in range(50):
            await book.find(KEY, 1)
        assert watched.reads == before + 1


async def test_a_revocation_is_seen_in_time_and_an_end_at_once(store: Store, clock: FixedClock) -> None:
    made = await issue(store, clock, key=KEY)
    await issue(store, clock, "web", key="ab", expires_at=clock() + timedelta(seconds=20))
    async with opened(store, clock) as book:
        await revoke(store, made, clock)
        assert isinstance(await book.find(KEY, 1), DsnKey)
        clock.advance(MEMORY_SECONDS)
        assert await book.find(KEY, 1) is KeyRefusal.REVOKED
        assert isinstance(await book.find("ab", 2), DsnKey)
        clock.advance(20 - MEMORY_SECONDS)
        assert await book.find("ab", 2) is KeyRefusal.EXPIRED


async def test_a_new_key_is_known_at_its_first_event_and_so_is_one_made_anew(
    store: Store, clock: FixedClock
) -> None:
    async with opened(store, clock) as book:
        assert await book.find(KEY, 1) is KeyRefusal.UNKNOWN
        made = await issue(store, clock, key=KEY)
        clock.advance(LOOK_SECONDS)
        assert isinstance(await book.find(KEY, 1), DsnKey)
        await revoke(store, made, clock)
        clock.advance(MEMORY_SECONDS)
        assert await book.find(KEY, 1) is KeyRefusal.REVOKED
        await issue(store, clock, key=KEY, project=1)
        clock.advance(LOOK_SECONDS)
        assert isinstance(await book.find(KEY, 1), DsnKey)


async def test_a_flood_of_keys_that_nobody_has_is_kept_nowhere_and_stands_in_nobody_s_way(
    store: Store, clock: FixedClock, watched: Watched
) -> None:
    await issue(store, clock, key=KEY)
    chance = random.Random(3)
    async with opened(store, clock) as book:
        before = watched.reads
        for number in range(100_000):
            if number % 10_000 == 0:
                clock.advance(LOOK_SECONDS)
            assert await book.find(f"{chance.getrandbits(128):032x}", 1) is KeyRefusal.UNKNOWN
            if number % 1000 == 0:
                assert isinstance(await book.find(KEY, 1), DsnKey)
        assert watched.reads - before <= 12
        assert len(book._keys) == 1


async def test_many_that_ask_at_once_make_one_look(store: Store, clock: FixedClock, watched: Watched) -> None:
    await issue(store, clock, key=KEY)
    async with opened(store, clock) as book:
        before = watched.reads
        clock.advance(MEMORY_SECONDS)
        found = await asyncio.gather(*(book.find(KEY, 1) for _ in range(200)))
        assert all(isinstance(one, DsnKey) for one in found)
        assert watched.reads == before + 1


async def test_a_use_is_kept_once_a_day(store: Store, clock: FixedClock, watched: Watched) -> None:
    await issue(store, clock, key=KEY)
    async with opened(store, clock) as book:
        before = watched.writes
        for day in (23, 24):
            for _ in range(20):
                await book.find(KEY, 1)

            async def is_noted(day: int = day) -> bool:
                (kept,) = await list_keys(store)
                return kept.last_used_on is not None and kept.last_used_on.day == day

            await until(is_noted, "the day is kept")
            clock.advance(timedelta(days=1))
        assert watched.writes == before + 2


async def test_while_the_database_is_away_known_keys_stay_known_and_others_unknown(
    store: Store, clock: FixedClock, watched: Watched
) -> None:
    await issue(store, clock, key=KEY, expires_at=clock() + timedelta(hours=2))
    async with opened(store, clock) as book:
        watched.is_away = True
        before = watched.reads + watched.writes
        for _ in range(3600):
            clock.advance(0.1)
            assert isinstance(await book.find(KEY, 1), DsnKey)
            assert await book.find("ab", 1) is KeyRefusal.UNKNOWN
        assert watched.reads + watched.writes - before <= 400
        watched.is_away = False
        clock.advance(LOOK_SECONDS)
        assert isinstance(await book.find(KEY, 1), DsnKey)

        async def is_noted() -> bool:
            (kept,) = await list_keys(store)
            return kept.last_used_on is not None

        await until(is_noted, "the use is kept as soon as the database is back")
        clock.advance(timedelta(hours=2))
        watched.is_away = True
        assert await book.find(KEY, 1) is KeyRefusal.EXPIRED


async def test_a_database_that_hangs_is_waited_for_once(
    store: Store, clock: FixedClock, watched: Watched
) -> None:
    await issue(store, clock, key=KEY)
    async with opened(store, clock) as book:
        book._patience = 0.05  # from here on: a slow start is no hanging database
        # What was known is old now, and the look for what changed does not end.
        clock.advance(MEMORY_SECONDS)
        watched.hangs = asyncio.Event()
        before = watched.reads
        assert isinstance(await book.find(KEY, 1), DsnKey)
        clock.advance(0.06)
        async with asyncio.timeout(60):
            for _ in range(10_000):
                assert isinstance(await book.find(KEY, 1), DsnKey)
                assert await book.find("ab", 1) is KeyRefusal.UNKNOWN
        assert watched.reads == before + 1
        watched.hangs.set()


async def test_where_nothing_was_ever_known_the_database_is_what_is_missing(
    store: Store, clock: FixedClock, watched: Watched
) -> None:
    await issue(store, clock, key=KEY)
    watched.is_away = True
    async with opened(store, clock) as book:
        with pytest.raises(StoreUnavailableError, match="no key of a DSN is known yet"):
            await book.find(KEY, 1)
        assert await book.find(None, 1) is KeyRefusal.MISSING
        watched.is_away = False
        clock.advance(LOOK_SECONDS)
        assert isinstance(await book.find(KEY, 1), DsnKey)


async def test_a_gateway_that_starts_while_the_database_is_away_knows_what_the_last_one_knew(
    store: Store, clock: FixedClock, watched: Watched, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    await issue(store, clock, key=KEY, origins=("https://shop.example",))
    gone = await issue(store, clock, "web", key="ab")
    await revoke(store, gone, clock)
    async with opened(store, clock, path) as book:
        known = await book.find(KEY, 1)
    assert isinstance(known, DsnKey)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    watched.is_away = True
    async with opened(store, clock, path) as book:
        assert await book.find(KEY, 1) == known
        assert await book.find("ab", 2) is KeyRefusal.UNKNOWN
        watched.is_away = False
        clock.advance(MEMORY_SECONDS)
        assert await book.find("ab", 2) is KeyRefusal.REVOKED


async def test_the_file_is_written_when_the_keys_changed_and_not_otherwise(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    await issue(store, clock, key=KEY)
    async with opened(store, clock, path) as book:

        async def is_there() -> bool:
            return path.exists()

        await until(is_there, "the keys are kept")
        first = path.stat().st_ino
        for _ in range(3):
            clock.advance(timedelta(days=1))
            await book.find(KEY, 1)
        assert path.stat().st_ino == first
        await issue(store, clock, "web", key="ab")
        clock.advance(MEMORY_SECONDS)
        await book.find("ab", 2)

        async def is_kept() -> bool:
            return b'"ab"' in path.read_bytes()

        await until(is_kept, "the new key is kept")


async def test_a_directory_that_takes_no_file_keeps_no_gateway_from_its_work(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    await issue(store, clock, key=KEY)
    async with opened(store, clock, tmp_path / "nowhere" / "keys.json") as book:
        assert isinstance(await book.find(KEY, 1), DsnKey)
    assert not (tmp_path / "nowhere").exists()

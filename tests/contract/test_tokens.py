"""Tokens in the database, kept as digests; and the book that remembers them for a moment."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import AccessToken, TokenDraft, digest_of, make_token
from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.access.tokens import (
    TokenDraftError,
    find_named,
    find_token,
    issue_token,
    list_tokens,
    note_use,
    revoke_token,
)
from faultwire_consumer.store.contract.paging import BadCursorError
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.web.access.bearer import MEMORY_SECONDS, TokenBook
from faultwire_consumer.web.access.refusal import TokenRefusedError

draw: Callable[[int], int] = random.Random(11).randrange
ADA = AuditSource(actor="ada", via=Via.SESSION)
INGEST = frozenset({AccessScope.INGEST})


async def issue(store: Store, now: datetime, name: str = "ci", **changes: object) -> tuple[AccessToken, str]:
    values: dict[str, object] = {"scopes": frozenset({AccessScope.READ})}
    draft = TokenDraft(name=name, **values | changes)  # type: ignore[arg-type]  # what a test says is what it means
    async with store.write() as tx:
        return await issue_token(tx, draft, source=ADA, now=now, draw=draw)


async def test_a_token_is_found_by_its_digest_and_kept_nowhere(store: Store, clock: FixedClock) -> None:
    end = clock() + timedelta(days=1)
    made, shown = await issue(store, clock(), scopes=INGEST, services=("billing", "web-*"), expires_at=end)
    assert await find_token(store, digest_of(shown)) == made
    assert (made.name, made.prefix, made.created_by) == ("ci", shown[:12], "ada")
    assert (made.scopes, made.services, made.expires_at) == (INGEST, ("billing", "web-*"), end)
    assert (made.created_at, made.last_used_on, made.revoked_at) == (clock(), None, None)
    assert await find_token(store, digest_of(shown[:-1])) is None
    schema = "" if store.name == "sqlite" else "faultwire."
    (row,) = await store.read(text(f"SELECT * FROM {schema}access_tokens"))
    assert shown[13:] not in str(tuple(row))


async def test_what_cannot_be_is_not_stored(store: Store, clock: FixedClock) -> None:
    with pytest.raises(TokenDraftError, match="whose events"):
        await issue(store, clock(), scopes=INGEST)
    assert (await list_tokens(store, limit=10)).rows == ()


async def test_tokens_are_listed_in_pages_the_newest_first(store: Store, clock: FixedClock) -> None:
    for number in range(5):
        await issue(store, clock(), name=f"ci-{number}")
    first = await list_tokens(store, limit=3)
    assert [token.name for token in first.rows] == ["ci-4", "ci-3", "ci-2"]
    second = await list_tokens(store, limit=3, cursor=first.next_cursor)
    assert [token.name for token in second.rows] == ["ci-1", "ci-0"]
    assert second.next_cursor is None
    with pytest.raises(BadCursorError):
        await list_tokens(store, limit=3, cursor="x")


async def test_a_token_is_named_in_several_ways(store: Store, clock: FixedClock) -> None:
    first, _ = await issue(store, clock())
    second, _ = await issue(store, clock())
    other, _ = await issue(store, clock(), name=str(first.id))
    assert await find_named(store, "ci") == (second, first)
    assert await find_named(store, first.prefix) == (first,)
    assert await find_named(store, str(first.id)) == (other, first)
    assert await find_named(store, "cd") == ()
    assert await find_named(store, "9" * 30) == ()


async def test_a_token_is_revoked_once_and_for_good(store: Store, clock: FixedClock) -> None:
    made, shown = await issue(store, clock())
    for later in (5, 50):
        clock.advance(timedelta(seconds=later))
        async with store.write() as tx:
            await revoke_token(tx, made.id, source=ADA, now=clock())
        found = await find_token(store, digest_of(shown))
        assert found is not None
        assert found.revoked_at == made.created_at + timedelta(seconds=5)
    async with store.write() as tx:
        assert await revoke_token(tx, made.id + 1, source=ADA, now=clock()) is None


async def test_the_audit_is_told_who_made_and_who_revoked_a_token(store: Store, clock: FixedClock) -> None:
    made, shown = await issue(store, clock(), scopes=INGEST, services=("billing", "web-*"))
    for _ in range(2):
        async with store.write() as tx:
            await revoke_token(tx, made.id, source=ADA, now=clock())
    with pytest.raises(TokenDraftError):
        await issue(store, clock(), scopes=frozenset())
    told = (await list_audit(store, AuditFilter(), limit=9)).rows
    assert [(one.actor, one.via, one.action, one.object, one.detail) for one in told] == [
        ("ada", "session", "token.revoked", f"ci ({made.prefix})", ""),
        ("ada", "session", "token.created", f"ci ({made.prefix})", "ingest billing web-*"),
    ]
    assert shown[13:] not in str(told)


async def test_the_last_day_of_use_never_goes_back(store: Store, clock: FixedClock) -> None:
    made, shown = await issue(store, clock())
    day = clock().replace(hour=0)
    for noted in (day, day - timedelta(days=1)):
        await note_use(store, made.id, noted)
        found = await find_token(store, digest_of(shown))
        assert found is not None
        assert found.last_used_on == day


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_book_asks_the_database_once_in_a_while_and_sees_a_revocation_in_time(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds, looks = Seconds(), 0
    made, shown = await issue(store, clock())
    book, read = TokenBook(store, clock=clock, monotonic=seconds), store.read

    async def counting(statement: object) -> object:
        nonlocal looks
        looks += 1
        return await read(statement)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(store, "read", counting)
    for _ in range(20):
        assert (await book.check(shown)).name == "ci"
    assert looks == 1
    async with store.write() as tx:
        await revoke_token(tx, made.id, source=ADA, now=clock())
    seconds.now += MEMORY_SECONDS
    with pytest.raises(TokenRefusedError, match="revoked"):
        await book.check(shown)
    with pytest.raises(TokenRefusedError, match="revoked"):
        await book.check(shown)
    assert looks == 2


async def test_a_book_sees_the_end_of_a_token_that_it_remembers_at_once(
    store: Store, clock: FixedClock
) -> None:
    _, shown = await issue(store, clock(), expires_at=clock() + timedelta(seconds=1))
    book = TokenBook(store, clock=clock, monotonic=Seconds())
    await book.check(shown)
    clock.advance(timedelta(seconds=1))
    with pytest.raises(TokenRefusedError, match="expired"):
        await book.check(shown)


async def test_a_forged_and_a_mistyped_token_are_refused_in_words_of_their_own(
    store: Store, clock: FixedClock
) -> None:
    _, shown = await issue(store, clock())
    book = TokenBook(store, clock=clock)
    with pytest.raises(TokenRefusedError, match="no such token"):
        await book.check(make_token(draw))
    with pytest.raises(TokenRefusedError, match="no whole token"):
        await book.check(shown[:-1])


async def test_a_use_is_noted_once_a_day(store: Store, clock: FixedClock) -> None:
    seconds = Seconds()
    _, shown = await issue(store, clock())
    book = TokenBook(store, clock=clock, monotonic=seconds)
    for day in (23, 24):
        await book.check(shown)
        found = await find_token(store, digest_of(shown))
        assert found is not None
        assert found.last_used_on is not None
        assert found.last_used_on.day == day
        clock.advance(timedelta(days=1))
        seconds.now += MEMORY_SECONDS


async def test_without_the_database_nobody_is_taken_for_somebody(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, shown = await issue(store, clock())
    book = TokenBook(store, clock=clock)

    async def fail(_: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr(store, "read", fail)
    with pytest.raises(StoreUnavailableError):
        await book.check(shown)


async def test_a_book_forgets_the_oldest_where_somebody_makes_tokens_up(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.web.access.bearer.REMEMBERED_MAX", 3)
    book = TokenBook(store, clock=clock, monotonic=Seconds())
    shown = [(await issue(store, clock(), name=f"ci-{number}"))[1] for number in range(5)]
    for one in shown:
        await book.check(one)
    assert len(book._looks) == 3

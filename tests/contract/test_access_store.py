"""Accounts, sessions, links, waits and the audit, the same on both databases."""

import asyncio
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.audit import AUDIT_TEXT_MAX, AuditAction, AuditEntry
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.access.sign_in_wait import SignInSubject
from faultwire_consumer.store.access import accounts, sessions
from faultwire_consumer.store.access.audit import AuditFilter, AuditRow, list_audit, record_audit
from faultwire_consumer.store.access.failures import Attempt, SignInKey, begin_attempt, take_attempt_back
from faultwire_consumer.store.access.invitations import (
    SingleUse,
    TicketKind,
    drop_invitations,
    find_single_use,
    keep_single_use,
    take_single_use,
)
from faultwire_consumer.store.contract.paging import BadCursorError
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.access import sign_in_failures

HERE = SignInKey(SignInSubject.ADDRESS, "192.0.2.7")
ADA = SignInKey(SignInSubject.ACCOUNT, "ada")


async def add(store: Store, name: str, at: datetime, role: AccountRole = AccountRole.OPERATOR) -> int:
    async with store.write() as tx:
        added = await accounts.add_account(tx, accounts.NewAccount(name=name, role=role, at=at))
    assert added is not None
    return added


async def open_(store: Store, secret: str, account_id: int, now: datetime) -> None:
    async with store.write() as tx:
        await sessions.open_session(tx, secret, account_id=account_id, agent="Firefox", now=now)


async def attempt(store: Store, clock: FixedClock, *keys: SignInKey) -> Attempt:
    async with store.write() as tx:
        return await begin_attempt(tx, keys, now=clock())


async def test_a_name_is_given_once_and_so_is_a_provider_s_subject(store: Store, clock: FixedClock) -> None:
    given = accounts.NewAccount(
        name="ada", role=AccountRole.ADMIN, at=clock(), oidc_issuer="https://id", oidc_subject="1"
    )
    async with store.write() as tx:
        assert await accounts.add_account(tx, given) is not None
        assert await accounts.add_account(tx, given) is None
        same_name = accounts.NewAccount(name="ada", role=AccountRole.VIEWER, at=clock())
        assert await accounts.add_account(tx, same_name) is None
        other = accounts.NewAccount(
            name="bob", role=AccountRole.VIEWER, at=clock(), oidc_issuer="https://id", oidc_subject="1"
        )
        assert await accounts.add_account(tx, other) is None
        found = await accounts.lock_subject(tx, issuer="https://id", subject="1")
    assert found is not None
    assert (found.name, found.role, found.has_password) == ("ada", AccountRole.ADMIN, False)
    assert await accounts.find_account(store, "bob") is None
    assert [account.name for account in await accounts.list_accounts(store)] == ["ada"]


async def test_a_password_s_hash_is_read_by_name_alone_and_a_rehash_never_undoes_a_change(
    store: Store, clock: FixedClock
) -> None:
    ada = await add(store, "ada", clock())
    async with store.write() as tx:
        await accounts.set_password(tx, ada, "first")
        await accounts.rehash_password(tx, ada, before="first", after="first, again")
        await accounts.set_password(tx, ada, "second")
        await accounts.rehash_password(tx, ada, before="first, again", after="lost")
    found = await accounts.find_password(store, "ada")
    assert found is not None
    assert (found[0].has_password, found[1]) == (True, "second")
    assert await accounts.find_password(store, "nobody") is None


async def test_a_session_is_found_by_its_secret_until_it_is_closed(store: Store, clock: FixedClock) -> None:
    ada = await add(store, "ada", clock())
    await open_(store, "secret", ada, clock())
    later = clock.advance(timedelta(hours=1))
    async with store.write() as tx:
        await sessions.touch_session(tx, "secret", now=later)
    found = await sessions.find_session(store, "secret")
    assert found is not None
    assert (found.account.name, found.seen_at) == ("ada", later)
    assert found.expires_at - found.created_at == timedelta(days=30)
    assert await sessions.find_session(store, "Secret") is None
    async with store.write() as tx:
        assert await sessions.close_session(tx, "secret")
        assert not await sessions.close_session(tx, "secret")
        await sessions.touch_session(tx, "secret", now=later)
    assert await sessions.find_session(store, "secret") is None


@pytest.mark.parametrize("change", ["password", "role", "disabled", "enabled"])
async def test_sessions_end_with_whatever_they_stood_for(
    store: Store, clock: FixedClock, change: str
) -> None:
    ada, bob = await add(store, "ada", clock()), await add(store, "bob", clock())
    for secret, account_id in (("1", ada), ("2", ada), ("3", bob)):
        await open_(store, secret, account_id, clock())
    async with store.write() as tx:
        if change == "password":
            await accounts.set_password(tx, ada, "hash")
        elif change == "role":
            await accounts.set_role(tx, ada, AccountRole.VIEWER)
        else:
            await accounts.set_disabled(tx, ada, clock() if change == "disabled" else None)
    assert [await sessions.find_session(store, secret) is not None for secret in "123"] == [
        False,
        False,
        True,
    ]


async def test_whether_anybody_can_sign_in_is_known_and_who_could_as_admin(
    store: Store, clock: FixedClock
) -> None:
    assert not await accounts.has_accounts(store)
    ada = await add(store, "ada", clock(), AccountRole.ADMIN)
    bob = await add(store, "bob", clock(), AccountRole.ADMIN)
    async with store.write() as tx:
        assert await accounts.lock_admins(tx) == {ada, bob}
        await accounts.set_disabled(tx, ada, clock())
        assert await accounts.lock_admins(tx) == {bob}
        await accounts.set_disabled(tx, bob, clock())
    assert not await accounts.has_accounts(store)


def link(clock: FixedClock, name: str = "ada") -> SingleUse:
    return SingleUse(
        name=name,
        role=AccountRole.ADMIN,
        detail="{}",
        created_at=clock(),
        expires_at=clock() + timedelta(hours=24),
    )


async def keep(store: Store, clock: FixedClock, secret: str, name: str = "ada") -> None:
    async with store.write() as tx:
        await keep_single_use(tx, secret, TicketKind.INVITATION, link(clock, name))


async def take(store: Store, clock: FixedClock, secret: str) -> SingleUse | None:
    async with store.write() as tx:
        return await take_single_use(tx, secret, TicketKind.INVITATION, now=clock())


async def test_a_link_works_once_even_for_two_at_once(store: Store, clock: FixedClock) -> None:
    await keep(store, clock, "secret")
    assert await find_single_use(store, "secret", TicketKind.INVITATION, now=clock()) == link(clock)
    assert await find_single_use(store, "secret", TicketKind.PROVIDER, now=clock()) is None
    taken = await asyncio.gather(*(take(store, clock, "secret") for _ in range(4)))
    assert [one for one in taken if one is not None] == [link(clock)]
    assert await find_single_use(store, "secret", TicketKind.INVITATION, now=clock()) is None


async def test_a_link_ends_after_its_day_and_a_new_one_ends_those_before(
    store: Store, clock: FixedClock
) -> None:
    for secret, name in (("first", "ada"), ("second", "ada"), ("other", "bob")):
        async with store.write() as tx:
            await drop_invitations(tx, name)
        await keep(store, clock, secret, name)
    assert await take(store, clock, "first") is None
    clock.advance(timedelta(hours=23, minutes=59))
    assert await take(store, clock, "second") is not None
    clock.advance(timedelta(minutes=1))
    assert await take(store, clock, "other") is None


async def test_an_account_waits_after_wrong_passwords_and_no_other_does(
    store: Store, clock: FixedClock
) -> None:
    counts = [(await attempt(store, clock, HERE, ADA)).failures[SignInSubject.ACCOUNT] for _ in range(5)]
    assert counts == [1, 2, 3, 4, 5]
    refused = await attempt(store, clock, HERE, ADA)
    assert (refused.wait, refused.failures) == (timedelta(seconds=1), {})
    bob = SignInKey(SignInSubject.ACCOUNT, "bob")
    assert (await attempt(store, clock, HERE, bob)).failures[SignInSubject.ACCOUNT] == 1
    clock.advance(1)
    assert (await attempt(store, clock, HERE, ADA)).failures[SignInSubject.ACCOUNT] == 6
    assert (await attempt(store, clock, HERE, ADA)).wait == timedelta(seconds=2)


async def test_a_right_password_clears_its_account_and_not_the_address(
    store: Store, clock: FixedClock
) -> None:
    for _ in range(4):
        await attempt(store, clock, HERE, ADA)
    async with store.write() as tx:
        await take_attempt_back(tx, [HERE, ADA])
    again = await attempt(store, clock, HERE, ADA)
    assert again.failures == {SignInSubject.ADDRESS: 4, SignInSubject.ACCOUNT: 1}


async def test_of_attempts_at_once_no_more_go_on_than_one_after_another(
    store: Store, clock: FixedClock
) -> None:
    tried = await asyncio.gather(*(attempt(store, clock, ADA, HERE) for _ in range(12)))
    assert sum(not one.wait for one in tried) == SignInSubject.ACCOUNT.free + 1


async def test_an_address_that_waits_leaves_no_row_for_the_names_that_it_tries(
    store: Store, clock: FixedClock
) -> None:
    for number in range(60):
        await attempt(store, clock, HERE, SignInKey(SignInSubject.ACCOUNT, f"name-{number}"))
    ((rows,),) = await store.read(select(func.count()).select_from(sign_in_failures))
    assert rows == SignInSubject.ADDRESS.free + 1 + 1


def entry(clock: FixedClock, **fields: str) -> AuditEntry:
    known = {"actor": "ada", "object": "bob", "detail": "viewer to admin"} | fields
    return AuditEntry(
        at=clock.advance(1),
        via=Via.SESSION,
        action=AuditAction.ROLE_CHANGED,
        request_id="r1",
        address="192.0.2.7",
        **known,
    )


async def test_the_audit_is_listed_newest_first_page_by_page(store: Store, clock: FixedClock) -> None:
    async with store.write() as tx:
        for number in range(5):
            await record_audit(tx, entry(clock, object=f"user-{number}"))
    seen: list[AuditRow] = []
    cursor = None
    while True:
        page = await list_audit(store, AuditFilter(), limit=2, cursor=cursor)
        seen += page.rows
        cursor = page.next_cursor
        if cursor is None:
            break
    assert [row.object for row in seen] == [f"user-{number}" for number in (4, 3, 2, 1, 0)]
    assert (seen[0].via, seen[0].action, seen[0].address) == ("session", "account.role_changed", "192.0.2.7")
    only = await list_audit(store, AuditFilter(object=("user-3",), actor=("ada",)), limit=9)
    assert [row.object for row in only.rows] == ["user-3"]
    recent = await list_audit(store, AuditFilter(since=clock()), limit=9)
    assert [row.object for row in recent.rows] == ["user-4"]
    assert (await list_audit(store, AuditFilter(action=("token.created",)), limit=9)).rows == ()
    with pytest.raises(BadCursorError):
        await list_audit(store, AuditFilter(), limit=2, cursor="x")


async def test_an_entry_is_kept_only_with_what_it_tells_and_is_bounded(
    store: Store, clock: FixedClock
) -> None:
    async def fail() -> None:
        async with store.write() as tx:
            await record_audit(tx, entry(clock))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with store.write() as tx:
        await record_audit(tx, entry(clock, object="nul \x00 " + "x" * 10_000))
    (row,) = (await list_audit(store, AuditFilter(), limit=9)).rows
    assert len(row.object) == AUDIT_TEXT_MAX
    assert "\x00" not in row.object

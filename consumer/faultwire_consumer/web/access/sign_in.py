"""Signing in by a password, and setting one by a link: what the pages of that stand on."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.account_name import typed_name
from faultwire_consumer.domain.access.audit import AuditAction
from faultwire_consumer.domain.access.password import judge_password
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.access.sign_in_wait import SignInSubject, address_group, is_milestone
from faultwire_consumer.store.access.accounts import (
    NewAccount,
    StoredAccount,
    add_account,
    find_password,
    lock_account,
    lock_password,
    rehash_password,
    set_password,
)
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.access.failures import Attempt, SignInKey, begin_attempt, take_attempt_back
from faultwire_consumer.store.access.invitations import (
    SingleUse,
    TicketKind,
    find_single_use,
    take_single_use,
)
from faultwire_consumer.store.access.sessions import close_session, close_sessions, hash_secret, open_session
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.web.access.password import PasswordKeeper
from faultwire_consumer.web.access.refusal import (
    LinkUsedError,
    PasswordUnfitError,
    SignInWaitError,
    WrongPasswordError,
)
from faultwire_consumer.web.access.visitor import Visitor
from faultwire_shared.clock import Clock


class OpenedSession(Struct, frozen=True):
    """A session that was just opened: its secret goes to the browser and nowhere else."""

    account: str
    secret: str
    life: timedelta


class _Proof(Struct, frozen=True, kw_only=True):
    """A password that was right when it was looked at."""

    name: str
    keys: tuple[SignInKey, SignInKey]
    kept: str
    rehashed: str | None
    failures: int
    """Of this account in a row before."""

    async def confirm(self, tx: Transaction) -> int:
        """Return the account's id, locked; the attempt is taken back.

        Raises:
            WrongPasswordError: the password was changed, or the account disabled, while it was looked at.
        """
        standing, kept_now = await lock_password(tx, self.name) or (None, None)
        if standing is None or standing.disabled_at is not None or kept_now != self.kept:
            raise WrongPasswordError
        await take_attempt_back(tx, self.keys)
        return standing.id


class SignInDoor:
    """Lets people in by their passwords.

    Args:
        store: the primary.
        passwords: hashes them.
        clock: gives the time.
        draw: gives 256 random bits as text, each time others.
    """

    def __init__(
        self, store: Store, passwords: PasswordKeeper, *, clock: Clock, draw: Callable[[], str]
    ) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock
        self._draw = draw

    async def sign_in(self, name: str, password: str, visitor: Visitor) -> OpenedSession:
        """Open a session for whoever knows an account's password.

        Raises:
            WrongPasswordError: the name or the password is not right; nobody is told which.
            SignInWaitError: too many were not right before; this one was not looked at.
            WorkerBusyError: too many are being looked at.
        """
        name = typed_name(name)
        proof = await self._prove(name, password, visitor)
        async with self._store.write() as tx:
            account_id = await proof.confirm(tx)
            if proof.rehashed is not None:
                await rehash_password(tx, account_id, before=proof.kept, after=proof.rehashed)
            told = f"after {proof.failures} that failed" if proof.failures else ""
            return await self._open(tx, account_id, name, visitor, detail=told)

    async def change_password(self, name: str, before: str, after: str, visitor: Visitor) -> OpenedSession:
        """Set another password for whoever knows the one before; all other browsers are signed out.

        Raises:
            PasswordUnfitError: the new one is not taken.
            WrongPasswordError: the one before is not right.
            SignInWaitError: too many were not right before; this one was not looked at.
            WorkerBusyError: too many are being looked at.
        """
        refusal = judge_password(after, name=name)
        if refusal is not None:
            raise PasswordUnfitError(refusal)
        proof = await self._prove(name, before, visitor)
        password_hash = await self._passwords.hash(after)
        async with self._store.write() as tx:
            account_id, now = await proof.confirm(tx), self._clock()
            await set_password(tx, account_id, password_hash)
            source = visitor.source(name, Via.SESSION)
            told = "by the one before"
            await record_audit(tx, source.entry(AuditAction.PASSWORD_SET, name, at=now, detail=told))
            return await self._open(tx, account_id, name, visitor, detail="with another password")

    async def _prove(self, name: str, password: str, visitor: Visitor) -> _Proof:
        """Look at a password; the attempt is counted before, and stays counted until it is confirmed."""
        keys = _keys_of(name, visitor)
        async with self._store.write() as tx:
            attempt = await begin_attempt(tx, keys, now=self._clock())
        if attempt.wait:
            raise SignInWaitError(attempt.wait)
        account, kept = await find_password(self._store, name) or (None, None)
        may_sign_in = account is not None and account.disabled_at is None
        match = await self._passwords.check(password, kept if may_sign_in else None)
        if not match.is_right or kept is None:
            await self._tell_failure(attempt, account, visitor)
            raise WrongPasswordError
        failures = attempt.failures.get(SignInSubject.ACCOUNT, 1) - 1
        return _Proof(name=name, keys=keys, kept=kept, rehashed=match.rehashed, failures=failures)

    async def find_link(self, secret: str) -> SingleUse:
        """Return what a link is for, without using it up: programs that look at links open them too.

        Raises:
            LinkUsedError: it was used, is over, or never was one.
        """
        link = await find_single_use(self._store, secret, TicketKind.INVITATION, now=self._clock())
        if link is None:
            raise LinkUsedError
        return link

    async def set_password(self, secret: str, password: str, visitor: Visitor) -> OpenedSession:
        """Use a link up: set the password of its account, which is made if it is new, and sign it in.

        Raises:
            LinkUsedError: it was used, is over, or never was one.
            PasswordUnfitError: the password is not taken; the link can still be used.
            WorkerBusyError: too many are being hashed.
        """
        link = await self.find_link(secret)
        refusal = judge_password(password, name=link.name)
        if refusal is not None:
            raise PasswordUnfitError(refusal)
        password_hash = await self._passwords.hash(password)
        async with self._store.write() as tx:
            now = self._clock()
            taken = await take_single_use(tx, secret, TicketKind.INVITATION, now=now)
            if taken is None:
                raise LinkUsedError
            account_id = await _account_for(tx, taken, password_hash, now=now)
            await take_attempt_back(tx, [SignInKey(SignInSubject.ACCOUNT, taken.name)])
            source = visitor.source(taken.name, Via.SESSION)
            await record_audit(tx, source.entry(AuditAction.PASSWORD_SET, taken.name, at=now))
            return await self._open(tx, account_id, taken.name, visitor, detail="by a link")

    async def sign_out_of(
        self, account_id: int, name: str, visitor: Visitor, *, handle: str = "", but: str | None = None
    ) -> int:
        """End one session of an account by its handle, or without one all but that of a secret."""
        if handle:
            try:
                ending = {"handle": bytes.fromhex(handle)}
            except ValueError:
                return 0
        else:
            ending = {"but": hash_secret(but or "")}
        async with self._store.write() as tx:
            ended = await close_sessions(tx, account_id, **ending)
            if ended:
                source = visitor.source(name, Via.SESSION)
                told = f"{ended} of other browsers"
                entry = source.entry(AuditAction.SIGNED_OUT, name, at=self._clock(), detail=told)
                await record_audit(tx, entry)
        return ended

    async def sign_out(self, secret: str, name: str, visitor: Visitor) -> None:
        """End one session."""
        async with self._store.write() as tx:
            if await close_session(tx, secret):
                source = visitor.source(name, Via.SESSION)
                await record_audit(tx, source.entry(AuditAction.SIGNED_OUT, name, at=self._clock()))

    async def _open(
        self, tx: Transaction, account_id: int, name: str, visitor: Visitor, *, detail: str
    ) -> OpenedSession:
        return await open_for(
            tx, account_id, name, visitor, now=self._clock(), secret=self._draw(), detail=detail
        )

    async def _tell_failure(self, attempt: Attempt, account: StoredAccount | None, visitor: Visitor) -> None:
        """Tell the audit of the first, tenth, hundredth failure: of an account, else of an address."""
        of_account = attempt.failures.get(SignInSubject.ACCOUNT, 0)
        of_address = attempt.failures.get(SignInSubject.ADDRESS, 0)
        if account is not None and is_milestone(of_account):
            named, told = account.name, f"{of_account} of this account in a row"
        elif is_milestone(of_address):
            named = account.name if account is not None else "unknown"
            told = f"{of_address} from this address in a row"
        else:
            return
        async with self._store.write() as tx:
            source = visitor.source("nobody", Via.NOBODY)
            entry = source.entry(AuditAction.SIGN_IN_FAILED, named, at=self._clock(), detail=told)
            await record_audit(tx, entry)


SIGN_IN: Final = web.AppKey("sign_in", SignInDoor)
"""There where people sign in here; not where the door is open, or a proxy knows them."""


async def open_for(
    tx: Transaction,
    account_id: int,
    name: str,
    visitor: Visitor,
    *,
    now: datetime,
    secret: str,
    detail: str = "",
) -> OpenedSession:
    """Open a session of an account, and tell the audit."""
    ends_at = await open_session(tx, secret, account_id=account_id, agent=visitor.agent, now=now)
    source = visitor.source(name, Via.SESSION)
    await record_audit(tx, source.entry(AuditAction.SIGNED_IN, name, at=now, detail=detail))
    return OpenedSession(name, secret, ends_at - now)


async def _account_for(tx: Transaction, link: SingleUse, password_hash: str, *, now: datetime) -> int:
    """Return the id of the account that a link is for, with its new password."""
    account = await lock_account(tx, link.name)
    if account is None:
        role = link.role or AccountRole.VIEWER
        added = await add_account(
            tx, NewAccount(name=link.name, role=role, at=now, password_hash=password_hash)
        )
        if added is None:
            raise LinkUsedError  # another link for the name was used at the same moment
        return added
    if account.disabled_at is not None or account.oidc_subject is not None:
        raise LinkUsedError
    await set_password(tx, account.id, password_hash)
    return account.id


def _keys_of(name: str, visitor: Visitor) -> tuple[SignInKey, SignInKey]:
    address = SignInKey(SignInSubject.ADDRESS, address_group(visitor.address))
    return address, SignInKey(SignInSubject.ACCOUNT, name)

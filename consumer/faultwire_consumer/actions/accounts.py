"""Acts on accounts: the one entry for the command line and the API. Each is told to the audit."""

from datetime import datetime

from faultwire_consumer.domain.access.account_name import NAME_RULE, is_account_name, is_foreign_name
from faultwire_consumer.domain.access.audit import AuditAction, AuditSource
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.access.session_lifetime import INVITATION_LIFE
from faultwire_consumer.store.access.accounts import (
    NewAccount,
    StoredAccount,
    add_account,
    end_sessions,
    lock_account,
    lock_admins,
    set_disabled,
    set_role,
)
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.access.invitations import (
    SingleUse,
    TicketKind,
    drop_invitations,
    keep_single_use,
)
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_shared.taxonomy import ConflictError, FieldError, NotFoundError, ValidationError


class AccountNotFoundError(NotFoundError):
    """No account has that name."""

    code = "ACCOUNT_NOT_FOUND"


class AccountConflictError(ConflictError):
    """The account is not in a state for that."""

    code = "ACCOUNT_CONFLICT"


async def invite_account(
    store: Store, name: str, role: AccountRole | None, *, secret: str, source: AuditSource, now: datetime
) -> SingleUse:
    """Keep a link that sets a password: a new account's first, or another one of an account that stands.

    Args:
        store: the store of accounts.
        name: the account's.
        role: of a new account. An account that stands keeps its own, and none has to be given.
        secret: what the link holds: 256 random bits.
        source: who invites.
        now: the time.

    Raises:
        ValidationError: the name cannot be one, or a new account has no role.
        AccountConflictError: the account is disabled, signs in elsewhere, or has another role.
    """
    if not is_account_name(name):
        raise ValidationError(errors=[FieldError("name", NAME_RULE, name[:100])])
    async with store.write() as tx:
        account = await lock_account(tx, name)
        link = SingleUse(
            name=name,
            role=_role_of(account, role, name),
            detail="",
            created_at=now,
            expires_at=now + INVITATION_LIFE,
        )
        await drop_invitations(tx, name)
        await keep_single_use(tx, secret, TicketKind.INVITATION, link)
        told = f"as {link.role}" if account is None else "to set another password"
        await record_audit(tx, source.entry(AuditAction.INVITED, name, at=now, detail=told))
    return link


def _role_of(account: StoredAccount | None, role: AccountRole | None, name: str) -> AccountRole:
    if account is None:
        if role is None:
            known = ", ".join(AccountRole)
            raise ValidationError(errors=[FieldError("role", f"{name} is new: give a role of {known}")])
        return role
    if account.disabled_at is not None:
        raise AccountConflictError(f"{name} is disabled; enable it first")
    if account.oidc_subject is not None:
        raise AccountConflictError(f"{name} signs in at {account.oidc_issuer} and has no password here")
    if role not in (None, account.role):
        raise AccountConflictError(
            f"{name} is {account.role} and stays so; `faultwire access role {name} {role}` changes that"
        )
    return account.role


async def change_role(
    store: Store,
    name: str,
    role: AccountRole,
    *,
    source: AuditSource,
    now: datetime,
    spares_last_admin: bool = True,
) -> None:
    """Give an account another role, which ends its sessions; asking for the one that it has does nothing.

    Raises:
        AccountNotFoundError: there is none of that name.
        AccountConflictError: it is the last admin that can sign in.
    """
    async with store.write() as tx:
        account = await _load(tx, name)
        if account.role is role:
            return
        if spares_last_admin and role is not AccountRole.ADMIN:
            await _check_admins(tx, account)
        await set_role(tx, account.id, role)
        told = f"{account.role} to {role}"
        await record_audit(tx, source.entry(AuditAction.ROLE_CHANGED, name, at=now, detail=told))


async def add_without_password(
    store: Store, name: str, role: AccountRole, *, source: AuditSource, now: datetime
) -> bool:
    """Make an account for somebody whom a proxy knows; return False if it stands already, as it is.

    Raises:
        ValidationError: the name cannot be one.
    """
    if not is_foreign_name(name):
        raise ValidationError(errors=[FieldError("name", NAME_RULE, name[:100])])
    async with store.write() as tx:
        if await add_account(tx, NewAccount(name=name, role=role, at=now)) is None:
            return False
        entry = source.entry(
            AuditAction.ACCOUNT_CREATED, name, at=now, detail=f"as {role}, without a password"
        )
        await record_audit(tx, entry)
    return True


async def disable_account(
    store: Store, name: str, *, source: AuditSource, now: datetime, spares_last_admin: bool = True
) -> None:
    """Let an account sign in no more, and end its sessions and links at once; it stays in every history.

    Raises:
        AccountNotFoundError: there is none of that name.
        AccountConflictError: it is the last admin that can sign in.
    """
    async with store.write() as tx:
        account = await _load(tx, name)
        if account.disabled_at is not None:
            return
        if spares_last_admin:
            await _check_admins(tx, account)
        await set_disabled(tx, account.id, now)
        await drop_invitations(tx, name)
        await record_audit(tx, source.entry(AuditAction.DISABLED, name, at=now))


async def enable_account(store: Store, name: str, *, source: AuditSource, now: datetime) -> None:
    """Let a disabled account sign in again, with the password that it had.

    Raises:
        AccountNotFoundError: there is none of that name.
    """
    async with store.write() as tx:
        account = await _load(tx, name)
        if account.disabled_at is None:
            return
        await set_disabled(tx, account.id, None)
        await record_audit(tx, source.entry(AuditAction.ENABLED, name, at=now))


async def sign_out_everywhere(store: Store, name: str, *, source: AuditSource, now: datetime) -> int:
    """End every session of an account, in all browsers and at all workers; return how many there were.

    Raises:
        AccountNotFoundError: there is none of that name.
    """
    async with store.write() as tx:
        account = await _load(tx, name)
        ended = await end_sessions(tx, account.id)
        if ended:
            told = f"everywhere, {ended} of them"
            await record_audit(tx, source.entry(AuditAction.SIGNED_OUT, name, at=now, detail=told))
    return ended


async def _load(tx: Transaction, name: str) -> StoredAccount:
    account = await lock_account(tx, name)
    if account is None:
        raise AccountNotFoundError(f"there is no account {name[:100]}; `faultwire access accounts` shows all")
    return account


async def _check_admins(tx: Transaction, account: StoredAccount) -> None:
    """Keep the last admin: over the network, nobody could make another one."""
    if await lock_admins(tx) == {account.id}:
        raise AccountConflictError(
            f"{account.name} is the last admin that can sign in; make another one first, or use the command "
            "line where the database is"
        )

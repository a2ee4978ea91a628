"""Accounts of people whom a provider knows: made at their first sign-in, with the role of their groups."""

from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.access.account_name import name_for_subject
from faultwire_consumer.domain.access.audit import AuditAction
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.access.accounts import (
    NewAccount,
    StoredAccount,
    add_account,
    lock_account,
    lock_subject,
    set_role,
)
from faultwire_consumer.store.access.audit import record_audit
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.web.access.refusal import ProviderRefusedError
from faultwire_consumer.web.access.visitor import Visitor


class ProviderPerson(Struct, frozen=True, kw_only=True):
    """Somebody whom a provider knows."""

    issuer: str
    subject: str
    wished: str
    """The name that the provider gives, which says nothing of who it is."""
    role: AccountRole


async def account_for(
    tx: Transaction, person: ProviderPerson, account: StoredAccount | None, visitor: Visitor, *, now: datetime
) -> StoredAccount:
    """Return somebody's account, made if there is none, with the role that their groups have today.

    Raises:
        ProviderRefusedError: every name for it is somebody else's.
    """
    if account is None:
        account = await _add(tx, person, now=now)
        action, told = AuditAction.ACCOUNT_CREATED, f"as {person.role}, by a group at the provider"
    elif account.role is not person.role:
        await set_role(tx, account.id, person.role)
        action = AuditAction.ROLE_CHANGED
        told = f"{account.role} to {person.role}, by a group at the provider"
    else:
        return account
    source = visitor.source(account.name, Via.SESSION)
    await record_audit(tx, source.entry(action, account.name, at=now, detail=told))
    return account


async def _add(tx: Transaction, person: ProviderPerson, *, now: datetime) -> StoredAccount:
    for is_taken in (False, True):
        name = name_for_subject(
            person.wished, issuer=person.issuer, subject=person.subject, is_taken=is_taken
        )
        if await lock_account(tx, name) is None:
            new = NewAccount(
                name=name, role=person.role, at=now, oidc_issuer=person.issuer, oidc_subject=person.subject
            )
            await add_account(tx, new)
            break
    account = await lock_subject(tx, issuer=person.issuer, subject=person.subject)
    if account is None:
        raise ProviderRefusedError("somebody else has your name here; ask an admin")
    return account

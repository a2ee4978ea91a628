"""View models of accounts, tokens and the audit: pure functions of what the store gave."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope, AccountRole
from faultwire_consumer.store.access.accounts import StoredAccount
from faultwire_consumer.store.access.sessions import OpenSession

ACCOUNTS_SHOWN: Final = 200

SCOPE_WORDS: Final[Mapping[AccessScope, str]] = {
    AccessScope.INGEST: "events and reports of the services that it names",
    AccessScope.READ: "incidents, events and everything about them",
    AccessScope.ACT: "on incidents and dead letters",
    AccessScope.METRICS: "at /metrics",
    AccessScope.ADMIN: "accounts, tokens and the audit",
}
ROLE_WORDS: Final[Mapping[AccountRole, str]] = {
    AccountRole.VIEWER: "reads, and asks for metrics",
    AccountRole.OPERATOR: "acts too",
    AccountRole.ADMIN: "looks after accounts and tokens too",
}
VIA_WORDS: Final[Mapping[Via, str]] = {
    Via.OPEN: "nobody signs in here",
    Via.TOKEN: "by a token",
    Via.SESSION: "signed in with this browser",
    Via.PROXY: "by the proxy in front",
}


class ShownAccount(Struct, frozen=True, kw_only=True):
    """An account in the list, and what can be done to it."""

    account: StoredAccount
    signs_in: str
    is_self: bool
    may_get_link: bool


class AccountsView(Struct, frozen=True, kw_only=True):
    """The accounts that are shown, and how many are not."""

    rows: tuple[ShownAccount, ...]
    total: int
    more: int


class ShownSession(Struct, frozen=True, kw_only=True):
    """A session of one's own."""

    session: OpenSession
    browser: str
    is_this: bool


def accounts_view(
    accounts: Sequence[StoredAccount], *, named: str, actor: str, signs_in: bool
) -> AccountsView:
    """Arrange the accounts whose names have a text in them.

    Args:
        accounts: all of them, by name.
        named: the text; empty for every account.
        actor: who looks.
        signs_in: people sign in at this worker, so that links are of use.
    """
    wanted = named.strip().lower()
    found = [account for account in accounts if wanted in account.name.lower()]
    rows = tuple(
        ShownAccount(
            account=account,
            signs_in=_way_of(account, signs_in=signs_in),
            is_self=account.name == actor,
            may_get_link=signs_in and account.disabled_at is None and account.oidc_subject is None,
        )
        for account in found[:ACCOUNTS_SHOWN]
    )
    return AccountsView(rows=rows, total=len(accounts), more=len(found) - len(rows))


def _way_of(account: StoredAccount, *, signs_in: bool) -> str:
    if account.has_password:
        return "by a password"
    if account.oidc_issuer is not None:
        return f"at {account.oidc_issuer}"
    return "without a password yet" if signs_in else "by a proxy"


def sessions_view(sessions: Sequence[OpenSession], *, this: str) -> tuple[ShownSession, ...]:
    """Arrange one's own sessions, the one that asks first."""
    shown = [
        ShownSession(session=one, browser=one.agent or "a browser without a name", is_this=one.handle == this)
        for one in sessions
    ]
    return tuple(sorted(shown, key=lambda one: not one.is_this))


def split_services(text: str) -> tuple[str, ...]:
    """Return the patterns of services that somebody typed, between blanks or commas."""
    return tuple(text.replace(",", " ").split())

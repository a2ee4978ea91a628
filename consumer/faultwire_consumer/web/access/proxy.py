"""People whom a proxy knows: by a header of its own, which nobody else can be allowed to send."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.account_name import is_foreign_name
from faultwire_consumer.domain.access.group_roles import role_by_groups, split_groups
from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.setting.proxy import IpNetwork
from faultwire_consumer.store.access.accounts import StoredAccount, find_account
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.own_page import check_own_page
from faultwire_consumer.web.access.refusal import DoubledHeaderError, ProxyRefusedError
from faultwire_consumer.web.access.visitor import is_within, peer_of

SECRET_HEADER: Final = "X-Faultwire-Proxy-Secret"  # noqa: S105 - a header's name


class RolePolicy(Struct, frozen=True, kw_only=True):
    """The ways by which somebody whom a proxy or provider names has a role here."""

    by_groups: Mapping[AccountRole, Collection[str]]
    default: AccountRole | None

    def role_of(self, account: StoredAccount | None, groups: Collection[str]) -> AccountRole | None:
        """Return the role: by a group first, then the account's own, then the default; None for nobody."""
        own = account.role if account is not None else self.default
        return role_by_groups(groups, self.by_groups) or own


class TrustedProxy(Struct, frozen=True, kw_only=True):
    """A proxy that is believed, and by what."""

    user_header: str
    groups_header: str | None
    networks: Sequence[IpNetwork]
    secret: str | None
    """Shown by the proxy with each request; on one machine, nothing else tells it from others."""


class ProxyRecogniser:
    """Recognises whom the proxy names.

    Args:
        store: the primary, with the accounts that have a role of their own or are disabled.
        proxy: which one is believed.
        roles: what its people may.
    """

    def __init__(self, store: Store, proxy: TrustedProxy, roles: RolePolicy) -> None:
        self._store = store
        self._proxy = proxy
        self._roles = roles

    async def __call__(self, request: web.Request) -> Principal | None:
        """Return the person; None for a request without the header.

        Raises:
            DoubledHeaderError: a header came twice: a client's beside the proxy's.
            ProxyRefusedError: the proxy did not send it, or names nobody who may come in.
            ForeignPageError: the request changes something, and no page of the worker's asked for it.
        """
        name = single_header(request, self._proxy.user_header)
        groups = single_header(request, self._proxy.groups_header) if self._proxy.groups_header else None
        secret = single_header(request, SECRET_HEADER)
        if name is None:
            return None
        self._check_sender(request, secret)
        return await recognise_named(
            request, self._store, self._roles, name=name, groups=split_groups(groups or "")
        )

    def _check_sender(self, request: web.Request, secret: str | None) -> None:
        peer, wanted = peer_of(request), self._proxy.secret
        if not is_within(peer, self._proxy.networks):
            raise ProxyRefusedError(f"{self._proxy.user_header} is the proxy's, and did not come from it")
        if wanted is None:
            if _is_loopback(peer):
                raise ProxyRefusedError("on this machine the proxy shows a secret; set proxy_secret_file")
            return
        shown = (secret or "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, wanted.encode()):
            raise ProxyRefusedError(f"the proxy's secret in {SECRET_HEADER} is missing or not the right one")


async def recognise_named(
    request: web.Request, store: Store, roles: RolePolicy, *, name: str, groups: Collection[str]
) -> Principal:
    """Return the person of a name that was proved.

    Raises:
        ProxyRefusedError: the name is none, its account is disabled, or nothing gives it a role.
        ForeignPageError: the request changes something, and no page of the worker's asked for it.
    """
    if not is_foreign_name(name):
        raise ProxyRefusedError("the proxy names somebody by what can be no name here")
    account = await find_account(store, name)
    if account is not None and account.disabled_at is not None:
        raise ProxyRefusedError(f"the account {name} is disabled")
    role = roles.role_of(account, groups)
    if role is None:
        raise ProxyRefusedError(f"{name} has no role here: no group of theirs has one, and no account stands")
    check_own_page(request)
    return Principal(
        actor=name,
        via=Via.PROXY,
        scopes=role.scopes,
        subject_id=account.id if account is not None else None,
    )


def single_header(request: web.Request, name: str) -> str | None:
    """Return a header's value without the blanks around it; None without the header.

    Raises:
        DoubledHeaderError: it came more than once.
    """
    values = request.headers.getall(name, [])
    if len(values) > 1:
        raise DoubledHeaderError(name)
    return values[0].strip() if values else None


def _is_loopback(peer: str) -> bool:
    try:
        return ip_address(peer.partition("%")[0]).is_loopback
    except ValueError:
        return False

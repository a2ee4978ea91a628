"""Signing in at a provider by OpenID Connect: authorization code, PKCE, state and nonce.

Somebody is known by the issuer and its subject, and never by a name or an address, which others may get.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

import msgspec
from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.claims import (
    CLAIM_CHARACTERS_MAX,
    ExpectedClaims,
    groups_claim,
    judge_claims,
    text_claim,
)
from faultwire_consumer.domain.access.group_roles import role_by_groups
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.access.session_lifetime import PROVIDER_LIFE
from faultwire_consumer.domain.setting.address import check_tls
from faultwire_consumer.serving.refusal import WorkerBusyError
from faultwire_consumer.store.access.accounts import end_sessions, lock_subject
from faultwire_consumer.store.access.invitations import (
    SingleUse,
    TicketKind,
    count_single_use,
    keep_single_use,
    take_single_use,
)
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.json_fetch import ProviderUnreachableError, fetch_json
from faultwire_consumer.web.access.oidc_account import ProviderPerson, account_for
from faultwire_consumer.web.access.refusal import ProviderRefusedError, SignatureRefusedError
from faultwire_consumer.web.access.sign_in import OpenedSession, open_for
from faultwire_consumer.web.access.signature import Fetch, SignedReader
from faultwire_consumer.web.access.visitor import Visitor
from faultwire_shared.clock import Clock

UNDER_WAY_MAX: Final = 5_000
"""Sign-ins at the provider that are under way at once: whoever begins them needs no account."""
DISCOVERY_SECONDS: Final = 3600.0
CALLBACK_PATH: Final = "/sign-in/provider/callback"
_METHODS: Final = "token_endpoint_auth_methods_supported"
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class ProviderPlan(Struct, frozen=True, kw_only=True):
    """The provider, and what its people may do here."""

    issuer: str
    client_id: str
    client_secret: str | None
    redirect_uri: str
    scopes: str
    groups_claim: str
    roles: Mapping[AccountRole, Collection[str]]


class _UnderWay(Struct, frozen=True, kw_only=True):
    """The secrets that a sign-in under way has to come back with."""

    nonce: str
    verifier: str
    browser: str
    """sha256 of the cookie of the browser that began it: nobody else may end it."""
    following: str


class StartedSignIn(Struct, frozen=True):
    """A sign-in that begins: where the browser goes, and what it keeps until it is back."""

    location: str
    browser: str


class ProviderDoor:
    """Lets people in whom a provider knows.

    Args:
        store: the primary.
        plan: names the provider.
        clock: gives the time.
        draw: gives 256 random bits as text, each time others.
        keys: makes a reader of what the provider signs, of the way to its keys.
        monotonic: seconds by which what the provider said of itself ages.
    """

    def __init__(
        self,
        store: Store,
        plan: ProviderPlan,
        *,
        clock: Clock,
        draw: Callable[[], str],
        keys: Callable[[Fetch], SignedReader],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._plan = plan
        self._clock = clock
        self._draw = draw
        self._monotonic = monotonic
        self._found: tuple[float, Mapping[str, Any]] | None = None
        self._keys = keys(self._fetch_keys)

    async def start(self, following: str) -> StartedSignIn:
        """Begin a sign-in.

        Raises:
            ProviderUnreachableError: the provider does not say where people sign in.
            WorkerBusyError: too many are under way.
        """
        provider = await self._discover()
        state, nonce, verifier, browser = (self._draw() for _ in range(4))
        kept = _UnderWay(nonce=nonce, verifier=verifier, browser=_digest(browser), following=following)
        now = self._clock()
        async with self._store.write() as tx:
            if await count_single_use(tx, TicketKind.PROVIDER, now=now) >= UNDER_WAY_MAX:
                raise WorkerBusyError("too many sign-ins are under way")
            ticket = SingleUse(
                name="",
                role=None,
                detail=msgspec.json.encode(kept).decode(),
                created_at=now,
                expires_at=now + PROVIDER_LIFE,
            )
            await keep_single_use(tx, state, TicketKind.PROVIDER, ticket)
        query = {
            "response_type": "code",
            "client_id": self._plan.client_id,
            "redirect_uri": self._plan.redirect_uri,
            "scope": self._plan.scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        address = provider["authorization_endpoint"]
        return StartedSignIn(f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", browser)

    async def finish(
        self, answer: Mapping[str, str], browser: str | None, visitor: Visitor
    ) -> tuple[OpenedSession, str]:
        """End a sign-in; return the session and the path that was asked for.

        Args:
            answer: the parameters with which the provider sent the browser back, each given once.
            browser: the secret that the browser kept since the beginning.
            visitor: the browser.

        Raises:
            ProviderRefusedError: the provider let nobody in, or it is not the sign-in that began.
            SignatureRefusedError: the ID token is not the provider's, or not for this sign-in.
            ProviderUnreachableError: the provider does not answer.
        """
        under_way = await self._take(answer.get("state", ""), browser)
        if answer.get("iss", self._plan.issuer) != self._plan.issuer:
            raise ProviderRefusedError("another provider answered than the one that was asked")
        if "error" in answer or "code" not in answer:
            raise ProviderRefusedError(f"the provider let nobody in: {answer.get('error', 'no code')[:100]}")
        claims = await self._exchange(answer["code"], under_way)
        return await self._let_in(claims, visitor), under_way.following

    async def _take(self, state: str, browser: str | None) -> _UnderWay:
        """Use the state up, whatever becomes of it: shown again, it is nothing."""
        async with self._store.write() as tx:
            ticket = await take_single_use(tx, state, TicketKind.PROVIDER, now=self._clock())
        under_way = msgspec.json.decode(ticket.detail, type=_UnderWay) if ticket is not None else None
        if under_way is None or not hmac.compare_digest(_digest(browser or ""), under_way.browser):
            raise ProviderRefusedError("this sign-in did not begin in this browser, or long ago; begin again")
        return under_way

    async def _exchange(self, code: str, under_way: _UnderWay) -> Mapping[str, Any]:
        provider = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._plan.redirect_uri,
            "client_id": self._plan.client_id,
            "code_verifier": under_way.verifier,
        }
        headers = {}
        if self._plan.client_secret is not None:
            if "client_secret_basic" in provider[_METHODS]:
                headers["Authorization"] = _basic(self._plan.client_id, self._plan.client_secret)
            else:
                form["client_secret"] = self._plan.client_secret
        given = await fetch_json(provider["token_endpoint"], form=form, headers=headers)
        text = given.get("id_token")
        claims = await self._keys.read(text if isinstance(text, str) else "")
        expected = ExpectedClaims(
            issuer=self._plan.issuer, audience=self._plan.client_id, nonce=under_way.nonce
        )
        refusal = judge_claims(claims, expected, now=self._clock())
        if refusal is not None:
            raise SignatureRefusedError(refusal)
        return claims

    async def _let_in(self, claims: Mapping[str, Any], visitor: Visitor) -> OpenedSession:
        subject, issuer, now = text_claim(claims, "sub"), self._plan.issuer, self._clock()
        if subject is None:
            most = CLAIM_CHARACTERS_MAX
            raise ProviderRefusedError(f"the provider names nobody: no sub of 1 to {most} characters")
        role = role_by_groups(groups_claim(claims, self._plan.groups_claim), self._plan.roles)
        async with self._store.write() as tx:
            account = await lock_subject(tx, issuer=issuer, subject=subject)
            if role is None and account is not None:
                await end_sessions(tx, account.id)
            if role is not None and (account is None or account.disabled_at is None):
                wished = text_claim(claims, "preferred_username") or text_claim(claims, "email") or ""
                person = ProviderPerson(issuer=issuer, subject=subject, wished=wished, role=role)
                account = await account_for(tx, person, account, visitor, now=now)
                secret, told = self._draw(), "at the provider"
                return await open_for(
                    tx, account.id, account.name, visitor, now=now, secret=secret, detail=told
                )
        if role is None:
            raise ProviderRefusedError("none of your groups at the provider has a role here; ask an admin")
        raise ProviderRefusedError("your account here is disabled; ask an admin")

    async def _discover(self) -> Mapping[str, Any]:
        """Return what the provider says of itself, an hour old at most."""
        now = self._monotonic()
        if self._found is None or now - self._found[0] >= DISCOVERY_SECONDS:
            self._found = (
                now,
                _checked(
                    await fetch_json(f"{self._plan.issuer.rstrip('/')}/.well-known/openid-configuration"),
                    issuer=self._plan.issuer,
                ),
            )
        return self._found[1]

    async def _fetch_keys(self) -> Mapping[str, Any]:
        return await fetch_json((await self._discover())["jwks_uri"])


PROVIDER: Final = web.AppKey("provider", ProviderDoor)
"""There where people may sign in at a provider."""


def _checked(document: Mapping[str, Any], *, issuer: str) -> Mapping[str, Any]:
    if document.get("issuer") != issuer:
        raise ProviderUnreachableError(
            "the provider calls itself by another issuer than oidc_issuer says; letter by letter they are one"
        )
    for name in _ENDPOINTS:
        address = document.get(name)
        try:
            check_tls(address if isinstance(address, str) else "")
        except ValueError as error:
            raise ProviderUnreachableError(f"the provider's {name}: {error}") from None
    methods = document.get(_METHODS)
    return {**document, _METHODS: methods if isinstance(methods, list) else ["client_secret_basic"]}


def _basic(user: str, password: str) -> str:
    pair = f"{quote_plus(user)}:{quote_plus(password)}"  # RFC 6749, 2.3.1
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()

"""People whom a proxy knows, by what it signed with each request."""

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.claims import ExpectedClaims, groups_claim, judge_claims, text_claim
from faultwire_consumer.domain.access.principal import Principal
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.proxy import RolePolicy, recognise_named, single_header
from faultwire_consumer.web.access.refusal import SignatureRefusedError
from faultwire_consumer.web.access.signature import SignedReader
from faultwire_shared.clock import Clock


class SigningProxy(Struct, frozen=True, kw_only=True):
    """A proxy that signs whom it names."""

    header: str
    expected: ExpectedClaims
    user_claim: str
    groups_claim: str


class SignedRecogniser:
    """Recognises whom the proxy names by its signature; it may stand anywhere.

    Args:
        store: the primary, with the accounts that have a role of their own or are disabled.
        proxy: says by which header, and for whom it signs.
        keys: its public keys.
        roles: what its people may.
        clock: tells what has expired.
    """

    def __init__(
        self, store: Store, proxy: SigningProxy, keys: SignedReader, roles: RolePolicy, *, clock: Clock
    ) -> None:
        self._store = store
        self._proxy = proxy
        self._keys = keys
        self._roles = roles
        self._clock = clock

    async def __call__(self, request: web.Request) -> Principal | None:
        """Return the person; None for a request without the header.

        Raises:
            DoubledHeaderError: it came twice.
            SignatureRefusedError: the proxy did not sign it, or not for this worker and now.
            ProxyRefusedError: it names nobody who may come in.
            ForeignPageError: the request changes something, and no page of the worker's asked for it.
            ProviderUnreachableError: the proxy's keys cannot be asked for.
        """
        text = single_header(request, self._proxy.header)
        if text is None:
            return None
        claims = await self._keys.read(text)
        refusal = judge_claims(claims, self._proxy.expected, now=self._clock())
        if refusal is not None:
            raise SignatureRefusedError(refusal)
        return await recognise_named(
            request,
            self._store,
            self._roles,
            name=text_claim(claims, self._proxy.user_claim) or "",
            groups=groups_claim(claims, self._proxy.groups_claim),
        )

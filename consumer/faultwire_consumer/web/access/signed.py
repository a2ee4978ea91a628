"""Reading of tokens that a provider or a proxy signed, by its public keys."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from faultwire_consumer.web.access.refusal import SignatureRefusedError
from faultwire_consumer.web.access.signature import Fetch

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Those with a public key. By ``none`` anybody signs, and by HS256 whoever knows the public key."""
_KEY_TYPES: Final[Mapping[str, type[RSAKey | ECKey | OKPKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
TOKEN_CHARACTERS_MAX: Final = 16 * 1024
KEYS_MAX: Final = 50
KEPT_SECONDS: Final = 3600.0
AGAIN_SECONDS: Final = 60.0
"""Keys are not asked for again before this, however many tokens name one that is not known."""


class PublicKeys:
    """The public keys of a signer, asked for once an hour, and when a new one is named.

    Args:
        fetch: asks for the document that has them, a JWKS.
        monotonic: seconds by which they age.
    """

    def __init__(self, fetch: Fetch, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys = KeySet([])
        self._asked_at: float | None = None
        self._asking = asyncio.Lock()

    async def read(self, text: str) -> dict[str, Any]:
        """Return the claims of a token that one of the keys signed.

        Raises:
            SignatureRefusedError: none did.
            ProviderUnreachableError: the keys cannot be asked for.
        """
        if len(text) > TOKEN_CHARACTERS_MAX or not text.isascii():
            raise SignatureRefusedError("it is too long, or no token")
        try:
            header = jws.extract_compact(text.encode()).headers()
        except (JoseError, ValueError, TypeError, RecursionError):
            raise SignatureRefusedError("it is no token") from None
        if header.get("alg") not in ALGORITHMS:
            raise SignatureRefusedError("it is not signed by a way that is taken")
        keys = await self._keys_for(header.get("kid"))
        try:
            return jwt.decode(text, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise SignatureRefusedError("no key of the signer's fits") from None

    async def _keys_for(self, kid: object) -> KeySet:
        async with self._asking:
            if self._is_due(kid):
                self._asked_at = self._monotonic()
                self._keys = _read_keys(await self._fetch())
            return self._keys

    def _is_due(self, kid: object) -> bool:
        if self._asked_at is None:
            return True
        age = self._monotonic() - self._asked_at
        is_known = any(key.kid == kid for key in self._keys) if kid is not None else bool(self._keys)
        return age >= (KEPT_SECONDS if is_known else AGAIN_SECONDS)


def _read_keys(document: Mapping[str, Any]) -> KeySet:
    """Return the keys that sign; of others, or of kinds that are not known here, there may be any number."""
    listed = document.get("keys")
    keys: list[Any] = []
    for data in listed[:KEYS_MAX] if isinstance(listed, list) else ():
        if not isinstance(data, dict) or data.get("use", "sig") != "sig":
            continue
        kind = _KEY_TYPES.get(str(data.get("kty")))
        if kind is None:
            continue
        try:
            keys.append(kind.import_key({name: value for name, value in data.items() if name != "d"}))
        except (JoseError, ValueError, TypeError, KeyError):
            continue
    return KeySet(keys)

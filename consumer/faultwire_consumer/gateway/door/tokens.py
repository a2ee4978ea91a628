"""Tokens of programs, also while the database that knows them is away or silent."""

import asyncio
import hashlib
from typing import Final

from faultwire_consumer.domain.access.token import AccessToken, find_fault
from faultwire_consumer.gateway.door.supplies import CheckToken
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_shared.clock import Clock
from faultwire_shared.taxonomy import AuthenticationError

PATIENCE_SECONDS: Final = 0.5
"""Of a request, for the database: the whole answer has a second and a half."""
REMEMBERED_MAX: Final = 2_000


class PatientTokens:
    """Remembers each token that was valid, for the time in which nobody can say that it still is.

    Args:
        check: asks, and remembers for a moment.
        clock: tells what has expired.
        patience: seconds that a request waits.
    """

    def __init__(self, check: CheckToken, *, clock: Clock, patience: float = PATIENCE_SECONDS) -> None:
        self._check = check
        self._clock = clock
        self._patience = patience
        self._valid: dict[bytes, AccessToken] = {}

    async def check(self, text: str) -> AccessToken:
        """Return the token that a program shows.

        Raises:
            AuthenticationError: it is none, or holds no longer.
            StoreUnavailableError: the database does not answer, and the token was never seen.
        """
        digest = hashlib.sha256(text.encode(errors="replace")).digest()
        asking = asyncio.ensure_future(self._check(text))
        asking.add_done_callback(_heard)
        try:
            async with asyncio.timeout(self._patience):
                token = await asyncio.shield(asking)
        except AuthenticationError:
            self._valid.pop(digest, None)
            raise
        except (TimeoutError, StoreUnavailableError):
            return self._recall(digest)
        self._remember(digest, token)
        return token

    def _recall(self, digest: bytes) -> AccessToken:
        token = self._valid.get(digest)
        if token is None or find_fault(token, self._clock()) is not None:
            raise StoreUnavailableError("the database does not answer, and this token was not seen before")
        return token

    def _remember(self, digest: bytes, token: AccessToken) -> None:
        self._valid.pop(digest, None)
        while len(self._valid) >= REMEMBERED_MAX:
            del self._valid[next(iter(self._valid))]
        self._valid[digest] = token


def _heard(asking: "asyncio.Future[AccessToken]") -> None:
    if not asking.cancelled():
        asking.exception()  # of one that nobody waited for any longer

"""Programs that show a token: ``Authorization: Bearer fwt_…``, and nowhere else."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aiohttp import hdrs, web
from msgspec import Struct

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.token import (
    TOKEN_PREFIX,
    AccessToken,
    TokenFault,
    digest_of,
    find_fault,
    is_whole,
)
from faultwire_consumer.store.access.tokens import find_token, note_use
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.web.access.refusal import DoubledHeaderError, TokenRefusedError
from faultwire_shared.clock import Clock

MEMORY_SECONDS: Final = 5.0
"""For so long at most a revoked token still gets in: it is not looked for again before."""
REMEMBERED_MAX: Final = 2_000
LOOKS_MAX: Final = 4
"""Connections that looking for tokens may take at once: whoever makes them up must not hold up the rest."""
_SAID: Final = {
    TokenFault.MISTYPED: "this is no whole token: cut off or mistyped, for its check digits do not fit",
    TokenFault.UNKNOWN: "there is no such token here",
    TokenFault.EXPIRED: "this token has expired; make another one by `faultwire access token create`",
    TokenFault.REVOKED: "this token was revoked",
}


class _TokenLook(Struct, frozen=True):
    """The answer to a look into the database, and when it was asked; monotonic seconds."""

    token: AccessToken | None
    asked_at: float


class TokenBook:
    """Looks tokens up, and remembers for a moment what it found: an intake must not ask for each request.

    Args:
        store: the primary; a replica may not know yet what was revoked.
        clock: tells what has expired; that is judged at each request.
        monotonic: seconds by which it forgets.
    """

    def __init__(
        self, store: Store, *, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._looks: dict[bytes, _TokenLook] = {}
        self._turn = asyncio.Semaphore(LOOKS_MAX)

    async def check(self, text: str) -> AccessToken:
        """Return the token that a program shows.

        Raises:
            TokenRefusedError: it is none, or holds no longer.
            StoreUnavailableError: the database has to be asked and does not answer.
        """
        if not is_whole(text):
            raise TokenRefusedError(_SAID[TokenFault.MISTYPED])
        token, now = await self._find(digest_of(text)), self._clock()
        fault = TokenFault.UNKNOWN if token is None else find_fault(token, now)
        if token is None or fault is not None:
            raise TokenRefusedError(_SAID[fault or TokenFault.UNKNOWN])
        return token

    async def _find(self, digest: bytes) -> AccessToken | None:
        look = self._recall(digest)
        if look is None:
            async with self._turn:
                look = self._recall(digest) or await self._look(digest)
        return look.token

    def _recall(self, digest: bytes) -> _TokenLook | None:
        look = self._looks.get(digest)
        return look if look is not None and self._monotonic() - look.asked_at < MEMORY_SECONDS else None

    async def _look(self, digest: bytes) -> _TokenLook:
        asked_at = self._monotonic()  # before the answer: what is revoked while it comes is seen in time
        token = await find_token(self._store, digest)
        if token is not None:
            await self._note(token, self._clock())
        self._looks.pop(digest, None)
        while len(self._looks) >= REMEMBERED_MAX:
            del self._looks[next(iter(self._looks))]
        look = self._looks[digest] = _TokenLook(token, asked_at)
        return look

    async def _note(self, token: AccessToken, now: datetime) -> None:
        """Keep the day on which it is used; nobody waits or fails for that."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        if find_fault(token, now) is None and (token.last_used_on is None or token.last_used_on < day):
            try:
                await note_use(self._store, token.id, day)
            except StoreUnavailableError:
                return


class BearerRecogniser:
    """Recognises a program by its token."""

    def __init__(self, book: TokenBook) -> None:
        self._book = book

    async def __call__(self, request: web.Request) -> Principal | None:
        """Return the program whose token the request shows; None where it shows none of ours.

        Raises:
            DoubledHeaderError: it shows two.
            TokenRefusedError: the token is none, or holds no longer.
        """
        shown = request.headers.getall(hdrs.AUTHORIZATION, ())
        if len(shown) > 1:
            raise DoubledHeaderError(hdrs.AUTHORIZATION)
        scheme, _, text = shown[0].partition(" ") if shown else ("", "", "")
        text = text.strip()
        if scheme.lower() != "bearer" or not text.startswith(TOKEN_PREFIX):
            return None  # nobody's, or a proxy's own
        token = await self._book.check(text)
        return Principal(
            actor=f"token:{token.name}",
            via=Via.TOKEN,
            scopes=token.scopes,
            services=token.services,
            subject_id=token.id,
        )

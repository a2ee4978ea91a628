"""Hashing of passwords: slow on purpose, so in threads, a few at a time."""

import asyncio
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from msgspec import Struct

from faultwire_consumer.domain.access.password import PASSWORD_CHARACTERS_MAX
from faultwire_consumer.serving.refusal import WorkerBusyError

AT_ONCE: Final = 2
WAITING_MAX: Final = 32
"""More than this many wait a second and longer; they are told to come again."""
# OWASP's small profile: 19 MiB each, for the library's 64 MiB times many sign-ins end a small worker.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

_NOBODY: Final = "nobody's"
"""Stands for the hash of no account's password, which is made at the first use."""


class PasswordMatch(Struct, frozen=True):
    """The result of looking at a password."""

    is_right: bool
    rehashed: str | None = None
    """The same password by today's parameters, where it was kept by others."""


class PasswordKeeper:
    """Hashes passwords and looks at them; for a name without one it takes as long."""

    def __init__(self, hasher: PasswordHasher = _HASHER) -> None:
        self._hasher = hasher
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return what is stored of a password.

        Raises:
            WorkerBusyError: too many are being hashed.
        """
        return (await self._in_turn(password, None)).rehashed or ""

    async def check(self, password: str, kept: str | None) -> PasswordMatch:
        """Return whether a password is the one that was kept; without one it never is.

        Raises:
            WorkerBusyError: too many are being looked at.
        """
        is_typed = len(password) <= PASSWORD_CHARACTERS_MAX
        match = await self._in_turn(password[:PASSWORD_CHARACTERS_MAX], kept or _NOBODY)
        return match if is_typed and kept is not None else PasswordMatch(is_right=False)

    async def _in_turn(self, password: str, kept: str | None) -> PasswordMatch:
        if self._waiting >= WAITING_MAX:
            raise WorkerBusyError("too many sign-ins at once")
        self._waiting += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._waiting -= 1
            raise
        looking = asyncio.ensure_future(asyncio.to_thread(_look, self._hasher, password, kept))
        looking.add_done_callback(self._end_turn)
        # Shielded: the thread goes on when its caller hangs up, and has its turn until its end.
        return await asyncio.shield(looking)

    def _end_turn(self, _: asyncio.Future[PasswordMatch]) -> None:
        self._waiting -= 1
        self._turn.release()


def _look(hasher: PasswordHasher, password: str, kept: str | None) -> PasswordMatch:
    secret = password.encode("utf-8", "surrogatepass")
    if kept == _NOBODY:
        kept = _dummy(hasher)
    if kept is None:
        return PasswordMatch(is_right=True, rehashed=hasher.hash(secret))
    try:
        hasher.verify(kept, secret)
    except (VerificationError, InvalidHashError):
        return PasswordMatch(is_right=False)
    return PasswordMatch(
        is_right=True, rehashed=hasher.hash(secret) if hasher.check_needs_rehash(kept) else None
    )


@cache
def _dummy(hasher: PasswordHasher) -> str:
    """Return a hash of nobody's password."""
    return hasher.hash(b"nobody")

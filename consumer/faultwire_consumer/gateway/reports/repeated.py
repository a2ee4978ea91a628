"""Requests that were sent again: what they say was lost counts once. Pure."""

import hashlib
from typing import Final

REMEMBER_SECONDS: Final = 600.0
REMEMBERED: Final = 10_000


class RepeatMemory:
    """Remembers the digests of bodies for some minutes, in bounded memory.

    A client report has no id. SDKs that try again after a connection was reset send the same bytes; two
    reports that differ at all differ in their timestamp.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, float] = {}

    def is_repeated(self, service: str, body: bytes, now: float) -> bool:
        """Return True if a body of this service came before; monotonic seconds say when."""
        if not body:
            return False
        while self._seen and self._is_over(now):
            del self._seen[next(iter(self._seen))]
        digest = hashlib.blake2b(body, digest_size=16, key=service.encode(errors="replace")[:64]).digest()
        if digest in self._seen:
            return True
        self._seen[digest] = now
        return False

    def _is_over(self, now: float) -> bool:
        oldest = next(iter(self._seen.values()))
        return now - oldest >= REMEMBER_SECONDS or len(self._seen) >= REMEMBERED

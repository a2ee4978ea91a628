"""The key by which an event's user is counted, and the hash that is kept of it."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from faultwire_shared.scrub.value import SCRUBBED

HASH_BYTES: Final = 8
"""Two of a million users share a hash once in 37 million stores; far below the sketch's own error."""
_KEYS: Final = ("id", "email", "username", "ip", "ip_address")
_CHARACTERS: Final = 200


def user_key(user: Mapping[str, Any]) -> str | None:
    """Return the key of an event's user: its id, else its email, name or address; None without any."""
    for name in _KEYS:
        value = user.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            text = str(value)[:_CHARACTERS].strip()
            if text and text != SCRUBBED:
                return text
    return None


def hash_user(key: str) -> bytes:
    """Return what is stored of a user's key: it tells users apart, and names nobody."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=HASH_BYTES).digest()

"""DSNs: addresses with a public key, by which SDKs made for Sentry report; and the keys in them.

``{scheme}://{public key}@{host}[:{port}][/{prefix}]/{project}``, as Sentry's developer documentation has
it. A public key stands in web pages, so it keeps nothing secret: it says whose events come.
"""

import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

_FORM: Final = re.compile("[0-9a-z]{1,64}")
_SERVICE: Final = re.compile("[a-z][a-z0-9_]{1,62}")
_MADE: Final = re.compile("[0-9a-f]{16,}")
_KEY_DIGITS: Final = 32
_RAW_CHARACTERS_MAX: Final = 128
"""Of a key as it is sent, with its hyphens."""
PROJECT_MAX: Final = 10**18 - 1
"""Sentry's own have 16 digits."""
KEYS_MAX: Final = 1_000
"""Of keys that hold at a time: every gateway knows all of them."""


class DsnKey(Struct, frozen=True, kw_only=True):
    """The key of a DSN that holds, and whom it stands for."""

    public_key: str
    """In its normal form."""
    project: int
    service: str
    """Of all events that are sent with it."""
    token_id: int
    token_name: str
    allowed_origins: tuple[str, ...] = ()
    """Patterns of the pages that may send with it; none: all. Only browsers say what page they show."""


class KeyRefusal(StrEnum):
    """The reason why what an SDK shows is no key to send with."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    OTHER_PROJECT = "other_project"
    """It holds, but not for the project in the address."""


class KeptKey(Struct, frozen=True, kw_only=True):
    """A key as it is kept, which holds or no longer does."""

    key: DsnKey
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_on: datetime | None = None


def normal_key(text: str) -> str | None:
    """Return a key as it is compared: in small letters, without hyphens, as GlitchTip's UUIDs have them.

    None where it is no key: of 1 to 64 ASCII letters and digits.
    """
    if len(text) > _RAW_CHARACTERS_MAX:
        return None
    key = text.lower().replace("-", "")
    return key if _FORM.fullmatch(key) else None


def service_in_key(key: str) -> str | None:
    """Return the service that a key names where nobody has made any: the key itself, as in ``shop``.

    None where it looks like one that was made, and whoever sends it is rather to be told that it is unknown.
    """
    is_name = _SERVICE.fullmatch(key) is not None and _MADE.fullmatch(key) is None
    return key if is_name else None


def make_key(draw: Callable[[int], int]) -> str:
    """Make a key of 32 hex digits, the form that old SDKs and tools look for.

    Args:
        draw: gives a number below the given one by chance.
    """
    return f"{draw(16**_KEY_DIGITS):0{_KEY_DIGITS}x}"


def dsn_of(public_url: str, key: str, project: int) -> str:
    """Return the DSN that an SDK is given.

    Args:
        public_url: where the SDKs reach the gateway; a path in it is kept, and goes before the project.
        key: the public key.
        project: its number.
    """
    url = urlsplit(public_url)
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{key}@{host}{url.path.rstrip('/')}/{project}"


def judge_key(kept: KeptKey, project: int | None, now: datetime) -> DsnKey | KeyRefusal:
    """Return the key if it holds now, for this project; None for one that the address does not name."""
    if kept.revoked_at is not None:
        return KeyRefusal.REVOKED
    if kept.expires_at is not None and kept.expires_at <= now:
        return KeyRefusal.EXPIRED
    if project is not None and project != kept.key.project:
        return KeyRefusal.OTHER_PROJECT
    return kept.key

"""Tokens: what programs show, how one is made and told from a mistyped one, and when it holds no longer."""

import hashlib
import re
import string
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope

TOKEN_PREFIX: Final = "fwt_"  # noqa: S105 - by which scanners of secrets find one
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID_DIGITS: Final = 8
_SECRET_DIGITS: Final = 43
"""256 bits."""
_CHECK_DIGITS: Final = 6
_PREFIX_CHARACTERS: Final = len(TOKEN_PREFIX) + _ID_DIGITS
_FORM: Final = re.compile(
    rf"{TOKEN_PREFIX}[0-9A-Za-z]{{{_ID_DIGITS}}}_[0-9A-Za-z]{{{_SECRET_DIGITS + _CHECK_DIGITS}}}"
)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
SERVICES_MAX: Final = 50
PATTERN_CHARACTERS: Final = 200
LONGEST: Final = timedelta(days=3650)


class TokenDraft(Struct, frozen=True, kw_only=True):
    """A token as it is asked for."""

    name: str
    scopes: frozenset[AccessScope]
    services: tuple[str, ...] = ()
    expires_at: datetime | None = None
    """None for never."""


class AccessToken(Struct, frozen=True, kw_only=True):
    """A token as the store knows it, which is without what a program shows."""

    id: int
    name: str
    prefix: str
    """What lists show: it names the token, and nobody gets in by it."""
    scopes: frozenset[AccessScope]
    services: tuple[str, ...]
    """Patterns of the services whose events it may bring; none: of every service."""
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_on: datetime | None
    revoked_at: datetime | None
    public_key: str | None = None
    """Of a DSN, which has no secret; None of every other token."""
    project: int | None = None
    origins: tuple[str, ...] = ()
    """Of a DSN: patterns of the pages that may send by it; none: all."""


class DraftFault(Struct, frozen=True):
    """The field of a draft that cannot be, and what to write."""

    field: str
    message: str


class TokenFault(StrEnum):
    """The reason why a token does not hold."""

    MISTYPED = "mistyped"
    """It is not whole: its check digits do not fit."""
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"


def make_token(draw: Callable[[int], int]) -> str:
    """Make a token.

    Args:
        draw: gives a number below the given one by chance that nobody can foresee.
    """
    drawn = "".join(_DIGITS[draw(len(_DIGITS))] for _ in range(_ID_DIGITS + _SECRET_DIGITS))
    body = f"{TOKEN_PREFIX}{drawn[:_ID_DIGITS]}_{drawn[_ID_DIGITS:]}"
    return body + _check_digits(body)


def is_whole(text: str) -> bool:
    """Return True if the text has a token's form and its check digits fit: any one wrong character shows."""
    return _FORM.fullmatch(text) is not None and _check_digits(text[:-_CHECK_DIGITS]) == text[-_CHECK_DIGITS:]


def prefix_of(token: str) -> str:
    """Return the part of a token that lists show."""
    return token[:_PREFIX_CHARACTERS]


def digest_of(token: str) -> bytes:
    """Return what is stored in place of a token: with 256 bits of chance in it, nothing slower is needed."""
    return hashlib.sha256(token.encode()).digest()


def find_fault(token: AccessToken, now: datetime) -> TokenFault | None:
    """Return why a token does not hold now; None while it does."""
    if token.revoked_at is not None:
        return TokenFault.REVOKED
    if token.expires_at is not None and token.expires_at <= now:
        return TokenFault.EXPIRED
    return None


def may_speak_for(patterns: Sequence[str], service: str) -> bool:
    """Return True if one of the patterns names the service, or if there is none."""
    return not patterns or any(fnmatchcase(service, pattern) for pattern in patterns)


def find_draft_fault(draft: TokenDraft, now: datetime) -> DraftFault | None:
    """Return why no token can be made of a draft, and what to write; None if one can."""
    if (fault := find_name_fault(draft.name)) is not None:
        return fault
    if not draft.scopes:
        return DraftFault("scopes", f"a token may do something: give it a scope, of {', '.join(AccessScope)}")
    if (fault := find_end_fault(draft.expires_at, now)) is not None:
        return fault
    why = _services_refused(draft)
    return None if why is None else DraftFault("services", why)


def find_name_fault(name: str) -> DraftFault | None:
    """Return why a token cannot have this name, and what to write; None if it can."""
    if _NAME.fullmatch(name):
        return None
    return DraftFault(
        "name", "a token's name is 1 to 63 letters, digits, dots, dashes and underscores, as in billing-ci"
    )


def find_end_fault(expires_at: datetime | None, now: datetime) -> DraftFault | None:
    """Return why a token cannot end then, and what to write; None if it can."""
    if expires_at is None or now < expires_at <= now + LONGEST:
        return None
    return DraftFault("expires_at", f"a token ends later than now, in {LONGEST.days} days at most, or never")


def _services_refused(draft: TokenDraft) -> str | None:
    if AccessScope.INGEST in draft.scopes and not draft.services:
        return "whose events may it bring? Name services by patterns, as in billing or web-*, or * for all"
    if draft.services and AccessScope.INGEST not in draft.scopes:
        return "services are for the scope ingest, which this token has not"
    if len(draft.services) > SERVICES_MAX or not all(map(_is_pattern, draft.services)):
        return f"{SERVICES_MAX} services at most, each of 1 to {PATTERN_CHARACTERS} printable characters"
    return None


def _is_pattern(text: str) -> bool:
    return 1 <= len(text) <= PATTERN_CHARACTERS and text.isprintable() and bool(text.strip())


def _check_digits(body: str) -> str:
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECK_DIGITS):
        rest, digit = divmod(rest, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits

"""Claims that a provider or proxy signed: whether they are for this worker, now, and for this sign-in."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.access.group_roles import GROUPS_MAX

LEEWAY: Final = timedelta(minutes=1)
"""By which two machines' clocks may differ."""
CLAIM_CHARACTERS_MAX: Final = 255
"""What OpenID Connect allows a subject."""

_FAR_SECONDS: Final = 1e12


class ClaimsRefusal(StrEnum):
    """The reason why claims are not taken."""

    ISSUER = "they are another issuer's"
    AUDIENCE = "they are for somebody else"
    EXPIRED = "they have expired, or do not say when"
    NOT_YET = "they are not valid yet; compare the clocks"
    NONCE = "they belong to another sign-in"


class ExpectedClaims(Struct, frozen=True, kw_only=True):
    """The contents that claims must have."""

    issuer: str
    audience: str
    nonce: str | None = None
    """Of the sign-in that they answer; None where they answer none."""


def judge_claims(
    claims: Mapping[str, Any], expected: ExpectedClaims, *, now: datetime
) -> ClaimsRefusal | None:
    """Return why claims are not taken, or None if they are; their signature was checked before.

    As OpenID Connect Core 3.1.3.7 has it: of several audiences, the authorized party has to be this one.
    """
    if claims.get("iss") != expected.issuer:
        return ClaimsRefusal.ISSUER
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp", expected.audience if len(audiences) == 1 else None)
    if expected.audience not in audiences or party != expected.audience:
        return ClaimsRefusal.AUDIENCE
    ends, begins, issued = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    at = now.timestamp()
    if ends is None or at >= ends + LEEWAY.total_seconds():
        return ClaimsRefusal.EXPIRED
    if any(moment is not None and moment > at + LEEWAY.total_seconds() for moment in (begins, issued)):
        return ClaimsRefusal.NOT_YET
    if expected.nonce is not None and claims.get("nonce") != expected.nonce:
        return ClaimsRefusal.NONCE
    return None


def text_claim(claims: Mapping[str, Any], name: str) -> str | None:
    """Return a claim that is a text of a possible length; None for anything else."""
    value = claims.get(name)
    is_text = isinstance(value, str) and 0 < len(value) <= CLAIM_CHARACTERS_MAX and "\x00" not in value
    return value if is_text else None


def groups_claim(claims: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a claim that is one group or a list of them; what is no text in it counts for nothing."""
    value = claims.get(name)
    listed = value if isinstance(value, list) else [value]
    if len(listed) > GROUPS_MAX:
        return ()
    return tuple(group for group in listed if isinstance(group, str))


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    """Return a time in seconds; one that is no number, or none that a clock can show, is none."""
    value = claims.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _FAR_SECONDS:
        return None
    return value

"""Growing waits after wrong passwords, by account and by address.

An attempt is counted before its password is looked at, and taken back when it was right: else as many
could be tried at once as connections can be opened.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address
from typing import Final

from msgspec import Struct

FORGOTTEN_AFTER: Final = timedelta(days=1)
"""Without another failure; it is also how long the rows are kept."""
_COUNT_MAX: Final = 1_000_000
_EXPONENT_MAX: Final = 20
_IPV6_HOST_BITS: Final = 64


class SignInSubject(StrEnum):
    """The kind of thing that attempts are counted for."""

    ACCOUNT = "account"
    ADDRESS = "address"

    @property
    def free(self) -> int:
        """Return how many failures cost no wait: an office may share an address."""
        return 4 if self is SignInSubject.ACCOUNT else 20

    @property
    def longest(self) -> timedelta:
        """Return the longest wait: whoever knows an account's name must not lock it for hours."""
        return timedelta(minutes=5) if self is SignInSubject.ACCOUNT else timedelta(minutes=15)


class SignInCount(Struct, frozen=True):
    """The attempts of one account or address that were not right."""

    failures: int
    last_at: datetime
    until: datetime
    """No password is looked at before."""


def wait_after(subject: SignInSubject, failures: int) -> timedelta:
    """Return the wait after so many failures: none at first, then doubled with each, up to a bound."""
    beyond = failures - subject.free
    if beyond <= 0:
        return timedelta()
    return min(timedelta(seconds=2 ** min(beyond - 1, _EXPONENT_MAX)), subject.longest)


def remaining_wait(known: SignInCount | None, *, now: datetime) -> timedelta:
    """Return how long no password is looked at; nothing where none has to be waited for."""
    return max(known.until - now, timedelta()) if known is not None else timedelta()


def count_attempt(subject: SignInSubject, known: SignInCount | None, *, now: datetime) -> SignInCount:
    """Return the count with one attempt more, as if it had failed; old ones are forgotten."""
    is_old = known is None or now - known.last_at >= FORGOTTEN_AFTER
    failures = 1 if is_old or known is None else min(known.failures + 1, _COUNT_MAX)
    return SignInCount(failures, now, now + wait_after(subject, failures))


def is_milestone(failures: int) -> bool:
    """Return whether the audit tells of that many failures: at 1, 10, 100 and so on, not of each."""
    return failures > 0 and failures == 10 ** (len(str(failures)) - 1)


def address_group(address: str) -> str:
    """Return what addresses of one owner have in common: an IPv6 host has a whole network to itself."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        network = int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS
        return f"{IPv6Address(network)}/{128 - _IPV6_HOST_BITS}"
    return str(parsed)

"""Scopes and roles: what may be allowed, and what a person's role allows."""

from enum import StrEnum
from typing import Final


class AccessScope(StrEnum):
    """One thing that a person or a program may be allowed to do."""

    INGEST = "ingest"
    """Post events and reports of the services that a token names."""
    READ = "read"
    """Read incidents, events and everything about them."""
    ACT = "act"
    """Change incidents and dead letters."""
    METRICS = "metrics"
    """Read ``/metrics``."""
    ADMIN = "admin"
    """Look after accounts and tokens, and read the audit."""


class AccountRole(StrEnum):
    """The place of an account in the whole installation; there are no teams."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[AccessScope]:
        """Return what an account of this role may do."""
        return _SCOPES[self]


_SCOPES: Final = {
    AccountRole.VIEWER: frozenset({AccessScope.READ, AccessScope.METRICS}),
    AccountRole.OPERATOR: frozenset({AccessScope.READ, AccessScope.METRICS, AccessScope.ACT}),
    AccountRole.ADMIN: frozenset({AccessScope.READ, AccessScope.METRICS, AccessScope.ACT, AccessScope.ADMIN}),
}
ALL_SCOPES: Final = frozenset(AccessScope)

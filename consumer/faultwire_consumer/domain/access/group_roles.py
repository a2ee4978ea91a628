"""Roles by the groups that a proxy or a provider says somebody is in."""

from collections.abc import Collection, Mapping
from typing import Final

from faultwire_consumer.domain.access.scope import AccountRole

GROUPS_MAX: Final = 1_000
"""More than this many are not read: a header or claim that long is not somebody's."""
_HIGHEST_FIRST: Final = (AccountRole.ADMIN, AccountRole.OPERATOR, AccountRole.VIEWER)


def role_by_groups(
    groups: Collection[str], roles: Mapping[AccountRole, Collection[str]]
) -> AccountRole | None:
    """Return the highest role that one of the groups has; None where none has any.

    Groups are compared letter by letter: "SRE" is not "sre".
    """
    if len(groups) > GROUPS_MAX:
        return None
    for role in _HIGHEST_FIRST:
        if not set(groups).isdisjoint(roles.get(role, ())):
            return role
    return None


def split_groups(header: str) -> tuple[str, ...]:
    """Return the groups of a header, which are separated by commas."""
    return tuple(group.strip() for group in header.split(",") if group.strip())

"""A principal: a person or program that asks, how the worker knows, and what it may do."""

from enum import StrEnum

from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope


class Via(StrEnum):
    """The way by which somebody was recognised, as the audit keeps it."""

    OPEN = "open"
    """Nobody signs in here: ``access = "open"``."""
    TOKEN = "token"  # noqa: S105 - a word, not one
    SESSION = "session"
    PROXY = "proxy"
    COMMAND = "command"
    """A command that has the database: whoever runs it could as well write there."""
    NOBODY = "nobody"
    """Nobody was recognised: a sign-in that failed."""


class Principal(Struct, frozen=True, kw_only=True):
    """A person or program that asks."""

    actor: str
    """The name that histories keep: an account's name, ``token:<name>``, or what an open door was told."""
    via: Via
    scopes: frozenset[AccessScope]
    services: tuple[str, ...] = ()
    """Patterns of the services that a token may post events of; none: of every service."""
    subject_id: int | None = None
    """The id of the account or of the token."""

    def may(self, scope: AccessScope) -> bool:
        """Return whether it may do that."""
        return scope in self.scopes

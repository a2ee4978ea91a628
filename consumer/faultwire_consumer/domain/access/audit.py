"""Entries of the audit: who did what to what, by which way in."""

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.access.principal import Via

AUDIT_DAYS: Final = 400
AUDIT_TEXT_MAX: Final = 500


class AuditAction(StrEnum):
    """A kind of act that the audit keeps, in the form noun.past_verb."""

    SIGNED_IN = "session.opened"
    SIGNED_OUT = "session.closed"
    SIGN_IN_FAILED = "session.refused"
    """Of failures there is an entry at the first, the tenth, the hundredth and so on."""
    INVITED = "account.invited"
    PASSWORD_SET = "account.password_set"  # noqa: S105 - a word, not one
    ACCOUNT_CREATED = "account.created"
    ROLE_CHANGED = "account.role_changed"
    DISABLED = "account.disabled"
    ENABLED = "account.enabled"
    TOKEN_CREATED = "token.created"  # noqa: S105 - as above
    TOKEN_REVOKED = "token.revoked"  # noqa: S105 - as above
    ACTED = "act.done"
    """Any other change; the entry's object says of what, its detail which."""
    STARTED = "worker.started"


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One act."""

    at: datetime
    actor: str
    """The name that histories keep: an account's, ``token:<name>``, or who ran a command."""
    via: Via
    action: AuditAction
    object: str
    """The account, token or incident that it was done to, by its name."""
    detail: str = ""
    request_id: str | None = None
    address: str | None = None


class AuditSource(Struct, frozen=True, kw_only=True):
    """Somebody who acts, and the way by which that came in."""

    actor: str
    via: Via
    request_id: str | None = None
    address: str | None = None

    def entry(self, action: AuditAction, object_: str, *, at: datetime, detail: str = "") -> AuditEntry:
        """Return the entry of one act of theirs."""
        return AuditEntry(
            at=at,
            actor=self.actor,
            via=self.via,
            action=action,
            object=object_,
            detail=detail,
            request_id=self.request_id,
            address=self.address,
        )

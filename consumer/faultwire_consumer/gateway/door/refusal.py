"""Refusals of whole requests, with the words and the status that their senders are told."""

from typing import Final

from faultwire_consumer.domain.access.dsn import KeyRefusal

BUSY_SECONDS: Final = 1
"""For a sender that is told to come again: exporters that are told more drop their batch at once."""
FULL_SECONDS: Final = 10
"""For an SDK to send no errors while there is nowhere to keep them."""


class RefusedRequestError(Exception):
    """A request is answered with less than 200 and something.

    Args:
        status: of the answer.
        detail: told to the sender, with no secret in it.
        reason: a word for what is counted.
        causes: what exactly is wrong, where more than one thing may be.
        key_start: what the door's observer is told of a key that is wrong; None where no key is.
        retry_after_seconds: told to the sender, where sending again may help.
        allowed: the methods that the address takes, where it was another.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        reason: str,
        causes: tuple[str, ...] = (),
        key_start: str | None = None,
        retry_after_seconds: int | None = None,
        allowed: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.reason = reason
        self.causes = causes
        self.key_start = key_start
        self.retry_after_seconds = retry_after_seconds
        self.allowed = allowed


def wrong_key(refusal: KeyRefusal, shown: str | None) -> RefusedRequestError:
    """Return the refusal of a key: one text for all that are shown, for it must not say which exist."""
    if refusal is KeyRefusal.MISSING:
        return RefusedRequestError(
            401, "no public key: send the whole DSN's", reason=refusal.value, key_start=""
        )
    detail = "the public key is not one of this project"
    return RefusedRequestError(403, detail, reason=refusal.value, key_start=shown or "")


def foreign_page() -> RefusedRequestError:
    """Return the refusal of a page that may not send with this key."""
    return RefusedRequestError(403, "pages of this origin may not send with this key", reason="origin")


def busy() -> RefusedRequestError:
    """Return the refusal of what there is no memory for just now."""
    return RefusedRequestError(
        429, "too much is being taken in", reason="busy", retry_after_seconds=BUSY_SECONDS
    )


def full() -> RefusedRequestError:
    """Return the refusal of what nobody takes and the disk has no room for."""
    return RefusedRequestError(
        429, "there is nowhere to keep it now", reason="spool_full", retry_after_seconds=FULL_SECONDS
    )

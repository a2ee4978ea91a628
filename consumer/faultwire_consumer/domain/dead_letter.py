"""The status of a dead letter, and the changes it allows."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class DeadLetterStatus(StrEnum):
    """Status of a dead letter."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class DeadLetterChangeReason(StrEnum):
    """The reason for a row of a dead letter's history."""

    REPLAYED = "replayed"
    REPLAY_FAILED = "replay_failed"
    DISCARDED = "discarded"
    CAME_AGAIN = "came_again"


class ReplayOutcome(Struct, frozen=True, kw_only=True):
    """Outcome of putting a dead letter through ingest again."""

    is_kept: bool
    """Every event in it is stored, or is now a dead letter of its own."""
    detail: str
    events: tuple[dict[str, Any], ...]
    """The result for each event, in the intake's form."""


def discard_refused(status: DeadLetterStatus) -> str | None:
    """Return why a dead letter of that status cannot be discarded; None if it can."""
    if status is DeadLetterStatus.REPLAYED:
        return "it was replayed: its events are stored"
    return None


def replay_refused(size: int, kept: int) -> str | None:
    """Return why a dead letter cannot be replayed; None if it can. A discarded one can: minds change."""
    if size > kept:
        return f"only {kept:,} of its {size:,} bytes were kept"
    return None

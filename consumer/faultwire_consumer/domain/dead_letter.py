"""Where a dead letter stands, and what may become of it."""

from enum import StrEnum
from typing import Any

from msgspec import Struct


class DeadLetterStatus(StrEnum):
    """Where a dead letter stands."""

    WAITING = "waiting"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


class DeadLetterChangeReason(StrEnum):
    """Why a row of a dead letter's history was written."""

    REPLAYED = "replayed"
    REPLAY_FAILED = "replay_failed"
    DISCARDED = "discarded"
    CAME_AGAIN = "came_again"


class ReplayOutcome(Struct, frozen=True, kw_only=True):
    """What came of putting a dead letter through ingest again."""

    is_kept: bool
    """Every event in it is stored, or is by now a dead letter of its own."""
    detail: str
    events: tuple[dict[str, Any], ...]
    """What became of each, as the intake tells it."""


def discard_refused(status: DeadLetterStatus) -> str | None:
    """Why a dead letter of that status cannot be discarded; None where it can."""
    if status is DeadLetterStatus.REPLAYED:
        return "it was replayed: its events are stored"
    return None


def replay_refused(size: int, kept: int) -> str | None:
    """Why a dead letter cannot be replayed; None where it can. A discarded one can: minds change."""
    if size > kept:
        return f"only {kept:,} of its {size:,} bytes were kept"
    return None

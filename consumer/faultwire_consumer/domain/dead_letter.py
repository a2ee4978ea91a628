"""The status of a dead letter, and the changes it allows."""

import hashlib
from datetime import date
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.json_text import BOM, UNREADABLE, encode_anything


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
    EDITED = "edited"


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


def replay_refused(size: int, kept: int, *, is_edited: bool = False) -> str | None:
    """Return why a dead letter cannot be replayed; None if it can. A discarded one can: minds change."""
    if size > kept and not is_edited:
        return f"only {kept:,} of its {size:,} bytes were kept; edit it, and the corrected body is replayed"
    return None


def edit_refused(status: DeadLetterStatus, body: bytes) -> str | None:
    """Return why a dead letter cannot get that body; None if it can."""
    if status is DeadLetterStatus.REPLAYED:
        return "it was replayed: its events are stored"
    if not 0 < len(body) <= MESSAGE_BYTES:
        return f"a body has 1 to {MESSAGE_BYTES:,} bytes, and this one {len(body):,}"
    return None


def age_accepted(body: bytes, *, today: date) -> tuple[bytes, str, str] | None:
    """Give an event an id of today in place of one whose day is no longer kept.

    The old id stays as the tag ``original_id``, so that the event is found by it. The new one is made of
    the old one and the day: the same event gets the same id.

    Returns:
        The body, the old id and the new one; None if it is no event with an id, or was accepted so before.
    """
    try:
        event = msgspec.json.decode(body.removeprefix(BOM), type=dict[str, Any])
    except UNREADABLE:
        return None
    old, tags = event.get("id"), event.get("tags", {})
    if not isinstance(old, str) or not isinstance(tags, dict) or "original_id" in tags:
        return None
    suffix = hashlib.sha256(old.encode()).hexdigest()[:16]
    new = f"error_{today:%Y%m%d}_{suffix}"
    return encode_anything(event | {"id": new, "tags": tags | {"original_id": old[:200]}}), old, new

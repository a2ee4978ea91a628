"""What could not be stored, kept with its reason, in the transaction of its batch."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy.dialects import postgresql, sqlite

from faultwire_consumer.store.contract import Transaction
from faultwire_consumer.store.schema import dead_letters
from faultwire_shared.event import MESSAGE_BYTES

DETAIL_CHARACTERS: Final = 1000
_INSERT: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


class NewDeadLetter(Struct, frozen=True, kw_only=True):
    """A body that cannot be stored, and why. ``attempts`` says how often it was delivered by now."""

    body: bytes
    reason: str
    detail: str
    event_id: str | None
    origin: str
    message_type: str | None
    attempts: int
    at: datetime


async def record_dead_letters(tx: Transaction, letters: Sequence[NewDeadLetter]) -> None:
    """Insert the dead letters; one whose body is there already only counts an attempt more.

    Bodies above the message limit are cut to it; ``size`` keeps how long they were.
    """
    unique = {hashlib.sha256(letter.body).digest(): letter for letter in letters}
    if not unique:
        return
    insert = _INSERT[tx.dialect](dead_letters)
    statement = insert.on_conflict_do_update(
        index_elements=[dead_letters.c.digest],
        set_={
            "attempts": dead_letters.c.attempts + 1,
            "last_seen_at": insert.excluded.last_seen_at,
        },
    )
    await tx.execute(statement, [_row(digest, unique[digest]) for digest in sorted(unique)])


def _row(digest: bytes, letter: NewDeadLetter) -> dict[str, Any]:
    return {
        "digest": digest,
        "reason": letter.reason,
        "detail": _clean(letter.detail)[:DETAIL_CHARACTERS],
        "first_seen_at": letter.at,
        "last_seen_at": letter.at,
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "origin": letter.origin,
        "message_type": None if letter.message_type is None else _clean(letter.message_type)[:100],
        "size": len(letter.body),
        "body": letter.body[:MESSAGE_BYTES],
    }


def _clean(text: str) -> str:
    return text.replace("\x00", "�")

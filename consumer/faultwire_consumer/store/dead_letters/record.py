"""What could not be stored, kept with its reason, in the transaction of its batch."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Text, case, insert, literal, select, update

from faultwire_consumer.domain.dead_letter import DeadLetterChangeReason, DeadLetterStatus
from faultwire_consumer.domain.incident import WORKER
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import dead_letter_history, dead_letters
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.text import storable

DETAIL_CHARACTERS: Final = 1000


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


async def record_dead_letters(
    tx: Transaction, letters: Sequence[NewDeadLetter], *, counts_attempts: bool = True
) -> None:
    """Insert the dead letters; one whose body is there already only counts an attempt more.

    Bodies above the message limit are cut to it; ``size`` keeps how long they were. One that was
    discarded waits again; one that was replayed stays so, for its events are stored.

    Args:
        tx: the transaction of their batch.
        letters: in any order, repetitions too.
        counts_attempts: False where a letter itself says how many there were by now, as the
            broker's do: drained twice it is the same letter.
    """
    unique = {hashlib.sha256(letter.body).digest(): letter for letter in letters}
    if not unique:
        return
    await _reopen_discarded(tx, unique)
    table = dead_letters.c
    insertion = INSERT[tx.dialect](dead_letters)
    new = insertion.excluded
    told = case((new.attempts > table.attempts, new.attempts), else_=table.attempts)
    statement = insertion.on_conflict_do_update(
        index_elements=[table.digest],
        set_={
            "attempts": table.attempts + 1 if counts_attempts else told,
            "last_seen_at": new.last_seen_at,
            "status": case(
                (table.status == DeadLetterStatus.DISCARDED.value, DeadLetterStatus.WAITING.value),
                else_=table.status,
            ),
        },
    )
    await tx.execute(statement, [_row(digest, unique[digest]) for digest in sorted(unique)])


async def _reopen_discarded(tx: Transaction, unique: dict[bytes, NewDeadLetter]) -> None:
    """Write down that a discarded body came again; the upsert that follows makes it wait."""
    table = dead_letters.c
    columns = ("dead_letter_id", "at", "actor", "reason", "detail", "before", "after")
    discarded = select(
        table.id,
        literal(next(iter(unique.values())).at, dead_letter_history.c.at.type),
        *(
            literal(text, Text)
            for text in (
                WORKER,
                DeadLetterChangeReason.CAME_AGAIN.value,
                "",
                DeadLetterStatus.DISCARDED.value,
            )
        ),
        literal(DeadLetterStatus.WAITING.value, Text),
    ).where(table.digest.in_(sorted(unique)), table.status == DeadLetterStatus.DISCARDED.value)
    await tx.execute(insert(dead_letter_history).from_select(columns, discarded))


class DeadLetterChange(Struct, frozen=True, kw_only=True):
    """What was done to a dead letter: its row in the history, and the status it has after it."""

    letter_id: int
    at: datetime
    actor: str
    reason: DeadLetterChangeReason
    detail: str
    before: DeadLetterStatus
    after: DeadLetterStatus


async def load_letter_status(tx: Transaction, letter_id: int) -> DeadLetterStatus | None:
    """Read a dead letter's status and keep others from changing it until the transaction ends."""
    table = dead_letters.c
    rows = await tx.execute(select(table.status).where(table.id == letter_id).with_for_update())
    return DeadLetterStatus(rows[0].status) if rows else None


async def change_letter(tx: Transaction, change: DeadLetterChange) -> None:
    """Write a dead letter's status and its history."""
    await tx.execute(
        update(dead_letters).where(dead_letters.c.id == change.letter_id).values(status=change.after.value)
    )
    await tx.execute(
        insert(dead_letter_history).values(
            dead_letter_id=change.letter_id,
            at=change.at,
            actor=change.actor,
            reason=change.reason.value,
            detail=storable(change.detail)[:DETAIL_CHARACTERS],
            before=change.before.value,
            after=change.after.value,
        )
    )


def _row(digest: bytes, letter: NewDeadLetter) -> dict[str, Any]:
    return {
        "digest": digest,
        "reason": letter.reason,
        "detail": storable(letter.detail)[:DETAIL_CHARACTERS],
        "first_seen_at": letter.at,
        "last_seen_at": letter.at,
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "origin": letter.origin,
        "message_type": None if letter.message_type is None else storable(letter.message_type)[:100],
        "size": len(letter.body),
        "body": letter.body[:MESSAGE_BYTES],
        "status": DeadLetterStatus.WAITING.value,
    }

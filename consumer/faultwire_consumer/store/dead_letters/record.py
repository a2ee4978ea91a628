"""Recording of dead letters, with their reasons, in the transaction of their batch."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Text, case, func, insert, literal, select, update

from faultwire_consumer.domain.dead_body import service_of
from faultwire_consumer.domain.dead_letter import DeadLetterChangeReason, DeadLetterStatus
from faultwire_consumer.domain.incident import WORKER
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.dead_letters import dead_letter_history, dead_letters
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.text import storable

DETAIL_CHARACTERS_MAX: Final = 1000


class NewDeadLetter(Struct, frozen=True, kw_only=True):
    """A body that cannot be stored, with the reason; ``attempts`` is the number of its deliveries so far."""

    body: bytes
    reason: str
    detail: str
    event_id: str | None
    origin: str
    message_type: str | None
    attempts: int
    at: datetime
    size: int = 0
    """Bytes of the message as it came, where ``body`` is only its beginning."""
    is_bare: bool = False
    """True if it stands for one that could not be stored: its body is a hash."""


async def record_dead_letters(
    tx: Transaction, new_dead_letters: Sequence[NewDeadLetter], *, counts_attempts: bool = True
) -> None:
    """Insert dead letters; one whose body is there already only gets another attempt counted.

    Bodies above the message limit are cut to it; ``size`` keeps their full length. One that was
    discarded waits again; one that was replayed stays replayed, since its events are stored.

    Args:
        tx: the transaction of their batch.
        new_dead_letters: in any order, possibly repeated.
        counts_attempts: False if each one has its number of attempts itself, as the broker's have:
            drained twice, it is still the same dead letter.
    """
    unique = {hashlib.sha256(new.body).digest(): new for new in new_dead_letters}
    if not unique:
        return
    await _reopen_discarded(tx, unique)
    table = dead_letters.c
    insertion = INSERT[tx.dialect](dead_letters)
    new = insertion.excluded
    most_attempts = case((new.attempts > table.attempts, new.attempts), else_=table.attempts)
    statement = insertion.on_conflict_do_update(
        index_elements=[table.digest],
        set_={
            "attempts": table.attempts + 1 if counts_attempts else most_attempts,
            "last_seen_at": new.last_seen_at,
            # The body of a settled one may have gone; what comes again and waits has to have it.
            "body": case((func.length(table.body) == 0, new.body), else_=table.body),
            "status": case(
                (table.status == DeadLetterStatus.DISCARDED.value, DeadLetterStatus.WAITING.value),
                else_=table.status,
            ),
        },
    )
    await tx.execute(statement, [_row(digest, unique[digest]) for digest in sorted(unique)])


async def _reopen_discarded(tx: Transaction, unique: dict[bytes, NewDeadLetter]) -> None:
    """Record that a discarded body came again; the upsert that follows makes it wait."""
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
    """A change of a dead letter: its row in the history, and its status afterwards."""

    dead_letter_id: int
    at: datetime
    actor: str
    reason: DeadLetterChangeReason
    detail: str
    before: DeadLetterStatus
    after: DeadLetterStatus
    edited_body: bytes | None = None
    """The body that is to be replayed from now on; None leaves it as it is."""


async def load_dead_letter_status(tx: Transaction, dead_letter_id: int) -> DeadLetterStatus | None:
    """Lock a dead letter until the transaction ends, and read its status."""
    table = dead_letters.c
    rows = await tx.execute(select(table.status).where(table.id == dead_letter_id).with_for_update())
    return DeadLetterStatus(rows[0].status) if rows else None


async def change_dead_letter(tx: Transaction, change: DeadLetterChange) -> None:
    """Write a dead letter's status and history, and its corrected body."""
    edited: dict[str, Any] = {}
    if change.edited_body is not None:
        edited = {"edited_body": change.edited_body, "service": service_of(change.edited_body)}
    await tx.execute(
        update(dead_letters)
        .where(dead_letters.c.id == change.dead_letter_id)
        .values({"status": change.after.value} | edited)
    )
    await tx.execute(
        insert(dead_letter_history).values(
            dead_letter_id=change.dead_letter_id,
            at=change.at,
            actor=change.actor,
            reason=change.reason.value,
            detail=storable(change.detail)[:DETAIL_CHARACTERS_MAX],
            before=change.before.value,
            after=change.after.value,
        )
    )


def _row(digest: bytes, new: NewDeadLetter) -> dict[str, Any]:
    return {
        "digest": digest,
        "reason": new.reason,
        "detail": storable(new.detail)[:DETAIL_CHARACTERS_MAX],
        "first_seen_at": new.at,
        "last_seen_at": new.at,
        "attempts": new.attempts,
        "event_id": new.event_id,
        "origin": new.origin,
        "message_type": None if new.message_type is None else storable(new.message_type)[:100],
        "size": max(new.size, len(new.body)),
        "body": new.body[:MESSAGE_BYTES],
        "status": DeadLetterStatus.WAITING.value,
        "service": service_of(new.body[:MESSAGE_BYTES]),
    }

"""Digests: the pending rows of a period become one notification in the outbox, in one commit."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import and_, delete, func, insert, literal, not_, select, update

from faultwire_consumer.domain.digest.facts import DigestFacts, encode_facts
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.outbox.digest_content import add_lines, read_surroundings
from faultwire_consumer.store.outbox.digest_lines import (
    LINE_COLUMNS,
    PeriodBefore,
    select_lines,
)
from faultwire_consumer.store.outbox.digest_rows import (
    DigestScope,
    due_rows,
    has_one_hour,
    is_due,
    taken_rows,
)
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.schema.notify import digest_lines, digests, outbox, pending
from faultwire_shared.event import ErrorSeverity

_LOWEST: Final = min(ErrorSeverity, key=lambda one: one.rank)


class DueDigest(Struct, frozen=True, order=True):
    """A rule's digest for a receiver that has pending rows, with the first and last time they are due."""

    rule: str
    receiver: str
    first_due: datetime
    last_due: datetime


async def list_due_digests(store: Store, *, now: datetime) -> list[DueDigest]:
    """List the rules and receivers that have pending rows which are due."""
    rows = await store.read(
        select(
            pending.c.rule,
            pending.c.receiver,
            func.min(pending.c.due_at, type_=pending.c.due_at.type).label("first_due"),
            func.max(pending.c.due_at, type_=pending.c.due_at.type).label("last_due"),
        )
        .where(pending.c.due_at <= now)
        .group_by(pending.c.rule, pending.c.receiver)
        .order_by(pending.c.rule, pending.c.receiver)
    )
    return [DueDigest(row.rule, row.receiver, row.first_due, row.last_due) for row in rows]


async def read_first_due(store: Store, *, rule: str, receiver: str, until: datetime) -> datetime | None:
    """Return when the first of a rule's pending rows for a receiver is due; None if none is by then."""
    first = func.min(pending.c.due_at, type_=pending.c.due_at.type).label("first")
    (row,) = await store.read(
        select(first).where(pending.c.rule == rule, pending.c.receiver == receiver, pending.c.due_at <= until)
    )
    due_at: datetime | None = row.first
    return due_at


def digest_key(due: DueDigest | DigestScope, until: datetime) -> str:
    """Return a digest's key: its rule, the end of its period, and the receiver."""
    return f"{due.rule}:digest-{int(until.timestamp())}:{due.receiver}"


async def is_made(store: Store, key: str) -> bool:
    """Return True if a digest of that key is in the outbox."""
    return bool(await store.read(select(outbox.c.id).where(outbox.c.idempotency_key == key)))


async def told_until(store: Store, due: DueDigest) -> datetime | None:
    """Return the end of the last digest that the rule made for the receiver; None before the first."""
    until = func.max(outbox.c.until, type_=outbox.c.until.type).label("until")
    of_it = (outbox.c.rule == due.rule, outbox.c.receiver == due.receiver)
    (row,) = await store.read(select(until).where(*of_it, outbox.c.kind == NotificationKind.DIGEST.value))
    last: datetime | None = row.until
    return last


async def make_digest(store: Store, scope: DigestScope, *, now: datetime, even_empty: bool = False) -> bool:
    """Put a rule's digest for one receiver into the outbox; return True if this call did it.

    Workers that race make it once: the pending rows are locked in order, and its key is made of its
    period. Rows that are committed after a period's digest was made wait for the next one. What stands
    beside the lines is read before the transaction, which so keeps others waiting as little as it can.

    Args:
        store: the store that has the outbox.
        scope: the digest, with the end of its period as the end of what is due for it.
        now: the current time.
        even_empty: make it although nothing is pending for it.
    """
    beside = await read_surroundings(store.read, scope)
    async with store.write() as tx:
        if not (await _lock(tx, scope) or even_empty):
            return False
        made = await _begin(tx, scope, now=now)
        if made is None:
            return False
        await _move_lines(tx, scope, beside.before, made)
        if not (await _rate(tx, made) or even_empty):
            await tx.execute(delete(outbox).where(outbox.c.id == made))
            return False
        lines = select(digest_lines).where(digest_lines.c.outbox_id == made).subquery("lines")
        facts = await add_lines(tx.execute, lines, scope, beside)
        await tx.execute(insert(digests), [{"outbox_id": made, "body": encode_facts(facts)}])
    return True


async def preview_digest(store: Store, scope: DigestScope) -> DigestFacts:
    """Compute what a digest would say if it were made now; nothing is written or locked.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    beside = await read_surroundings(store.read, scope)
    is_one_each = await has_one_hour(store.read, due_rows(scope))
    lines = select_lines(scope, beside.before, is_marked=False, is_one_each=is_one_each)
    return await add_lines(store.read, lines.subquery("lines"), scope, beside)


async def _lock(tx: Transaction, scope: DigestScope) -> int:
    """Lock the pending rows; a transaction that is adding to one of them commits first, and is included."""
    rows = (
        select(pending.c.incident_id)
        .where(*due_rows(scope))
        .order_by(pending.c.rule, pending.c.receiver, pending.c.incident_id, pending.c.due_at)
        .with_for_update()
        .subquery("due")
    )
    return int((await tx.execute(select(func.count().label("number")).select_from(rows)))[0].number)


async def _begin(tx: Transaction, scope: DigestScope, *, now: datetime) -> int | None:
    """Put the digest into the outbox, and return its number; None if another worker made it.

    One that makes an empty digest locks no row. Then this waits for the other here, and sees what it kept.
    """
    key = digest_key(scope, scope.until)
    if await tx.execute(select(outbox.c.id).where(outbox.c.idempotency_key == key)):
        return None
    await enqueue(tx, [_notification(scope, key, now=now)])
    (made,) = await tx.execute(
        select(outbox.c.id, digests.c.outbox_id.label("kept"))
        .outerjoin_from(outbox, digests, digests.c.outbox_id == outbox.c.id)
        .where(outbox.c.idempotency_key == key)
    )
    return None if made.kept is not None else int(made.id)


async def _move_lines(tx: Transaction, scope: DigestScope, before: PeriodBefore, made: int) -> None:
    """Make a line of each incident whose rows are taken, and delete those that are due.

    Rows are marked first. What is committed between two statements is neither counted nor deleted
    then, but waits for the next digest; whoever adds to a marked row has committed before it is
    counted, or waits.
    """
    await tx.execute(update(pending).where(*due_rows(scope)).values(is_taken=True))
    is_one_each = await has_one_hour(tx.execute, taken_rows(scope))
    lines = select_lines(scope, before, is_marked=True, is_one_each=is_one_each).subquery("taken")
    columns = [lines.c[name] for name in LINE_COLUMNS]
    await tx.execute(
        insert(digest_lines).from_select(
            ["outbox_id", *LINE_COLUMNS], select(literal(made).label("outbox_id"), *columns)
        )
    )
    if not is_one_each:
        await tx.execute(_leave_early(scope, made))
    await tx.execute(delete(pending).where(*taken_rows(scope)))


def _leave_early(scope: DigestScope, made: int) -> Any:
    """Return the statement that leaves the early rows to tell of what comes after the digest.

    Its lines say what was told: the count is not read again, since it may have grown.
    """
    rows = pending.alias("rows")
    line = and_(digest_lines.c.outbox_id == made, digest_lines.c.incident_id == rows.c.incident_id)
    told_events = func.coalesce(func.max(digest_lines.c.events), 0)
    told = (
        select(rows.c.incident_id, (func.min(rows.c.count_before) + told_events).label("count"))
        .outerjoin_from(rows, digest_lines, line)
        .where(rows.c.rule == scope.rule, rows.c.receiver == scope.receiver, rows.c.is_taken)
        .group_by(rows.c.incident_id)
        .subquery("told")
    )
    return (
        update(pending)
        .where(*taken_rows(scope), not_(is_due(scope)), pending.c.incident_id == told.c.incident_id)
        .values(count_before=told.c.count, reason=NotificationReason.CONTINUED.value, is_taken=False)
    )


async def _rate(tx: Transaction, made: int) -> bool:
    """Give the digest the highest severity of its lines; return False if it has none."""
    highest = func.max(digest_lines.c.severity).label("highest")
    (row,) = await tx.execute(select(highest).where(digest_lines.c.outbox_id == made))
    if row.highest is None:
        return False
    await tx.execute(update(outbox).where(outbox.c.id == made).values(severity=row.highest))
    return True


def _notification(scope: DigestScope, key: str, *, now: datetime) -> NewNotification:
    return NewNotification(
        idempotency_key=key,
        receiver=scope.receiver,
        rule=scope.rule,
        kind=NotificationKind.DIGEST,
        reason=NotificationReason.SCHEDULED,
        incident_id=None,
        severity=_LOWEST,
        urgent=False,
        created_at=now,
        due_at=now,
        since=scope.since,
        until=scope.until,
    )

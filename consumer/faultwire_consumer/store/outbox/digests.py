"""Digests: the pending rows of a period become one notification in the outbox, in one commit."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, bindparam, delete, func, insert, not_, or_, select, update

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import digest_lines, outbox, pending
from faultwire_shared.event import ErrorSeverity

_AT_ONCE: Final = 5000
_KEY: Final = ("rule", "receiver", "incident_id", "due_at")
_OF_KEY: Final = [pending.c[name] == bindparam(f"key_{name}") for name in _KEY]
_DELETE: Final = delete(pending).where(*_OF_KEY)
_LEAVE: Final = (
    update(pending)
    .where(*_OF_KEY)
    .values(count_before=bindparam("told"), reason=NotificationReason.CONTINUED.value)
)


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


def digest_key(due: DueDigest, until: datetime) -> str:
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


async def make_digest(
    store: Store, due: DueDigest, *, since: datetime, until: datetime, now: datetime
) -> bool:
    """Put a rule's digest for one receiver into the outbox; return True if this call did it.

    Workers that race make it once: the pending rows are locked in order, and its key is made of its
    period. Rows that are committed after a period's digest was made wait for the next one.

    Args:
        store: the store that has the outbox.
        due: the digest's rule and receiver.
        since: the beginning of its period.
        until: the end of its period; the digest has all that is pending for it or for an earlier one.
        now: the current time.
    """
    key = digest_key(due, until)
    async with store.write() as tx:
        rows = await _lock(tx, due, until)
        taken = [row for row in rows if row.due_at <= until]
        if not taken or await tx.execute(select(outbox.c.id).where(outbox.c.idempotency_key == key)):
            return False
        incident_ids = {row.incident_id for row in taken}
        early = [row for row in rows if row.due_at > until and row.incident_id in incident_ids]
        counted = await _counts_until(tx, due, until, sorted(incident_ids))
        lines = _lines([*taken, *early], counted)
        await tx.execute(_DELETE, _keys(taken))
        if early:
            told = [
                where | {"told": counted[row.incident_id]}
                for row, where in zip(early, _keys(early), strict=True)
            ]
            await tx.execute(_LEAVE, told)
        if not lines:
            return False
        severity = max(line["severity"] for line in lines)
        await enqueue(tx, [_notification(due, key, severity=severity, since=since, until=until, now=now)])
        (made,) = await tx.execute(select(outbox.c.id).where(outbox.c.idempotency_key == key))
        await tx.execute(insert(digest_lines), [line | {"outbox_id": made.id} for line in lines])
    return True


async def _lock(tx: Transaction, due: DueDigest, until: datetime) -> Sequence[Any]:
    """Lock the pending rows; a transaction that is adding to one of them commits first, and is included."""
    return await tx.execute(
        select(pending)
        .where(pending.c.rule == due.rule, pending.c.receiver == due.receiver, _is_before(until))
        .order_by(*(pending.c[name] for name in _KEY))
        .with_for_update()
    )


def _is_before(until: datetime) -> ColumnElement[bool]:
    """Return the condition of rows that are due by a digest's end, or were written before it.

    The latter are due later only where the digest's hour was another one then. The digest tells of their
    events with its own, and leaves them to tell of what comes after it.
    """
    return or_(pending.c.due_at <= until, pending.c.created_at < until)


def _keys(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [{f"key_{name}": getattr(row, name) for name in _KEY} for row in rows]


def _lines(rows: Sequence[Any], counted: Mapping[int, int]) -> list[dict[str, Any]]:
    """Return a line for each incident, which may have been pending for several periods.

    One that only went on, and of which everything was told before, has none.
    """
    lines: dict[int, dict[str, Any]] = {}
    before: dict[int, int] = {}
    for row in rows:
        line = lines.setdefault(
            row.incident_id, {"incident_id": row.incident_id, "reason": row.reason, "severity": 0}
        )
        # The lowest count, since a row that was written late may belong to the earlier period.
        before[row.incident_id] = min(row.count_before, before.get(row.incident_id, row.count_before))
        line["severity"] = max(line["severity"], row.severity)
        line["event_id"] = row.event_id
        if line["reason"] == NotificationReason.CONTINUED.value:
            line["reason"] = row.reason
    told = (line | {"events": counted[key] - before[key]} for key, line in sorted(lines.items()))
    return [one for one in told if one["events"] or one["reason"] != NotificationReason.CONTINUED.value]


async def _counts_until(
    tx: Transaction, due: DueDigest, until: datetime, ids: Sequence[int]
) -> dict[int, int]:
    """Return each incident's count at the end of the period: now, or before it became pending for the next.

    It is one statement, so that no event is in two digests: an event that is counted has its row for
    the next digest already, or has none.
    """
    later = (
        select(func.min(pending.c.count_before))
        .where(
            pending.c.rule == due.rule,
            pending.c.receiver == due.receiver,
            pending.c.incident_id == incidents.c.id,
            not_(_is_before(until)),
        )
        .scalar_subquery()
    )
    counts = select(incidents.c.id, func.coalesce(later, incidents.c.count).label("total"))
    found: dict[int, int] = {}
    for start in range(0, len(ids), _AT_ONCE):
        rows = await tx.execute(counts.where(incidents.c.id.in_(ids[start : start + _AT_ONCE])))
        found |= {row.id: int(row.total) for row in rows}
    return found


def _notification(
    due: DueDigest, key: str, *, severity: int, since: datetime, until: datetime, now: datetime
) -> NewNotification:
    return NewNotification(
        idempotency_key=key,
        receiver=due.receiver,
        rule=due.rule,
        kind=NotificationKind.DIGEST,
        reason=NotificationReason.SCHEDULED,
        incident_id=None,
        severity=ErrorSeverity.from_rank(severity),
        urgent=False,
        created_at=now,
        due_at=now,
        since=since,
        until=until,
    )

"""Pending rows of incidents that are merged or unmerged: each digest still counts every event once."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.notify import pending

_Key = tuple[Any, ...]


async def merge_pending(tx: Transaction, target: int, sources: Mapping[int, int], own_count: int) -> None:
    """Put what is pending of merged incidents together with what is pending of their new one.

    A row says how many events its incident had before: where one of them has no row, all that it had.

    Args:
        tx: the transaction of the merge.
        target: the incident that takes the others.
        sources: the others, with their counts.
        own_count: the target's count before.
    """
    rows = await _lock(tx, [target, *sources])
    if not any(row["incident_id"] != target for row in rows):
        more = sum(sources.values())
        await tx.execute(
            update(pending)
            .where(pending.c.incident_id == target)
            .values(count_before=pending.c.count_before + more)
        )
        return
    counts = {target: own_count, **sources}
    merged: dict[_Key, dict[str, Any]] = {}
    before: dict[_Key, dict[int, int]] = {}
    for row in rows:
        key = (row["rule"], row["receiver"], row["due_at"])
        before.setdefault(key, dict(counts))[row["incident_id"]] = row["count_before"]
        known = merged.setdefault(key, row | {"incident_id": target})
        if known["reason"] == NotificationReason.CONTINUED.value:
            known["reason"] = row["reason"]
        known["severity"] = max(known["severity"], row["severity"])
    await tx.execute(delete(pending).where(pending.c.incident_id.in_([target, *sources])))
    saved = [row | {"count_before": sum(before[key].values())} for key, row in sorted(merged.items())]
    await tx.execute(insert(pending), saved)


async def split_pending(tx: Transaction, target: int, source: int, count: int) -> None:
    """Let an incident that was unmerged be pending wherever the one that had it is.

    How many of its events came since the last digest is known of both together alone: it counts from
    now on, and the other keeps what came before.
    """
    rows = await _lock(tx, [target])
    for row in rows:
        reduced = max(0, row["count_before"] - count)
        key = [pending.c[name] == row[name] for name in ("rule", "receiver", "incident_id", "due_at")]
        await tx.execute(update(pending).where(*key).values(count_before=reduced))
    if rows:
        await tx.execute(
            insert(pending), [row | {"incident_id": source, "count_before": count} for row in rows]
        )


async def _lock(tx: Transaction, ids: list[int]) -> list[dict[str, Any]]:
    """Lock the rows in the order in which all others do."""
    rows = await tx.execute(
        select(pending)
        .where(pending.c.incident_id.in_(ids))
        .order_by(pending.c.rule, pending.c.receiver, pending.c.incident_id, pending.c.due_at)
        .with_for_update()
    )
    return [values_of(row) for row in rows]

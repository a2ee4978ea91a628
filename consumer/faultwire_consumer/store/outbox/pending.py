"""Incidents pending for the next digests, written in the transaction of their events."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import bindparam, case, select

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.store.contract.dialect import INSERT
from faultwire_consumer.store.contract.pile import insertion, write_of
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.schema.events import fingerprints, incidents
from faultwire_consumer.store.schema.notify import pending
from faultwire_shared.event import ErrorSeverity

_KEY: Final = (pending.c.rule, pending.c.receiver, pending.c.incident_id, pending.c.due_at)
_Key = tuple[str, str, int, datetime]
_COLUMNS: Final = tuple(name for name in pending.c.keys() if name != "is_taken")  # noqa: SIM118 - of columns, `in` asks otherwise
PENDING: Final = insertion(
    "pending",
    pending,
    _COLUMNS,
    # As `_insert` below, in the words of one statement for several writes.
    conflict="""
    ON CONFLICT (rule, receiver, incident_id, due_at) DO UPDATE SET touched_at = excluded.touched_at,
        event_id = excluded.event_id, severity = greatest(excluded.severity, t.severity),
        reason = CASE WHEN t.reason = 'continued' THEN excluded.reason ELSE t.reason END
    """,
)
_TOTALS: Final = (
    select(fingerprints.c.fingerprint, fingerprints.c.incident_id, incidents.c.count.label("total"))
    .join_from(fingerprints, incidents, fingerprints.c.incident_id == incidents.c.id)
    .where(fingerprints.c.fingerprint.in_(bindparam("added", expanding=True)))
)


class NewPending(Struct, frozen=True, kw_only=True):
    """A digest rule's decision that an incident, known by a fingerprint, goes into the next digest."""

    rule: str
    receivers: tuple[str, ...]
    fingerprint: bytes
    due_at: datetime
    reason: NotificationReason
    severity: ErrorSeverity
    event_id: str


async def add_pending(
    tx: Transaction,
    wanted: Sequence[NewPending],
    added: Mapping[bytes, int],
    *,
    known: Mapping[bytes, tuple[int, int]],
    now: datetime,
) -> None:
    """Write which incidents are pending; rows that exist already are locked until the commit.

    The lock keeps a digest that is being made from missing what this transaction counts: it waits,
    and then includes it.

    Args:
        tx: the transaction of the batch, whose incidents are counted already.
        wanted: the incidents, in any order and possibly repeated.
        added: the number of events that the batch added to each fingerprint.
        known: of some fingerprints the incident, and its count before the batch; others are looked up.
        now: the current time.
    """
    if not wanted:
        return
    if any(new.fingerprint not in known for new in wanted):
        known = await _look_up(tx, added)
    merged: dict[_Key, dict[str, Any]] = {}
    for new in wanted:
        incident_id, before = known[new.fingerprint]
        for receiver in new.receivers:
            key = (new.rule, receiver, incident_id, new.due_at)
            _merge(merged, key, new, count_before=before, now=now)
    lines = [merged[key] for key in sorted(merged)]
    if tx.pile is not None:
        await tx.pile.add(write_of(PENDING, _COLUMNS, lines))
    else:
        await tx.execute(_insert(tx.dialect), lines)


async def _look_up(tx: Transaction, added: Mapping[bytes, int]) -> dict[bytes, tuple[int, int]]:
    rows = await tx.execute(_TOTALS, {"added": sorted(added)})
    before = {row.incident_id: int(row.total) for row in rows}
    for row in rows:
        before[row.incident_id] -= added[row.fingerprint]
    return {row.fingerprint: (row.incident_id, before[row.incident_id]) for row in rows}


class HiddenIncident(Struct, frozen=True, kw_only=True):
    """An incident of which a silence stopped a notification, for its receiver's next digest."""

    rule: str
    """The digest's."""
    receiver: str
    incident_id: int
    due_at: datetime
    reason: NotificationReason
    severity: ErrorSeverity
    event_id: str | None
    count_before: int | None
    """The incident's count before what the notification told; None: its count now."""


async def add_hidden(tx: Transaction, hidden: Iterable[HiddenIncident], *, now: datetime) -> None:
    """Have digests tell of incidents that a silence hid; where they do already, nothing changes."""
    wanted: dict[_Key, list[HiddenIncident]] = {}
    for each in hidden:
        wanted.setdefault((each.rule, each.receiver, each.incident_id, each.due_at), []).append(each)
    if not wanted:
        return
    ids = sorted({each.incident_id for those in wanted.values() for each in those})
    rows = await tx.execute(
        select(incidents.c.id, incidents.c.count.label("total")).where(incidents.c.id.in_(ids))
    )
    counts = {row.id: int(row.total) for row in rows}
    added = [_hidden_row(key, wanted[key], counts[key[2]], now) for key in sorted(wanted) if key[2] in counts]
    if added:
        insertion = INSERT[tx.dialect](pending).on_conflict_do_nothing(index_elements=list(_KEY))
        await tx.execute(insertion, added)


def _hidden_row(key: _Key, those: Sequence[HiddenIncident], count: int, now: datetime) -> dict[str, Any]:
    """Return one row for all that was hidden of an incident at once: what came first says most."""
    before = [count if one.count_before is None else one.count_before for one in those]
    return dict(zip((column.name for column in _KEY), key, strict=True)) | {
        "reason": those[0].reason.value,
        "severity": max(one.severity.rank for one in those),
        "event_id": those[-1].event_id,
        "count_before": min(count, *before),
        "created_at": now,
        "touched_at": now,
    }


def _merge(
    merged: dict[_Key, dict[str, Any]], key: _Key, new: NewPending, *, count_before: int, now: datetime
) -> None:
    values = {
        "reason": new.reason.value,
        "severity": new.severity.rank,
        "event_id": new.event_id,
        "count_before": count_before,
        "created_at": now,
        "touched_at": now,
    }
    known = merged.get(key)
    if known is None:
        merged[key] = dict(zip((column.name for column in _KEY), key, strict=True)) | values
        return
    known["severity"] = max(known["severity"], new.severity.rank)
    if known["reason"] == NotificationReason.CONTINUED.value:
        known["reason"] = new.reason.value


@cache  # building it each time is a tenth of the worker's work for the first event of a bug
def _insert(dialect: str) -> Any:
    insertion = INSERT[dialect](pending)
    new, old = insertion.excluded, pending.c
    return insertion.on_conflict_do_update(
        index_elements=list(_KEY),
        set_={
            "touched_at": new.touched_at,
            "event_id": new.event_id,
            "severity": case((new.severity > old.severity, new.severity), else_=old.severity),
            # The first reason says more than that the incident continued.
            "reason": case((old.reason == NotificationReason.CONTINUED.value, new.reason), else_=old.reason),
        },
    )

"""Claiming notifications from the outbox: what is due, what was decided, and the lease of what is sent.

A claim is a transaction of its own, committed before anything is sent: its lease and token identify
the owner, and a mark with another token changes nothing.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import and_, bindparam, insert, or_, select, text, update

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import NO_TERMS, Terms, read_terms
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.sending import NotificationState, StageDecision, StageReason
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import outbox, outbox_attempts, outbox_stages
from faultwire_shared.event import ErrorSeverity

CLAIM_MAX: Final = 1000
"""The most notifications that one transaction reads; a summary is filled by several."""

_LEASE: Final = (
    update(outbox)
    .where(outbox.c.id == bindparam("key"))
    .values(
        attempts=bindparam("new_attempts"),
        attempted_at=bindparam("new_attempted_at"),
        lease_token=bindparam("new_token"),
        lease_until=bindparam("new_until"),
    )
)
_NOW: Final = (
    incidents.c.status,
    incidents.c.episode.label("current_episode"),
    incidents.c.terms,
    incidents.c.merged_into,
    incidents.c.service,
    incidents.c.category,
    incidents.c.code,
)
_NOT_QUIET: Final = or_(
    outbox.c.state_reason.is_(None), outbox.c.state_reason != StageReason.QUIET_HOURS.value
)
_WAITING: Final = outbox.c.state == NotificationState.WAITING.value


class Address(Struct, frozen=True, order=True):
    """A receiver's urgent or other notifications; neither kind waits for the other."""

    receiver: str
    urgent: bool


class Due(Struct, frozen=True, kw_only=True):
    """A waiting notification, and the state of its incident now."""

    id: int
    idempotency_key: str
    rule: str
    kind: NotificationKind
    reason: NotificationReason
    severity: ErrorSeverity
    incident_id: int | None
    episode: int
    attempts: int
    attempted_at: datetime | None
    created_at: datetime
    due_at: datetime
    state_reason: str | None
    remind_seconds: int | None
    status: Status | None
    current_episode: int | None
    terms: Terms = NO_TERMS
    merged_into: int | None = None
    service: str | None = None
    category: str | None = None
    code: str | None = None
    event_id: str | None = None
    facts: str | None = None
    """What silences are matched with, not yet read; None where an older release wrote it."""
    count_before: int | None = None
    resent_at: datetime | None = None
    """Since an operator had it sent again: no stage may stop it."""


class Unreadable(Struct, frozen=True):
    """A waiting notification with a word that this release does not know: a later one wrote it."""

    id: int
    created_at: datetime
    is_due: bool
    is_known: bool
    """It was seen to be unreadable before."""


class Waiting(Struct, frozen=True):
    """An address's waiting notifications: those that can be judged, and those that nobody here can read."""

    due: list[Due]
    unreadable: list[Unreadable]


class StageEntry(Struct, frozen=True, kw_only=True):
    """A stage's decision on a notification, for its history."""

    outbox_id: int
    at: datetime
    stage: str
    decision: StageDecision
    reason: StageReason
    detail: str = ""


async def list_due(store: Store, *, now: datetime) -> list[Address]:
    """List the addresses with a notification that is due and not claimed."""
    rows = await store.read(
        select(outbox.c.receiver, outbox.c.urgent)
        .where(_WAITING, outbox.c.due_at <= now, _unleased(now))
        .distinct()
    )
    return [Address(row.receiver, bool(row.urgent)) for row in rows]


async def lock_address(tx: Transaction, address: Address) -> None:
    """Lock an address, so that one claim of it at a time decides and limits hold for all workers."""
    if tx.dialect != "postgresql":
        return  # SQLite has one writer at a time anyway
    name = f"{address.receiver}\n{address.urgent}".encode()
    key = int.from_bytes(hashlib.sha256(name).digest()[:8], signed=True)
    await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


async def load_due(tx: Transaction, address: Address, *, now: datetime) -> Waiting:
    """Load and lock the address's waiting notifications: those due, and those still being gathered.

    What quiet hours hold back is neither until they end, and may be more than one claim reads.

    The most severe come first, then the oldest. One that cannot be read is in nobody's way.
    """
    is_due = outbox.c.due_at <= now
    wanted = is_due if address.urgent else or_(is_due, and_(outbox.c.attempts == 0, _NOT_QUIET))
    columns = [outbox.c[name] for name in Due.__struct_fields__ if name in outbox.c]
    rows = await tx.execute(
        select(*columns, *_NOW)
        .join_from(outbox, incidents, incidents.c.id == outbox.c.incident_id, isouter=True)
        .where(
            outbox.c.receiver == address.receiver,
            outbox.c.urgent == address.urgent,
            _WAITING,
            _unleased(now),
            wanted,
        )
        .order_by(outbox.c.severity.desc(), outbox.c.id)
        .limit(CLAIM_MAX)
        .with_for_update(of=outbox, skip_locked=True)
    )
    waiting = Waiting([], [])
    for row in rows:
        try:
            waiting.due.append(_due(row))
        except (ValueError, IndexError):
            known = row.state_reason == StageReason.UNREADABLE.value
            waiting.unreadable.append(Unreadable(row.id, row.created_at, row.due_at <= now, known))
    return waiting


async def stop(
    tx: Transaction,
    ids: Sequence[int],
    state: NotificationState,
    reason: StageReason,
    *,
    now: datetime,
    silence_id: int | None = None,
) -> None:
    """End notifications without sending them, and what they carry; a silence may be why."""
    is_carried = and_(outbox.c.carrier_id.in_(ids), outbox.c.state == NotificationState.CARRIED.value)
    await tx.execute(
        update(outbox)
        .where(or_(outbox.c.id.in_(ids), is_carried))
        .values(
            state=state.value,
            state_reason=reason.value,
            finished_at=now,
            lease_token=None,
            lease_until=None,
            silence_id=silence_id,
        )
    )


async def postpone(
    tx: Transaction,
    ids: Sequence[int],
    until: datetime,
    reason: StageReason,
    *,
    silence_id: int | None = None,
) -> None:
    """Let notifications wait longer; a silence may be why."""
    await tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids))
        .values(due_at=until, state_reason=reason.value, silence_id=silence_id)
    )


async def group_into(
    tx: Transaction,
    first_id: int,
    ids: Sequence[int],
    reason: StageReason,
    *,
    now: datetime,
    is_summary: bool = True,
) -> None:
    """Group notifications into the first one's message for good: a second attempt has the same ones.

    The first becomes a summary, unless all of them are about its own incident.
    """
    if ids:
        await tx.execute(
            update(outbox)
            .where(outbox.c.id.in_(ids))
            .values(
                state=NotificationState.CARRIED.value,
                carrier_id=first_id,
                state_reason=reason.value,
                attempts=1,
                attempted_at=now,
            )
        )
    if is_summary:
        await tx.execute(
            update(outbox).where(outbox.c.id == first_id).values(kind=NotificationKind.SUMMARY.value)
        )


async def lease(
    tx: Transaction, claimed: Sequence[tuple[Due, str]], *, now: datetime, until: datetime
) -> None:
    """Lease notifications for one attempt each, with the only token that may mark it."""
    if not claimed:
        return
    leased = [
        {
            "key": due.id,
            "new_attempts": due.attempts + 1,
            "new_attempted_at": due.attempted_at or now,
            "new_token": token,
            "new_until": until,
        }
        for due, token in claimed
    ]
    await tx.execute(_LEASE, leased)
    attempts = [{"outbox_id": due.id, "number": due.attempts + 1, "started_at": now} for due, _ in claimed]
    await tx.execute(insert(outbox_attempts), attempts)


async def renew_claim(tx: Transaction, outbox_id: int, token: str, *, until: datetime) -> bool:
    """Extend the lease of a notification; return False if another dispatcher has it by now."""
    held = await tx.execute(
        update(outbox)
        .where(outbox.c.id == outbox_id, outbox.c.lease_token == token)
        .values(lease_until=until)
        .returning(outbox.c.id)
    )
    return bool(held)


async def holds_any(store: Store, tokens: Sequence[str]) -> bool:
    """Return True if a lease with one of these tokens was committed."""
    rows = await store.read(select(outbox.c.id).where(_WAITING, outbox.c.lease_token.in_(tokens)).limit(1))
    return bool(rows)


async def record_stages(tx: Transaction, entries: Sequence[StageEntry]) -> None:
    """Record what the stages decided."""
    if entries:
        await tx.execute(
            insert(outbox_stages),
            [
                {
                    "outbox_id": entry.outbox_id,
                    "at": entry.at,
                    "stage": entry.stage,
                    "decision": entry.decision.value,
                    "reason": entry.reason.value,
                    "detail": entry.detail,
                }
                for entry in entries
            ],
        )


async def list_orphans(
    tx: Transaction, receivers: Sequence[str], *, older_than: timedelta, now: datetime
) -> list[int]:
    """Lock waiting notifications of other receivers, due for longer than a new policy takes to spread."""
    rows = await tx.execute(
        select(outbox.c.id)
        .where(
            _WAITING, _unleased(now), outbox.c.receiver.not_in(receivers), outbox.c.due_at <= now - older_than
        )
        .order_by(outbox.c.id)
        .limit(CLAIM_MAX)
        .with_for_update(skip_locked=True)
    )
    return [row.id for row in rows]


def _unleased(now: datetime) -> Any:
    return or_(outbox.c.lease_until.is_(None), outbox.c.lease_until <= now)


def _due(row: Any) -> Due:
    values = {name: getattr(row, name) for name in Due.__struct_fields__}
    return Due(
        **values
        | {
            "kind": NotificationKind(row.kind),
            "reason": NotificationReason(row.reason),
            "severity": ErrorSeverity.from_rank(row.severity),
            "status": None if row.status is None else Status(row.status),
            "terms": read_terms(row.terms),
        }
    )

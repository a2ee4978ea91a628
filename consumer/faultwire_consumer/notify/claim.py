"""One claim: what is due for an address passes the stages, and what goes out is leased, in one commit."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from faultwire_consumer.domain.sending import NotificationState, StageDecision, StageReason
from faultwire_consumer.notify.stages import MINUTE, STAGES, Decided, Group, decide
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.outbox.claim import (
    Address,
    Due,
    RecentlySent,
    StageEntry,
    group_into,
    lease,
    load_due,
    load_recent,
    lock_address,
    postpone,
    record_stages,
    stop,
)
from faultwire_shared.failpoint import failpoint


class Claimed(Struct, frozen=True, kw_only=True):
    """A notification that is this dispatcher's until the lease ends."""

    outbox_id: int
    token: str
    number: int
    """Of the attempt, from 1."""
    first_at: datetime
    """When the first attempt began."""
    told: tuple[Due, ...]
    """Itself and, at the first attempt, what it carries."""


async def claim(
    store: Store,
    address: Address,
    *,
    now: datetime,
    most: int,
    lease_seconds: float,
    token: Callable[[], str] = lambda: secrets.token_hex(16),
) -> tuple[list[Claimed], Decided]:
    """Take what is due for an address.

    Args:
        store: where the outbox is.
        address: whose notifications.
        now: when; leases are measured by it.
        most: how many at most; a lease must not end while a notification waits for its turn.
        lease_seconds: how long they are ours.
        token: makes the fencing token of each.

    Raises:
        StoreUnavailableError: the database does not answer now; nothing was claimed.
    """
    async with store.write() as tx:
        await lock_address(tx, address)
        waiting = await load_due(tx, address, now=now)
        recent = await _recent(tx, address, now)
        decided = decide(waiting, recent, urgent=address.urgent, now=now)
        del decided.groups[most:]
        await _write(tx, decided, now)
        until = now + timedelta(seconds=lease_seconds)
        leased = [(group, token()) for group in decided.groups]
        await lease(tx, [(group.first, its) for group, its in leased], now=now, until=until)
    failpoint("dispatcher.claimed")
    return [_claimed(group, its, now) for group, its in leased], decided


async def _recent(tx: Transaction, address: Address, now: datetime) -> RecentlySent:
    if not address.urgent:
        return RecentlySent(0, None)
    return await load_recent(tx, address.receiver, since=now - MINUTE)


async def _write(tx: Transaction, decided: Decided, now: datetime) -> None:
    for _, one, stopped in decided.stopped:
        await stop(tx, [one.id], NotificationState.STOPPED, stopped.reason, now=now)
    by_hold: dict[tuple[datetime, StageReason], list[int]] = {}
    for _, one, held in decided.held:
        by_hold.setdefault((held.until, held.reason), []).append(one.id)
    for (until, reason), ids in by_hold.items():
        await postpone(tx, ids, until, reason)
    for group in decided.groups:
        if group.others or group.reason is StageReason.THROTTLED:
            await group_into(tx, group.first.id, [one.id for one in group.others], group.reason, now=now)
    await record_stages(tx, list(_entries(decided, now)))


def _claimed(group: Group, token: str, now: datetime) -> Claimed:
    first = group.first
    return Claimed(
        outbox_id=first.id,
        token=token,
        number=first.attempts + 1,
        first_at=first.attempted_at or now,
        told=(first, *group.others),
    )


def _entries(decided: Decided, now: datetime) -> Iterator[StageEntry]:
    """What is new of it: a notification that is held for the same reason again says nothing more."""
    for name, one, stopped in decided.stopped:
        yield _entry(one, now, name, StageDecision.STOPPED, stopped.reason)
    for name, one, held in decided.held:
        if one.state_reason != held.reason.value:
            yield _entry(
                one, now, name, StageDecision.HELD, held.reason, detail=f"until {held.until.isoformat()}"
            )
    for group in decided.groups:
        if group.first.attempts:
            continue
        for one in (group.first, *group.others):
            for name, _ in STAGES:
                yield _entry(one, now, name, StageDecision.PASSED, StageReason.CLEAR)
        last = "gather" if group.reason is StageReason.GROUPED else "throttle"
        reason = group.reason if group.others else StageReason.CLEAR
        yield _entry(group.first, now, last, StageDecision.PASSED, reason)
        for one in group.others:
            told_in = f"told in {group.first.id}"
            yield _entry(one, now, last, StageDecision.CARRIED, group.reason, detail=told_in)


def _entry(
    one: Due, now: datetime, stage: str, decision: StageDecision, reason: StageReason, *, detail: str = ""
) -> StageEntry:
    return StageEntry(outbox_id=one.id, at=now, stage=stage, decision=decision, reason=reason, detail=detail)

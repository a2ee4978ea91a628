"""One claim: what is due for an address passes the stages, and what goes out is leased, in one commit."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from faultwire_consumer.domain.alert import AlertState, StageDecision, StageReason
from faultwire_consumer.notify.stages import MINUTE, STAGES, Decided, Message, decide
from faultwire_consumer.store.contract.store import Store, Transaction
from faultwire_consumer.store.outbox.claim import (
    Address,
    Due,
    Recent,
    StageEntry,
    carry,
    hold,
    lease,
    load_due,
    load_recent,
    lock_address,
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
        del decided.messages[most:]
        await _write(tx, decided, now)
        until = now + timedelta(seconds=lease_seconds)
        leased = [(message, token()) for message in decided.messages]
        await lease(tx, [(message.leader, its) for message, its in leased], now=now, until=until)
    failpoint("dispatcher.claimed")
    return [_claimed(message, its, now) for message, its in leased], decided


async def _recent(tx: Transaction, address: Address, now: datetime) -> Recent:
    if not address.urgent:
        return Recent(0, None)
    return await load_recent(tx, address.receiver, since=now - MINUTE)


async def _write(tx: Transaction, decided: Decided, now: datetime) -> None:
    for _, one, stopped in decided.stopped:
        await stop(tx, [one.id], AlertState.STOPPED, stopped.reason, now=now)
    by_hold: dict[tuple[datetime, StageReason], list[int]] = {}
    for _, one, held in decided.held:
        by_hold.setdefault((held.until, held.reason), []).append(one.id)
    for (until, reason), ids in by_hold.items():
        await hold(tx, ids, until, reason)
    for message in decided.messages:
        if message.carried or message.reason is StageReason.THROTTLED:
            await carry(tx, [one.id for one in message.carried], message.leader.id, message.reason, now=now)
    await record_stages(tx, list(_entries(decided, now)))


def _claimed(message: Message, token: str, now: datetime) -> Claimed:
    leader = message.leader
    return Claimed(
        outbox_id=leader.id,
        token=token,
        number=leader.attempts + 1,
        first_at=leader.attempted_at or now,
        told=(leader, *message.carried),
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
    for message in decided.messages:
        if message.leader.attempts:
            continue
        for one in (message.leader, *message.carried):
            for name, _ in STAGES:
                yield _entry(one, now, name, StageDecision.PASSED, StageReason.CLEAR)
        last = "gather" if message.reason is StageReason.GROUPED else "throttle"
        reason = message.reason if message.carried else StageReason.CLEAR
        yield _entry(message.leader, now, last, StageDecision.PASSED, reason)
        for one in message.carried:
            told_in = f"told in {message.leader.id}"
            yield _entry(one, now, last, StageDecision.CARRIED, message.reason, detail=told_in)


def _entry(
    one: Due, now: datetime, stage: str, decision: StageDecision, reason: StageReason, *, detail: str = ""
) -> StageEntry:
    return StageEntry(outbox_id=one.id, at=now, stage=stage, decision=decision, reason=reason, detail=detail)

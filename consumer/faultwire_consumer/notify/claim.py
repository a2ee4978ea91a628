"""One claim: an address's due notifications pass the stages, and what is sent is leased, in one commit."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.policy import next_digest
from faultwire_consumer.domain.rules import Rule
from faultwire_consumer.domain.sending import NotificationState, StageDecision, StageReason
from faultwire_consumer.domain.silence.weekly import WeeklyWindow
from faultwire_consumer.domain.telling.inhibition import Inhibition
from faultwire_consumer.notify.around import Around, look_around
from faultwire_consumer.notify.decision import Held, Stopped
from faultwire_consumer.notify.pace import MINUTE, Group
from faultwire_consumer.notify.stages import PACE_STAGES, Decided, decide, stage_names
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError, Transaction
from faultwire_consumer.store.outbox.claim import (
    CLAIM_MAX,
    Address,
    Due,
    StageEntry,
    Unreadable,
    group_into,
    holds_any,
    lease,
    load_due,
    lock_address,
    postpone,
    record_stages,
    stop,
)
from faultwire_consumer.store.outbox.pending import HiddenIncident, add_hidden
from faultwire_consumer.store.outbox.recent import load_recent
from faultwire_consumer.store.silences.hits import record_hits
from faultwire_shared.failpoint import failpoint

FILLS_MAX: Final = 100
"""Transactions of one claim: a summary of 100,000 notifications is sent, and the rest is another one."""
FILLING_SHARE: Final = 4
"""The part of a lease that a claim may take, one of so many: leases count from its beginning."""
AGAIN_SECONDS: Final = 1.0
"""The wait between two questions whether a commit without an answer took place."""

UNREADABLE_AGAIN: Final = timedelta(seconds=10)
"""The wait of a notification that this worker cannot read, during which another release's may send it."""
UNREADABLE_FOR: Final = timedelta(hours=1)
"""Time for which workers of two releases may run; then what this one cannot read is given up."""


_HIDDEN: Final = (StageReason.SILENCED, StageReason.INHIBITED)
"""Reasons of stops that the receiver's next digest tells of."""


class Claimed(Struct, frozen=True, kw_only=True):
    """A notification that belongs to this dispatcher until the lease ends."""

    outbox_id: int
    token: str
    number: int
    """Number of the attempt, from 1."""
    first_at: datetime
    """Time at which the first attempt began."""
    notifications: tuple[Due, ...]
    """Itself and, at the first attempt, those grouped into it."""


async def claim(
    store: Store,
    address: Address,
    *,
    now: datetime,
    maximum: int,
    lease_seconds: float,
    digests: Sequence[Rule] = (),
    inhibitions: Sequence[Inhibition] = (),
    quiet: Sequence[WeeklyWindow] = (),
    make_token: Callable[[], str] = lambda: secrets.token_hex(16),
) -> tuple[list[Claimed], Decided]:
    """Claim the due notifications of an address.

    Where more wait than one transaction reads, a summary takes them in by several, and is leased by the
    last: others can write in between, and a storm is one message.

    Args:
        store: holds the outbox.
        address: the receiver, and how urgent.
        now: the current time, by which leases are measured.
        maximum: of claims; a lease must not end while a notification waits for its turn.
        lease_seconds: duration of the leases.
        digests: the policy's digest rules: the next one of its receiver tells of what was hidden.
        inhibitions: the policy's.
        quiet: the receiver's quiet hours.
        make_token: makes the fencing token of each.

    Raises:
        StoreUnavailableError: the database does not answer now; nothing was claimed, as far as is known.
    """
    settings = _ClaimTerms(now, timedelta(seconds=lease_seconds), digests, inhibitions, quiet, make_token)
    claimed, decided, filled = list[Claimed](), Decided(), dict[int, list[Due]]()
    passed = asyncio.get_running_loop().time
    began = passed()
    for _ in range(FILLS_MAX):
        try:
            turn = await _claim_once(store, address, settings, maximum=maximum - len(claimed))
        except StoreUnavailableError:
            if not claimed:
                raise
            break  # what was leased before has to be sent: nobody else would until the leases end
        claimed += [_claimed(group, token, now, filled) for group, token in turn.leased]
        decided.stopped += turn.decided.stopped
        decided.unreadable += turn.decided.unreadable
        for group in turn.filling:
            filled.setdefault(group.first.id, []).extend(group.others)
        if not turn.goes_on or passed() - began > lease_seconds / FILLING_SHARE:
            break
    failpoint("dispatcher.claimed")
    return claimed, decided


class _ClaimTerms(Struct, frozen=True):
    """Values that are the same in all transactions of a claim."""

    now: datetime
    lease: timedelta
    digests: Sequence[Rule]
    inhibitions: Sequence[Inhibition]
    quiet: Sequence[WeeklyWindow]
    make_token: Callable[[], str]


class _Turn(Struct):
    """The result of one transaction of a claim."""

    decided: Decided = field(default_factory=Decided)
    leased: list[tuple[Group, str]] = field(default_factory=list)
    filling: list[Group] = field(default_factory=list)
    """Summaries that took in what was read, and are not leased: more waits."""
    goes_on: bool = False
    """More waits than was read, and another transaction would read other rows."""


async def _claim_once(store: Store, address: Address, settings: _ClaimTerms, *, maximum: int) -> _Turn:
    turn, now = _Turn(), settings.now
    try:
        async with store.write() as tx:
            await lock_address(tx, address)
            waiting = await load_due(tx, address, now=now)
            growing = {
                due.incident_id
                for due in waiting.due
                if due.reason is NotificationReason.GROWTH and due.incident_id is not None
            }
            recent = await load_recent(tx, address, since=now - MINUTE, growing=growing)
            around = await look_around(
                tx, waiting.due, address, inhibitions=settings.inhibitions, quiet=settings.quiet, now=now
            )
            turn.decided = decided = decide(
                waiting.due, recent, urgent=address.urgent, now=now, around=around
            )
            is_cut = len(decided.groups) > maximum
            del decided.groups[maximum:]
            decided.unreadable = await _set_aside(tx, waiting.unreadable, now)
            await _write(tx, decided, around, now)
            await _tell_of_hidden(tx, decided, address, settings.digests, now=now)
            if len(waiting.due) + len(waiting.unreadable) >= CLAIM_MAX:
                turn.filling = [group for group in decided.groups if group.is_summary and group.others]
                # What is held is read again where it is gathered, and not where it is urgent.
                turn.goes_on = bool(turn.filling) or (address.urgent and not is_cut)
            leased = [group for group in decided.groups if not any(group is one for one in turn.filling)]
            turn.leased = [(group, settings.make_token()) for group in leased]
            claims = [(group.first, token) for group, token in turn.leased]
            await lease(tx, claims, now=now, until=now + settings.lease)
    except StoreUnavailableError:
        tokens = [token for _, token in turn.leased]
        patience = settings.lease.total_seconds() / 4
        if not tokens or not await _were_committed(store, tokens, seconds=patience):
            raise
    return turn


async def _were_committed(store: Store, tokens: Sequence[str], *, seconds: float) -> bool:
    """Find out whether a commit took place whose answer was lost: nobody else would know its leases."""
    for tries_left in range(int(seconds / AGAIN_SECONDS), -1, -1):
        try:
            return await holds_any(store, tokens)
        except StoreUnavailableError:
            if not tries_left:
                return False
            await asyncio.sleep(AGAIN_SECONDS)
    raise AssertionError("the last try returns")


async def _set_aside(tx: Transaction, unreadable: Sequence[Unreadable], now: datetime) -> list[int]:
    """Let what a later release wrote wait for a worker of it; give up, and return, what waited too long."""
    given_up = [one for one in unreadable if one.created_at <= now - UNREADABLE_FOR]
    held = [one for one in unreadable if one.is_due and one not in given_up]
    ids = [one.id for one in given_up]
    if ids:
        await stop(tx, ids, NotificationState.GIVEN_UP, StageReason.UNREADABLE, now=now)
    if held:
        await postpone(tx, [one.id for one in held], now + UNREADABLE_AGAIN, StageReason.UNREADABLE)
    told = [(one, StageDecision.GIVEN_UP) for one in given_up]
    told += [(one, StageDecision.HELD) for one in held if not one.is_known]
    await record_stages(
        tx,
        [
            StageEntry(
                outbox_id=one.id, at=now, stage="read", decision=decision, reason=StageReason.UNREADABLE
            )
            for one, decision in told
        ],
    )
    return ids


async def _write(tx: Transaction, decided: Decided, around: Around, now: datetime) -> None:
    by_stop: dict[tuple[StageReason, int | None], list[int]] = {}
    for _, due, stopped in decided.stopped:
        by_stop.setdefault((stopped.reason, _silence_id(stopped)), []).append(due.id)
    for (reason, silence_id), ids in by_stop.items():
        await stop(tx, ids, NotificationState.STOPPED, reason, now=now, silence_id=silence_id)
    by_hold: dict[tuple[datetime, StageReason, int | None], list[int]] = {}
    for _, due, held in decided.held:
        if due.due_at == held.until and due.state_reason == held.reason.value:
            continue
        by_hold.setdefault((held.until, held.reason, _silence_id(held)), []).append(due.id)
    for (until, reason, silence_id), ids in by_hold.items():
        await postpone(tx, ids, until, reason, silence_id=silence_id)
    for group in decided.groups:
        if group.others or group.reason is StageReason.THROTTLED:
            ids = [due.id for due in group.others]
            await group_into(tx, group.first.id, ids, group.reason, now=now, is_summary=group.is_summary)
    await record_stages(tx, list(_entries(decided, around, now)))


async def _tell_of_hidden(
    tx: Transaction, decided: Decided, address: Address, digests: Sequence[Rule], *, now: datetime
) -> None:
    """Count what silences hid, and have the receiver's next digest tell of what was hidden and stopped.

    In the order in which all transactions lock: pending rows before silences.
    """
    stopped = [(due, one.silence) for _, due, one in decided.stopped if one.silence is not None]
    hidden_dues = [due for _, due, one in decided.stopped if one.reason in _HIDDEN]
    if hidden_dues:
        due_at = next_digest(digests, now)
        own = [(rule, at) for (rule, receiver), at in due_at.items() if receiver == address.receiver]
        soonest = min(own, key=lambda one: (one[1], one[0]), default=None)
        if soonest is not None:
            hidden = [_hidden(due, address.receiver, soonest) for due in hidden_dues]
            await add_hidden(tx, [one for one in hidden if one is not None], now=now)
    held = [
        (due, one.silence)
        for _, due, one in decided.held
        if one.silence is not None and due.state_reason != one.reason.value
    ]
    hits: dict[int, Counter[int]] = {}
    for due, silence in (*stopped, *held):
        hits.setdefault(silence.id, Counter())[due.incident_id or 0] += 1
    await record_hits(tx, hits, now=now)


def _hidden(due: Due, receiver: str, digest: tuple[str, datetime]) -> HiddenIncident | None:
    if due.incident_id is None:
        return None
    return HiddenIncident(
        rule=digest[0],
        receiver=receiver,
        incident_id=due.incident_id,
        due_at=digest[1],
        reason=due.reason,
        severity=due.severity,
        event_id=due.event_id,
        count_before=due.count_before,
    )


def _silence_id(decision: Stopped | Held) -> int | None:
    return None if decision.silence is None else decision.silence.id


def _hidden_by(decision: Stopped | Held) -> str:
    """Return which silence or incident it was, for the history; nothing for any other reason."""
    silence = decision.silence
    if silence is None:
        return decision.detail
    return f"silence {silence.id} by {silence.author}: {silence.comment}"


def _claimed(group: Group, token: str, now: datetime, filled: Mapping[int, Sequence[Due]]) -> Claimed:
    first = group.first
    return Claimed(
        outbox_id=first.id,
        token=token,
        number=first.attempts + 1,
        first_at=first.attempted_at or now,
        notifications=(first, *filled.get(first.id, ()), *group.others),
    )


def _entries(decided: Decided, around: Around, now: datetime) -> Iterator[StageEntry]:
    """List the new entries: a notification held again for the same reason gets no further one."""
    for name, due, stopped in decided.stopped:
        yield _entry(due, now, name, StageDecision.STOPPED, stopped.reason, detail=_hidden_by(stopped))
    for name, due, held in decided.held:
        if due.state_reason != held.reason.value:
            until = "; ".join(filter(None, (f"until {held.until.isoformat()}", _hidden_by(held))))
            yield _entry(due, now, name, StageDecision.HELD, held.reason, detail=until)
    for group in decided.groups:
        if group.first.attempts or group.first.resent_at is not None:
            continue
        is_open = group.first.kind is NotificationKind.SUMMARY  # it has its entries since it was begun
        for due in group.others if is_open else group.members:
            for name in stage_names(due, around):
                yield _entry(due, now, name, StageDecision.PASSED, StageReason.CLEAR)
        last = PACE_STAGES.get(group.reason, "throttle")
        if not is_open:
            reason = group.reason if group.others else StageReason.CLEAR
            yield _entry(group.first, now, last, StageDecision.PASSED, reason)
        for due in group.others:
            sent_in = f"sent in {group.first.id}"
            yield _entry(due, now, last, StageDecision.CARRIED, group.reason, detail=sent_in)


def _entry(
    due: Due, now: datetime, stage: str, decision: StageDecision, reason: StageReason, *, detail: str = ""
) -> StageEntry:
    return StageEntry(outbox_id=due.id, at=now, stage=stage, decision=decision, reason=reason, detail=detail)

"""The stages between the outbox and the senders: each may stop or hold a notification, and says why.

Order is policy. Stages that look at one notification alone come first; what passes them goes out at the
receiver's pace.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct, field

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import is_over
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.rules import Facts
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.domain.silence.matcher import read_facts
from faultwire_consumer.domain.silence.silence import (
    Silence,
    SilenceState,
    changes_at,
    silence_over,
    state_of,
)
from faultwire_consumer.domain.silence.weekly import WeeklyWindow, covered_until
from faultwire_consumer.notify.pace import Group, Paced, pace_again, pace_gathered, pace_urgent
from faultwire_consumer.store.outbox.claim import Due
from faultwire_consumer.store.outbox.recent import RecentlySent
from faultwire_shared.event import ErrorSeverity

REMIND_AGAIN: Final = timedelta(hours=1)


class Stopped(Struct, frozen=True):
    """The notification is no longer needed."""

    reason: StageReason
    silence: Silence | None = None
    """The one that hides it, where that is why."""


class Held(Struct, frozen=True):
    """The notification waits until a later time."""

    until: datetime
    reason: StageReason
    silence: Silence | None = None


Stage = Callable[[Due, datetime], Stopped | Held | None]
"""Judges one notification at a given time; None lets it pass."""


def is_open(due: Due, _: datetime) -> Stopped | None:
    """Stop it if its incident is resolved, or in a later episode, which has a notification of its own."""
    if due.episode == 0 or due.kind is NotificationKind.DIGEST:
        return None
    if due.current_episode != due.episode:
        return Stopped(StageReason.OVERTAKEN)
    return Stopped(StageReason.RESOLVED) if due.status is Status.RESOLVED else None


def is_whole(due: Due, _: datetime) -> Stopped | None:
    """Stop it if its incident was merged into another."""
    return Stopped(StageReason.MERGED) if due.merged_into is not None and due.episode != 0 else None


def is_unmuted(due: Due, now: datetime) -> Stopped | Held | None:
    """Stop it if its incident is muted, and the mute's time is not over; the next digest tells of it.

    A reminder is held instead, as with an acknowledgement.
    """
    mute = due.terms.mute
    if mute is None or is_over(mute, now) or due.episode == 0:
        return None
    if due.reason is NotificationReason.REMINDER:
        return Held(mute.until or now + _again(due), StageReason.MUTED)
    return Stopped(StageReason.MUTED)


def is_unacknowledged(due: Due, now: datetime) -> Stopped | Held | None:
    """Stop it if its incident is acknowledged: somebody knows already, except that it grew since.

    A reminder is held instead: the acknowledgement may be taken back.
    """
    if due.status is not Status.ACKNOWLEDGED or due.episode == 0:
        return None
    until = due.terms.acknowledged_until
    if due.reason is NotificationReason.GROWTH or (until is not None and until <= now):
        return None
    if due.reason is NotificationReason.REMINDER:
        return Held(now + _again(due), StageReason.ACKNOWLEDGED)
    return Stopped(StageReason.ACKNOWLEDGED)


def is_heard(due: Due, silences: Sequence[Silence], now: datetime) -> Stopped | Held | None:
    """Stop it if a silence hides it now; the next digest tells of it. A reminder is held meanwhile."""
    if not silences or due.incident_id is None or due.kind is NotificationKind.DIGEST:
        return None
    silence = silence_over(silences, facts_of(due), now)
    if silence is None:
        return None
    if due.reason is NotificationReason.REMINDER:
        return Held(changes_at(silence, now), StageReason.SILENCED, silence)
    return Stopped(StageReason.SILENCED, silence)


def is_awake(due: Due, quiet: Sequence[WeeklyWindow], now: datetime) -> Held | None:
    """Hold it in its receiver's quiet hours; what is critical, and what was tried before, is not held."""
    if due.severity is ErrorSeverity.CRITICAL or due.attempts:
        return None
    until = covered_until(quiet, now)
    return None if until is None else Held(until, StageReason.QUIET_HOURS)


def facts_of(due: Due) -> Facts:
    """Return what silences are matched with: of the event told of, else what its incident knows."""
    if due.facts is not None:
        with suppress(msgspec.MsgspecError):  # a later release may write them otherwise
            return read_facts(due.facts, due.severity)
    return Facts(
        severity=due.severity,
        category=due.category or "",
        service=due.service or "",
        environment="",
        release="",
        code=due.code or "",
        type="",
        tags={},
    )


def _again(due: Due) -> timedelta:
    return timedelta(seconds=due.remind_seconds) if due.remind_seconds else REMIND_AGAIN


STAGES: Final[Sequence[tuple[str, Stage]]] = (
    ("open", is_open),
    ("whole", is_whole),
    ("unmuted", is_unmuted),
    ("unacknowledged", is_unacknowledged),
)
SILENCED: Final = "unsilenced"
"""The stage that asks whether a silence hides it, when it would go out."""
AWAKE: Final = "awake"
"""The stage of a receiver with quiet hours, which comes last of those that look at one notification."""
STAGE_NAMES: Final = (*(name for name, _ in STAGES), SILENCED)
PACE_STAGES: Final = {
    StageReason.GROUPED: "gather",
    StageReason.GROWING: "growth",
    StageReason.QUIET_HOURS: AWAKE,
}
"""The stages behind those of one notification, by their reasons; any other is the throttle's."""


class Decided(Struct):
    """The stages' decisions on an address's waiting notifications."""

    stopped: list[tuple[str, Due, Stopped]] = field(default_factory=list)
    held: list[tuple[str, Due, Held]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    stages: tuple[str, ...] = STAGE_NAMES
    """Those that were asked."""
    unreadable: list[int] = field(default_factory=list)
    """Those given up, as no worker came that could read them."""


def decide(
    waiting: Iterable[Due],
    recent: RecentlySent,
    *,
    urgent: bool,
    now: datetime,
    silences: Sequence[Silence] = (),
    quiet: Sequence[WeeklyWindow] = (),
) -> Decided:
    """Run the chain over an address's waiting notifications, the most severe first.

    Those that failed before come last: they are late already, and new ones need not be. What an operator had
    sent again goes with them, by itself.
    """
    decided = Decided(stages=(*STAGE_NAMES, AWAKE) if quiet else STAGE_NAMES)
    active = [one for one in silences if state_of(one, now) is SilenceState.ACTIVE]
    gate = _Gate(active, quiet)
    passed = [due for due in waiting if _pass(due, decided, now)]
    passed = [due for due in passed if due.due_at > now or _is_let_out(due, gate, decided, now)]
    woken = [due for due in passed if _was_quiet(due) and due.due_at <= now]
    ids = {due.id for due in woken}
    fresh = [due for due in passed if not due.attempts and due.resent_at is None and due.id not in ids]
    if urgent:
        _go(decided, pace_urgent(fresh, recent, now=now))
    else:
        decided.groups += [
            Group(due) for due in fresh if due.kind is NotificationKind.DIGEST and due.due_at <= now
        ]
        ready = _ready(fresh, gate, decided, now)
        _go(decided, pace_gathered(ready, recent, now=now))
    if woken:
        decided.groups.append(Group(woken[0], woken[1:], StageReason.QUIET_HOURS))
    failed = [due for due in passed if due.attempts or due.resent_at is not None]
    _go(decided, pace_again(failed, recent, going=len(decided.groups), now=now))
    return decided


def _go(decided: Decided, paced: Paced) -> None:
    decided.groups += paced.groups
    for due, until, reason in paced.held:
        decided.held.append((PACE_STAGES.get(reason, "throttle"), due, Held(until, reason)))


def _pass(due: Due, decided: Decided, now: datetime) -> bool:
    """Return True if it passes every stage of its own.

    A summary's notifications have been through them, and what an operator had sent again is past them.
    """
    if _is_past_stages(due):
        return True
    for name, stage in STAGES:
        match stage(due, now):
            case Stopped() as stopped:
                decided.stopped.append((name, due, stopped))
                return False
            case Held() as held:
                decided.held.append((name, due, held))
                return False
    return True


def _is_past_stages(due: Due) -> bool:
    return due.kind is NotificationKind.SUMMARY or due.resent_at is not None


class _Gate(Struct, frozen=True):
    """Hindrances that are asked for when a notification would go out: they may change before."""

    silences: Sequence[Silence]
    """Those that are active."""
    quiet: Sequence[WeeklyWindow]


def _was_quiet(due: Due) -> bool:
    """Return True for what quiet hours held back; a digest goes by itself all the same."""
    is_first = not due.attempts and due.resent_at is None
    is_digest = due.kind is NotificationKind.DIGEST
    return is_first and due.state_reason == StageReason.QUIET_HOURS.value and not is_digest


def _is_let_out(due: Due, gate: _Gate, decided: Decided, now: datetime) -> bool:
    """Return True if no silence hides it, and its receiver is not quiet."""
    if _is_past_stages(due):
        return True
    judged, stage = is_heard(due, gate.silences, now), SILENCED
    if judged is None:
        judged, stage = is_awake(due, gate.quiet, now), AWAKE
    if isinstance(judged, Stopped):
        decided.stopped.append((stage, due, judged))
    elif isinstance(judged, Held):
        decided.held.append((stage, due, judged))
    return judged is None


def _ready(waiting: Sequence[Due], gate: _Gate, decided: Decided, now: datetime) -> Iterator[list[Due]]:
    """Yield what each rule gathers, with everything that came in the meantime, once one of them is due."""
    by_rule: dict[str, list[Due]] = defaultdict(list)
    for due in waiting:
        if due.kind is not NotificationKind.DIGEST:
            by_rule[due.rule].append(due)
    for gathered in by_rule.values():
        if any(due.due_at <= now for due in gathered):
            yield [due for due in gathered if due.due_at <= now or _is_let_out(due, gate, decided, now)]

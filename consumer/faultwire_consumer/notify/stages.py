"""The stages between the outbox and the senders: each may stop or hold a notification, and says why.

Order is policy. Stages that look at one notification alone come first; what passes them goes out at the
receiver's pace.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import msgspec
from msgspec import Struct, field, structs

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import is_over
from faultwire_consumer.domain.notification import RECOVERIES, NotificationKind, NotificationReason
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
from faultwire_consumer.domain.telling.inhibition import Inhibitors
from faultwire_consumer.notify.around import NOTHING_AROUND, Around
from faultwire_consumer.notify.decision import Held, Stage, Stopped
from faultwire_consumer.notify.following import TOLD, is_still_so, is_told
from faultwire_consumer.notify.pace import Group, Paced, pace_again, pace_gathered, pace_urgent
from faultwire_consumer.store.outbox.claim import Due
from faultwire_consumer.store.outbox.recent import RecentlySent
from faultwire_shared.event import ErrorSeverity

REMIND_AGAIN: Final = timedelta(hours=1)


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


def is_unexplained(due: Due, inhibitors: Inhibitors | None, now: datetime) -> Stopped | Held | None:
    """Stop it if an open incident explains it; the next digest tells of it. A reminder is held meanwhile."""
    if inhibitors is None or due.incident_id is None or due.kind is NotificationKind.DIGEST:
        return None
    name = inhibitors.find(facts_of(due), rule=due.rule, incident_id=due.incident_id, now=now)
    if name is None:
        return None
    if due.reason is NotificationReason.REMINDER:
        return Held(now + _again(due), StageReason.INHIBITED, detail=name)
    return Stopped(StageReason.INHIBITED, detail=name)


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
_RECOVERY_STAGES: Final[Sequence[tuple[str, Stage]]] = (("so", is_still_so), ("whole", is_whole))
"""What a recovery notice passes: neither a mute nor a silence keeps the end from who knows the beginning."""
SILENCED: Final = "unsilenced"
"""The stage that asks whether a silence hides it, when it would go out."""
AWAKE: Final = "awake"
"""The stage of a receiver with quiet hours, which comes last of those that look at one notification."""
PACE_STAGES: Final = {
    StageReason.GROUPED: "gather",
    StageReason.GROWING: "growth",
    StageReason.QUIET_HOURS: AWAKE,
}
"""The stages behind those of one notification, by their reasons; any other is the throttle's."""
INHIBITED: Final = "uninhibited"
"""The stage that asks whether an open incident explains it, when it would go out."""


def stage_names(due: Due, around: Around = NOTHING_AROUND) -> tuple[str, ...]:
    """Return the stages that a notification passed, in their order."""
    if due.reason in RECOVERIES:
        return (*(name for name, _ in _RECOVERY_STAGES), TOLD)
    told = (TOLD,) if due.reason is NotificationReason.ESCALATED else ()
    inhibited = (INHIBITED,) if around.inhibitors is not None else ()
    awake = (AWAKE,) if around.quiet else ()
    return (*(name for name, _ in STAGES), *told, SILENCED, *inhibited, *awake)


class Decided(Struct):
    """The stages' decisions on an address's waiting notifications."""

    stopped: list[tuple[str, Due, Stopped]] = field(default_factory=list)
    held: list[tuple[str, Due, Held]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    unreadable: list[int] = field(default_factory=list)
    """Those given up, as no worker came that could read them."""


def decide(
    waiting: Iterable[Due],
    recent: RecentlySent,
    *,
    urgent: bool,
    now: datetime,
    around: Around = NOTHING_AROUND,
) -> Decided:
    """Run the chain over an address's waiting notifications, the most severe first.

    Those that failed before come last: they are late already, and new ones need not be. What an operator had
    sent again goes with them, by itself.
    """
    decided = Decided()
    active = [one for one in around.silences if state_of(one, now) is SilenceState.ACTIVE]
    around = structs.replace(around, silences=active)
    passed = [due for due in waiting if _pass(due, around, decided, now)]
    passed = [due for due in passed if due.due_at > now or _is_let_out(due, around, decided, now)]
    woken = [due for due in passed if _was_quiet(due) and due.due_at <= now]
    ids = {due.id for due in woken}
    fresh = [due for due in passed if not due.attempts and due.resent_at is None and due.id not in ids]
    if urgent:
        _go(decided, pace_urgent(fresh, recent, now=now))
    else:
        decided.groups += [
            Group(due) for due in fresh if due.kind is NotificationKind.DIGEST and due.due_at <= now
        ]
        ready = _ready(fresh, around, decided, now)
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


def _pass(due: Due, around: Around, decided: Decided, now: datetime) -> bool:
    """Return True if it passes every stage of its own.

    A summary's notifications have been through them, and what an operator had sent again is past them.
    """
    if _is_past_stages(due):
        return True
    for name, stage in _RECOVERY_STAGES if due.reason in RECOVERIES else STAGES:
        if not _note(name, due, stage(due, now), decided):
            return False
    told = around.told.get(due.id)
    return told is None or _note(TOLD, due, is_told(told, now), decided)


def _note(name: str, due: Due, judged: Stopped | Held | None, decided: Decided) -> bool:
    """Keep what a stage decided; return True if it let the notification pass."""
    if isinstance(judged, Stopped):
        decided.stopped.append((name, due, judged))
    elif isinstance(judged, Held):
        decided.held.append((name, due, judged))
    return judged is None


def _is_past_stages(due: Due) -> bool:
    return due.kind is NotificationKind.SUMMARY or due.resent_at is not None


def _was_quiet(due: Due) -> bool:
    """Return True for what quiet hours held back; a digest goes by itself all the same."""
    is_first = not due.attempts and due.resent_at is None
    is_digest = due.kind is NotificationKind.DIGEST
    return is_first and due.state_reason == StageReason.QUIET_HOURS.value and not is_digest


def _is_let_out(due: Due, around: Around, decided: Decided, now: datetime) -> bool:
    """Return True if no silence hides it, nothing explains it, and its receiver is not quiet.

    Asked only when it would go out, since a silence may end before, and an incident be resolved.
    """
    if _is_past_stages(due) or due.reason in RECOVERIES:
        return True
    if not _note(SILENCED, due, is_heard(due, around.silences, now), decided):
        return False
    if not _note(INHIBITED, due, is_unexplained(due, around.inhibitors, now), decided):
        return False
    return _note(AWAKE, due, is_awake(due, around.quiet, now), decided)


def _ready(waiting: Sequence[Due], around: Around, decided: Decided, now: datetime) -> Iterator[list[Due]]:
    """Yield what each rule gathers, with everything that came in the meantime, once one of them is due."""
    by_rule: dict[str, list[Due]] = defaultdict(list)
    for due in waiting:
        if due.kind is not NotificationKind.DIGEST:
            by_rule[due.rule].append(due)
    for gathered in by_rule.values():
        if any(due.due_at <= now for due in gathered):
            yield [due for due in gathered if due.due_at <= now or _is_let_out(due, around, decided, now)]

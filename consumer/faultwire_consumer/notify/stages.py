"""The stages between the outbox and the senders: each may stop or hold a notification, and says why.

Order is policy. What is true of one notification by itself comes first, then what needs the others:
gathering, and the receiver's throttle.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.rules import STATE_CHANGES
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.store.outbox.claim import Due, RecentlySent

SINGLE_MOST: Final = 10
"""Urgent notifications that a receiver gets one by one in a minute; more come in a summary."""
MINUTE: Final = timedelta(minutes=1)
REMIND_AGAIN: Final = timedelta(hours=1)


class Stopped(Struct, frozen=True):
    """Nobody has to be told any more."""

    reason: StageReason


class Held(Struct, frozen=True):
    """Not now."""

    until: datetime
    reason: StageReason


Stage = Callable[[Due, datetime], Stopped | Held | None]
"""Looks at one notification at a time of the clock; None lets it pass."""


def is_open(one: Due, _: datetime) -> Stopped | None:
    """A resolved incident is nobody's trouble, and a later episode was told by itself."""
    if one.episode == 0 or one.kind is NotificationKind.DIGEST:
        return None
    if one.current_episode != one.episode:
        return Stopped(StageReason.OVERTAKEN)
    return Stopped(StageReason.RESOLVED) if one.status is Status.RESOLVED else None


def is_unacknowledged(one: Due, now: datetime) -> Stopped | Held | None:
    """Who acknowledged knows already, but for what came after: that it grew.

    A reminder waits instead: somebody may take the acknowledge back.
    """
    if one.status is not Status.ACKNOWLEDGED or one.episode == 0:
        return None
    if one.reason is NotificationReason.GROWTH:
        return None
    if one.reason is NotificationReason.REMINDER:
        again = timedelta(seconds=one.remind_seconds) if one.remind_seconds else REMIND_AGAIN
        return Held(now + again, StageReason.ACKNOWLEDGED)
    return Stopped(StageReason.ACKNOWLEDGED)


STAGES: Final[Sequence[tuple[str, Stage]]] = (("open", is_open), ("unacknowledged", is_unacknowledged))


class Group(Struct):
    """Notifications that go out as one message: the first is sent, and names the others."""

    first: Due
    others: list[Due] = field(default_factory=list)
    reason: StageReason = StageReason.CLEAR
    """Why there are others."""


class Decided(Struct):
    """What the stages made of an address's waiting notifications."""

    stopped: list[tuple[str, Due, Stopped]] = field(default_factory=list)
    held: list[tuple[str, Due, Held]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)


def decide(waiting: Iterable[Due], recent: RecentlySent, *, urgent: bool, now: datetime) -> Decided:
    """Run the chain over an address's waiting notifications, the most severe first.

    What failed before comes last: it has been late already, and what is new need not be.
    """
    decided = Decided()
    passed = [one for one in waiting if _pass(one, decided, now)]
    first = [one for one in passed if not one.attempts]
    if urgent:
        _throttle(first, recent, decided, now)
    else:
        _gather(first, decided, now)
    decided.groups += [Group(one) for one in passed if one.attempts]
    return decided


def _pass(one: Due, decided: Decided, now: datetime) -> bool:
    """Whether it passes every stage of its own; one that carries others has been through them."""
    if one.kind is NotificationKind.SUMMARY:
        return True
    for name, stage in STAGES:
        match stage(one, now):
            case Stopped() as stopped:
                decided.stopped.append((name, one, stopped))
                return False
            case Held() as held:
                decided.held.append((name, one, held))
                return False
    return True


def _gather(waiting: Sequence[Due], decided: Decided, now: datetime) -> None:
    """What a rule gathers goes out together, with all that came meanwhile; a digest by itself."""
    by_rule: dict[str, list[Due]] = defaultdict(list)
    for one in waiting:
        if one.kind is NotificationKind.DIGEST:
            decided.groups.append(Group(one))
        else:
            by_rule[one.rule].append(one)
    for gathered in by_rule.values():
        if any(one.due_at <= now for one in gathered):
            first, *others = gathered
            decided.groups.append(Group(first, others, StageReason.GROUPED))


def _throttle(waiting: Sequence[Due], recent: RecentlySent, decided: Decided, now: datetime) -> None:
    """Above ten a minute one summary a minute names the rest; a change of state is never held back."""
    changes = [one for one in waiting if one.reason in STATE_CHANGES]
    others = [one for one in waiting if one.reason not in STATE_CHANGES]
    held = [one for one in others if one.state_reason == StageReason.THROTTLED.value]
    fresh = [one for one in others if one.state_reason != StageReason.THROTTLED.value]
    free = max(0, SINGLE_MOST - recent.single - len(changes))
    decided.groups += [Group(one) for one in (*changes, *fresh[:free])]
    rest = [*held, *fresh[free:]]
    if not rest:
        return
    next_summary = now if recent.summary_at is None else recent.summary_at + MINUTE
    if next_summary > now:
        decided.held += [("throttle", one, Held(next_summary, StageReason.THROTTLED)) for one in rest]
        return
    first, *gathered = rest
    decided.groups.append(Group(first, gathered, StageReason.THROTTLED))

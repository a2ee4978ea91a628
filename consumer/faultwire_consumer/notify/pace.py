"""The pace of a receiver: which notifications go out as one message, which wait, and how many go one by one.

Nothing is dropped here: what is beyond the pace waits for the next summary, the most severe first.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.rules import STATE_CHANGES
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.store.outbox.claim import Due
from faultwire_consumer.store.outbox.recent import RecentlySent

SINGLE_MAX: Final = 10
"""Messages that a receiver gets one by one in a minute; further notifications come in a summary."""
RETRIED_MIN: Final = 2
"""Of those that failed before: so many go out in a minute, however many new ones there are."""
MINUTE: Final = timedelta(minutes=1)

_TOLD_TOGETHER: Final = STATE_CHANGES | {
    NotificationReason.NEW,
    NotificationReason.UNMUTED,
    NotificationReason.GROWTH,
}
"""Reasons that are one message where they come at once; any other means something of its own."""


class Group(Struct):
    """Notifications that are sent as one message: the first is sent, and names the others."""

    first: Due
    others: list[Due] = field(default_factory=list)
    reason: StageReason = StageReason.CLEAR
    """The reason for grouping others with it."""

    @property
    def is_summary(self) -> bool:
        """Return True if it may tell of several incidents."""
        return self.reason in (StageReason.GROUPED, StageReason.THROTTLED, StageReason.QUIET_HOURS)

    @property
    def members(self) -> list[Due]:
        """Return all of them, the first one first."""
        return [self.first, *self.others]


class Paced(Struct):
    """Messages that go out, and notifications that wait until when and why."""

    groups: list[Group] = field(default_factory=list)
    held: list[tuple[Due, datetime, StageReason]] = field(default_factory=list)

    def hold(self, waiting: Iterable[Due], until: datetime, reason: StageReason) -> None:
        """Let them wait."""
        self.held += [(due, until, reason) for due in waiting]


def pace_urgent(waiting: Sequence[Due], recent: RecentlySent, *, now: datetime) -> Paced:
    """Send one by one, an incident once; above ten a minute, name the rest in one summary a minute.

    Changes of state have ten a minute of their own. What only says that an incident grows waits until a
    minute after its receiver was told of it.

    Args:
        waiting: those due that never failed, the most severe first.
        recent: what the receiver was sent in the last minute.
        now: the time.
    """
    paced = Paced()
    opened = [due for due in waiting if due.kind is NotificationKind.SUMMARY]
    groups = _by_incident(due for due in waiting if due.kind is not NotificationKind.SUMMARY)
    groups = [group for group in groups if not _is_growing(group, recent, paced, now)]
    held = [one for one in groups if one.first.state_reason == StageReason.THROTTLED.value]
    fresh = [one for one in groups if one.first.state_reason != StageReason.THROTTLED.value]
    changes = [group for group in fresh if group.first.reason in STATE_CHANGES]
    others = [group for group in fresh if group.first.reason not in STATE_CHANGES]
    changing = changes[: max(0, SINGLE_MAX - recent.changes)]
    free = max(0, SINGLE_MAX - recent.single - len(changing))
    paced.groups += [*changing, *others[:free]]
    rest = [*held, *changes[len(changing) :], *others[free:]]
    _sum_up(opened, [due for group in rest for due in group.members], recent, paced, now)
    return paced


def pace_gathered(gathered: Iterable[Sequence[Due]], recent: RecentlySent, *, now: datetime) -> Paced:
    """Send what each rule gathered as one message, ten of them a minute; then all waits for a minute.

    Args:
        gathered: what a rule has ready, the most severe first.
        recent: what the receiver was sent in the last minute.
        now: the time.
    """
    paced = Paced()
    free = max(0, SINGLE_MAX - recent.single)
    for going in gathered:
        if not free:
            due = [one for one in going if one.due_at <= now]
            paced.hold(due, (recent.last_at or now) + MINUTE, StageReason.THROTTLED)
            continue
        free -= 1
        opened = [due for due in going if due.kind is NotificationKind.SUMMARY]
        first, *others = [*opened[:1], *(due for due in going if due.kind is not NotificationKind.SUMMARY)]
        paced.groups.append(Group(first, others, StageReason.GROUPED))
        paced.groups += [Group(due, [], StageReason.GROUPED) for due in opened[1:]]
    return paced


def pace_again(failed: Sequence[Due], recent: RecentlySent, *, going: int, now: datetime) -> Paced:
    """Send what failed before as it is, under its own key: what it holds the receiver may have already.

    When a receiver is back after an hour, it gets ten of them a minute, and not all in one second. What an
    operator asked for does not wait.

    Args:
        failed: those due, the most severe first.
        recent: what the receiver was sent in the last minute.
        going: messages that go out in this moment.
        now: the time.
    """
    paced = Paced()
    free = max(SINGLE_MAX - recent.single - going, RETRIED_MIN - recent.retried, 0)
    for due in failed:
        is_bounded = due.resent_at is None and due.kind is NotificationKind.INCIDENT
        if is_bounded and not free:
            paced.hold([due], now + MINUTE, StageReason.THROTTLED)
            continue
        free -= is_bounded
        paced.groups.append(Group(due))
    return paced


def _by_incident(waiting: Iterable[Due]) -> list[Group]:
    """Make one message of what a rule says of one incident: what came about first, and that it grew since."""
    found: dict[tuple[str, int | None, int] | int, list[Due]] = defaultdict(list)
    for due in waiting:
        is_alone = due.incident_id is None or due.episode == 0 or due.reason not in _TOLD_TOGETHER
        found[due.id if is_alone else (due.rule, due.incident_id, due.episode)].append(due)
    groups = []
    for members in found.values():
        first, *others = sorted(members, key=_rank)
        groups.append(Group(first, others, StageReason.GROWING if others else StageReason.CLEAR))
    return groups


def _rank(due: Due) -> tuple[int, int]:
    """Order an incident's own: a change of state leads, then what is no growth, then the latest growth."""
    if due.reason in STATE_CHANGES:
        return 0, due.id
    return (2, -due.id) if due.reason is NotificationReason.GROWTH else (1, due.id)


def _is_growing(group: Group, recent: RecentlySent, paced: Paced, now: datetime) -> bool:
    """Hold growth of which the receiver was told something within the minute; return True if it is held."""
    incident_id = group.first.incident_id
    if incident_id is None or group.first.reason is not NotificationReason.GROWTH:
        return False
    told_at = recent.told.get(incident_id)
    if told_at is None or told_at + MINUTE <= now:
        return False
    paced.hold(group.members, told_at + MINUTE, StageReason.GROWING)
    return True


def _sum_up(
    opened: Sequence[Due], rest: Sequence[Due], recent: RecentlySent, paced: Paced, now: datetime
) -> None:
    """Name the rest in one summary, or hold it until the minute after the last one is over.

    A summary that is being filled goes on with what there is; it takes no other summary in.
    """
    if not opened and not rest:
        return
    next_summary = now if recent.summary_at is None else recent.summary_at + MINUTE
    if next_summary > now:
        paced.hold([*opened, *rest], next_summary, StageReason.THROTTLED)
        return
    first, *others = [*opened[:1], *sorted(rest, key=lambda due: (-due.severity.rank, due.id))]
    paced.groups.append(Group(first, others, StageReason.THROTTLED))
    paced.groups += [Group(due, [], StageReason.THROTTLED) for due in opened[1:]]

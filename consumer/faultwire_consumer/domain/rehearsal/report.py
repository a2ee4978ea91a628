"""Findings of a rehearsal of a policy as plain values: counts, notifications, differences, blind spots."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.sending import NotificationState

LISTED_MAX: Final = 1_000
"""Notifications that a list of a report names; its counts are of all."""
COUNTED_MAX: Final = 200
"""Rules, receivers and reasons that are counted apart, in one list."""
_GONE_OUT: Final = (NotificationState.SENT, NotificationState.CARRIED)


class RehearsedNotification(Struct, frozen=True, kw_only=True):
    """One notification that the rules would have made."""

    key: str
    rule: str
    receiver: str
    kind: str
    reason: str
    severity: str
    incident: str | None
    """None for a digest."""
    event_id: str | None
    created_at: datetime
    at: datetime | None
    """The time at which it would have gone out, or at which a stage stopped it; None while it waits."""
    state: str
    """sent, carried (told in a summary with others), stopped, or waiting at the end."""
    state_reason: str | None
    detail: str

    @property
    def has_gone_out(self) -> bool:
        """It would have reached its receiver, by itself or in a summary."""
        return self.state in _GONE_OUT

    @property
    def told(self) -> str:
        """The news and its receiver, whatever the rule is called that tells it."""
        return self.key.removeprefix(f"{self.rule}:")


class CountedName(Struct, frozen=True):
    """A rule, receiver or reason, and how many notifications are of it."""

    name: str
    count: int


class RehearsalTally(Struct, frozen=True, kw_only=True):
    """Counts of the notifications that would have gone out, and of those that would not."""

    sent: int
    """Notifications that would have reached a receiver."""
    messages: int
    """The messages in which they would have been told: a summary is one."""
    by_rule: tuple[CountedName, ...]
    by_receiver: tuple[CountedName, ...]
    by_reason: tuple[CountedName, ...]
    stopped: tuple[CountedName, ...]
    """Notifications that a stage would have stopped, by its reason."""
    waiting: int
    """Notifications that would not be due yet at the end."""


class ListedPart(Struct, frozen=True):
    """Some notifications, and how many there are."""

    count: int
    notifications: tuple[RehearsedNotification, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """Notifications that one policy would send and another one would not."""

    against: str
    """The policy that is compared with: current, shipped or file."""
    sent: int
    """Notifications that the other policy would have sent."""
    new: ListedPart
    missing: ListedPart


class UnseenReason(StrEnum):
    """A kind of thing that a rehearsal cannot see, or can only take from something else."""

    CUT = "cut"
    """Events beyond the number that one rehearsal plays."""
    OUT_OF_TIME = "out_of_time"
    """The time for it was over before the end of the history."""
    NOT_YET = "not_yet"
    """The history begins later than the time that was asked for, or than it takes to warm up."""
    BODIES = "bodies"
    """Events whose bodies were not kept; code and type are taken from another event of their kind."""
    TAGS = "tags"
    """Events of which nobody can tell any more whether a rule's tags matched: taken as if not."""
    DROPPED = "dropped"
    """Events that were counted, and whose rows retention has dropped since."""
    DELETED = "deleted"
    """Events of incidents that were deleted since."""
    STANDING = "standing"
    """Incidents that were open at the beginning: what waited then, and their reminders, are not known."""
    PRUNED = "pruned"
    """Incidents that changed, with a history that does not reach back to their beginning."""
    ACTS = "acts"
    """Operators' acts that could not be done again."""
    AUTO_RESOLVED = "auto_resolved"
    """Incidents that another policy's rule resolved after quiet days, which this policy does not have."""
    SILENCES = "silences"
    """Silences that a later release wrote."""


class Unseen(Struct, frozen=True):
    """One blind spot, with its figure and a sentence."""

    what: UnseenReason
    count: int
    detail: str


class RehearsalReport(Struct, frozen=True, kw_only=True):
    """Everything that a rehearsal found."""

    since: datetime
    until: datetime
    warmed_up_from: datetime
    """The time from which events were played, so that windows and digests began as they would have."""
    events: int
    """Events that were played, from the warm-up on."""
    acts: int
    """Operators' acts that were done again."""
    seconds: float
    tally: RehearsalTally
    notifications: tuple[RehearsedNotification, ...]
    """The first of those that would have gone out, in their order."""
    difference: Difference | None
    unseen: tuple[Unseen, ...]


def tally_of(notifications: Iterable[RehearsedNotification]) -> RehearsalTally:
    """Count notifications."""
    rules, receivers, reasons, stopped = (Counter[str]() for _ in range(4))
    messages = waiting = 0
    for one in notifications:
        if one.has_gone_out:
            rules[one.rule] += 1
            receivers[one.receiver] += 1
            reasons[one.reason] += 1
            messages += one.state == NotificationState.SENT
        elif one.state == NotificationState.WAITING:
            waiting += 1
        else:
            stopped[one.state_reason or one.state] += 1
    return RehearsalTally(
        sent=rules.total(),
        messages=messages,
        by_rule=_counted(rules),
        by_receiver=_counted(receivers),
        by_reason=_counted(reasons),
        stopped=_counted(stopped),
        waiting=waiting,
    )


def compare(
    ours: Sequence[RehearsedNotification], theirs: Sequence[RehearsedNotification], *, against: str
) -> Difference:
    """Compare what two policies would have sent, each notification with one that tells the same."""
    mine = [one for one in ours if one.has_gone_out]
    others = [one for one in theirs if one.has_gone_out]
    return Difference(
        against=against,
        sent=len(others),
        new=listed(_beyond(mine, others)),
        missing=listed(_beyond(others, mine)),
    )


def listed(notifications: Sequence[RehearsedNotification]) -> ListedPart:
    """Return the first of some notifications, and how many there are."""
    return ListedPart(len(notifications), tuple(notifications[:LISTED_MAX]))


def _beyond(
    some: Iterable[RehearsedNotification], others: Iterable[RehearsedNotification]
) -> list[RehearsedNotification]:
    left = Counter(one.told for one in others)
    beyond = []
    for one in some:
        if left[one.told] > 0:
            left[one.told] -= 1
        else:
            beyond.append(one)
    return beyond


def _counted(counts: Mapping[str, int]) -> tuple[CountedName, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(CountedName(name, count) for name, count in ordered[:COUNTED_MAX])

"""Blind spots of a rehearsal, each with its figure and a sentence."""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct, field

from faultwire_consumer.domain.rehearsal.report import Unseen, UnseenReason

_RULES_SHOWN = 20


class BlindSpots(Struct):
    """Figures of what a rehearsal met and could not see; 0 and None for nothing."""

    cut: int = 0
    cut_at: datetime | None = None
    """The receipt of the first event that was played, where others came before it."""
    left: int = 0
    """Events that were not reached in time."""
    begins_at: datetime | None = None
    """Receipt of the oldest event, where that is later than the warm-up."""
    bodies: int = 0
    tags: dict[str, int] = field(default_factory=dict)
    """Events by the rule whose tags nobody can compare with theirs."""
    dropped: int = 0
    deleted: int = 0
    standing: int = 0
    pruned: int = 0
    acts: int = 0
    are_acts_cut: bool = False
    auto_resolved: int = 0
    silences: int = 0


def unseen_in(spots: BlindSpots) -> tuple[Unseen, ...]:
    """Return what has to be said of a rehearsal, the weightiest first."""
    return tuple(_unseen_in(spots))


def _unseen_in(spots: BlindSpots) -> Iterator[Unseen]:
    if spots.cut_at is not None:
        yield Unseen(
            UnseenReason.CUT,
            spots.cut,
            f"{_events(spots.cut)} from before {_spell(spots.cut_at)} not played: there are too many",
        )
    if spots.left:
        yield Unseen(
            UnseenReason.OUT_OF_TIME,
            spots.left,
            f"{_events(spots.left)} not reached before the time was over",
        )
    if spots.begins_at is not None:
        yield Unseen(
            UnseenReason.NOT_YET,
            0,
            f"the history begins at {_spell(spots.begins_at)}, later than what is to be played",
        )
    if spots.dropped:
        yield Unseen(
            UnseenReason.DROPPED,
            spots.dropped,
            f"{_events(spots.dropped)} counted, and deleted by retention since",
        )
    if spots.deleted:
        yield Unseen(
            UnseenReason.DELETED, spots.deleted, f"{_events(spots.deleted)} of incidents that were deleted"
        )
    if spots.bodies:
        yield Unseen(
            UnseenReason.BODIES,
            spots.bodies,
            f"{_events(spots.bodies)} without a body: category, code and type are those of another event of "
            "the same fingerprint, and one that stands for several ends when it began",
        )
    for rule, count in sorted(spots.tags.items())[:_RULES_SHOWN]:
        yield Unseen(
            UnseenReason.TAGS,
            count,
            f"{_events(count)} without a body, of which rule {rule} asks for tags: taken as if they had none",
        )
    yield from _unseen_of_states(spots)


def _unseen_of_states(spots: BlindSpots) -> Iterator[Unseen]:
    if spots.standing:
        yield Unseen(
            UnseenReason.STANDING,
            spots.standing,
            f"{_incidents(spots.standing)} open at the beginning: reminders of them, and what waited then, "
            "are left out",
        )
    if spots.pruned:
        yield Unseen(
            UnseenReason.PRUNED,
            spots.pruned,
            f"{_incidents(spots.pruned)} with a history that does not reach back to the beginning",
        )
    if spots.acts or spots.are_acts_cut:
        more = ", and more than are read" if spots.are_acts_cut else ""
        yield Unseen(UnseenReason.ACTS, spots.acts, f"{spots.acts:,} acts could not be done again{more}")
    if spots.auto_resolved:
        yield Unseen(
            UnseenReason.AUTO_RESOLVED,
            spots.auto_resolved,
            f"{_incidents(spots.auto_resolved)} left open that a rule resolved which is not in this file",
        )
    if spots.silences:
        yield Unseen(UnseenReason.SILENCES, spots.silences, f"{spots.silences:,} silences of a later release")


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count:,} events"


def _incidents(count: int) -> str:
    return "1 incident" if count == 1 else f"{count:,} incidents"


def _spell(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%SZ")

"""One timeline of an incident: what was done to it, what was told of it, and where it was first seen."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import WORKER, TransitionReason
from faultwire_consumer.store.events.figures.reading import ReleaseCount
from faultwire_consumer.store.events.incidents import HistoryEntry
from faultwire_consumer.store.outbox.queries import StoredNotification
from faultwire_consumer.web.page.incident.answers import told_line

SHOWN: Final = 40
_NOTABLE: Final = (
    *(TransitionReason.OPENED, TransitionReason.REGRESSED, TransitionReason.SEVERITY_ROSE),
    *(TransitionReason.RESOLVED, TransitionReason.AUTO_RESOLVED, TransitionReason.COMMENTED),
)
_WORDS: Final = {
    TransitionReason.OPENED: "opened",
    TransitionReason.REGRESSED: "came back",
    TransitionReason.SEVERITY_ROSE: "became more severe",
    TransitionReason.ACKNOWLEDGE_ENDED: "the acknowledgement ended",
    TransitionReason.AUTO_RESOLVED: "resolved by itself",
    TransitionReason.REOPENED: "opened again",
    TransitionReason.UNMUTED: "no longer muted",
    TransitionReason.MUTE_ENDED: "the mute ended",
    TransitionReason.UNASSIGNED: "assigned to nobody",
    TransitionReason.COMMENTED: "",
    TransitionReason.MERGED: "",
    TransitionReason.UNMERGED: "on its own again",
}


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """Something that happened."""

    at: datetime
    words: str
    by: str = ""
    note: str = ""
    """Words of an operator's own."""
    mark: str = ""
    """Of a notification: ``ok``, ``no`` or ``soft``."""
    is_notable: bool = False
    event_id: str | None = None
    release: str | None = None
    address: str | None = None


class Timeline(Struct, frozen=True):
    """Entries, the newest first, and whether there are older ones."""

    entries: tuple[TimelineEntry, ...]
    is_more: bool


def timeline(
    history: Sequence[HistoryEntry],
    notifications: Sequence[StoredNotification],
    releases: Sequence[ReleaseCount],
) -> Timeline:
    """Put together what happened to an incident; each list is bounded already."""
    every = [
        *map(_of_history, history),
        *map(_of_notification, notifications),
        *_of_releases(releases),
    ]
    every.sort(key=lambda entry: entry.at, reverse=True)
    return Timeline(tuple(every[:SHOWN]), len(every) > SHOWN)


def _of_history(entry: HistoryEntry) -> TimelineEntry:
    plain = entry.reason.replace("_", " ")
    reason = TransitionReason(entry.reason) if entry.reason in tuple(TransitionReason) else None
    words = _WORDS.get(reason, plain) if reason is not None else plain
    told = f"{words} {entry.detail}" if entry.detail else words
    return TimelineEntry(
        at=entry.at,
        words=told.strip(),
        by="" if entry.actor == WORKER else entry.actor,
        note=entry.note or "",
        is_notable=reason in _NOTABLE,
        event_id=entry.event_id,
        release=entry.release,
    )


def _of_notification(one: StoredNotification) -> TimelineEntry:
    line = told_line(one)
    words = f"{line.receiver}: {line.words}"
    detail = f" ({one.detail})" if one.detail and one.reason == "growth" else ""
    at = one.finished_at or one.created_at
    return TimelineEntry(
        at=at, words=words.removesuffix(" until") + detail, mark=line.mark, address=line.address
    )


def _of_releases(releases: Sequence[ReleaseCount]) -> Iterator[TimelineEntry]:
    """Yield first sights of releases but for the first one, with which the incident was opened."""
    for one in releases[1:]:
        yield TimelineEntry(at=one.first_seen_at, words="first seen in", release=one.release)

"""Tallies: all that a batch adds to the figures, small enough to be written with it as one row.

Events of one place (fingerprint, release, host, tags and so on) are one entry, whose count grows: a flood of
one bug is one entry. What an entry means for each figure is worked out later, for many batches at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, Protocol

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.figures.sketch import split_hashes
from faultwire_consumer.domain.figures.user import hash_user
from faultwire_shared.event import ErrorSeverity, Scalar
from faultwire_shared.text import storable

TAGS_MAX: Final = 20
"""Tags of an event that are counted."""
KEY_CHARACTERS: Final = 100
VALUE_CHARACTERS: Final = 200
_CUT: Final = "…"


class CountedEvent(Protocol):
    """An event, as far as it is counted."""

    @property
    def fingerprint(self) -> bytes:
        """Its grouping key."""
        ...

    @property
    def occurred_at(self) -> datetime:
        """Time of its first error, in UTC."""
        ...

    @property
    def last_at(self) -> datetime | None:
        """Of an event that stands for several errors, the time that it names for the last."""
        ...

    @property
    def ended_at(self) -> datetime:
        """Time of its last error."""
        ...

    @property
    def severity(self) -> ErrorSeverity:
        """Its own severity."""
        ...

    @property
    def service(self) -> str:
        """Name of its publisher."""
        ...

    @property
    def environment(self) -> str:
        """Name of its environment."""
        ...

    @property
    def release(self) -> str | None:
        """Version of its service."""
        ...

    @property
    def count(self) -> int:
        """The number of errors that it stands for."""
        ...

    @property
    def host(self) -> str | None:
        """The machine that it names."""
        ...

    @property
    def user(self) -> str | None:
        """The key of its user."""
        ...

    @property
    def tags(self) -> Mapping[str, Scalar]:
        """Its tags."""
        ...


class EventMark(Struct, frozen=True, array_like=True):
    """All that events of one entry have in common, besides their fingerprint."""

    service: str
    severity: int
    environment: str
    release: str
    host: str
    tags: tuple[tuple[str, str], ...]
    """Sorted; as many as are counted."""
    tags_beyond: int = 0


class TallyEntry(Struct, array_like=True, gc=False):
    """Errors of one fingerprint, between two times."""

    fingerprint: bytes
    first_at: datetime
    last_at: datetime
    count: int


class EntryGroup(Struct, frozen=True, array_like=True):
    """Entries of one mark within one hour."""

    mark: EventMark
    hour: datetime
    entries: list[TallyEntry]


class BatchTally(Struct, frozen=True, array_like=True):
    """All that a batch adds to the figures."""

    groups: Sequence[EntryGroup]
    users: Mapping[bytes, bytes]
    """Of each fingerprint with users their hashes, joined."""


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(BatchTally)


def tally(events: Iterable[CountedEvent]) -> BatchTally:
    """Add up a batch's events, none of which was stored before."""
    groups: dict[tuple[object, ...], tuple[CountedEvent, dict[bytes, TallyEntry]]] = {}
    users: dict[bytes, set[str]] = {}
    for event in events:
        at, tags, fingerprint = event.occurred_at, event.tags, event.fingerprint
        key = (
            event.release,
            event.host,
            tuple(tags.items()) if tags else None,
            event.environment,
            event.service,
            id(event.severity),  # of an enum the one object; its hash is slow
            at.hour,
            at.day,
            at.month,
            at.year,
        )
        if (group := groups.get(key)) is None:
            group = groups[key] = (event, {})
        if (entry := group[1].get(fingerprint)) is None:
            group[1][fingerprint] = TallyEntry(fingerprint, at, event.ended_at, event.count)
        else:
            entry.count += event.count
            if at < entry.first_at:  # noqa: PLR1730 - min() takes thrice as long, for every event
                entry.first_at = at
            if (ended_at := at if event.last_at is None else event.ended_at) > entry.last_at:
                entry.last_at = ended_at
        if event.user is not None:
            users.setdefault(fingerprint, set()).add(event.user)
    return BatchTally(
        [_group_of(event, entries) for event, entries in groups.values()],
        {key: b"".join(sorted(map(hash_user, its_users))) for key, its_users in users.items()},
    )


def _group_of(event: CountedEvent, entries: Mapping[bytes, TallyEntry]) -> EntryGroup:
    hour = event.occurred_at.replace(minute=0, second=0, microsecond=0)
    return EntryGroup(_mark_of(event), hour, list(entries.values()))


def _mark_of(event: CountedEvent) -> EventMark:
    tags = sorted((_text(key, KEY_CHARACTERS), _tag(value)) for key, value in event.tags.items())
    told = [tag for tag in tags if all(tag)]
    return EventMark(
        service=event.service,
        severity=event.severity.rank,
        environment=event.environment,
        release=event.release or "",
        host=_text(event.host or "", VALUE_CHARACTERS),
        tags=tuple(told[:TAGS_MAX]),
        tags_beyond=max(0, len(told) - TAGS_MAX),
    )


def _tag(value: Scalar) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(str(value), VALUE_CHARACTERS)


def _text(text: str, most: int) -> str:
    text = storable(text)
    return text if len(text) <= most else text[: most - 1] + _CUT


def encode_tally(found: BatchTally) -> bytes:
    """Return a batch's tally as it is stored; empty where a count is beyond what any database holds.

    Rows with such a count are rejected, and with them the tally.
    """
    try:
        return _encoder.encode(found)
    except OverflowError:
        return b""


def decode_tally(stored: bytes) -> BatchTally:
    """Return a stored tally.

    Raises:
        msgspec.DecodeError: it was not stored by this or an earlier version.
    """
    return _decoder.decode(stored)


class CountSum(Struct):
    """Errors between two times."""

    first_at: datetime
    last_at: datetime
    count: int

    def add(self, first_at: datetime, last_at: datetime, count: int) -> None:
        """Add more of them."""
        self.first_at = min(self.first_at, first_at)
        self.last_at = max(self.last_at, last_at)
        self.count += count


class TallySum(Struct):
    """Tallies of several batches, added up."""

    sums: dict[EventMark, dict[bytes, TallyEntry]]
    totals: dict[tuple[datetime, str, int], int]
    """Counts by hour, service and severity."""
    users: dict[bytes, set[bytes]]

    @property
    def fingerprints(self) -> list[bytes]:
        """Return every fingerprint that is counted, in the order of keys."""
        return sorted({fingerprint for entries in self.sums.values() for fingerprint in entries})

    def marked(self) -> Iterator[tuple[EventMark, TallyEntry]]:
        """Yield the errors of each mark, one fingerprint after the other."""
        for mark, entries in self.sums.items():
            for entry in entries.values():
                yield mark, entry


def empty_fold() -> TallySum:
    """Return a sum of nothing."""
    return TallySum({}, {}, {})


def add_tally(fold: TallySum, found: BatchTally) -> None:
    """Add a batch, whose entries are used up by it, to a fold."""
    for group in found.groups:
        sums, total = fold.sums.setdefault(group.mark, {}), 0
        for entry in group.entries:
            total += entry.count
            if (known := sums.get(entry.fingerprint)) is None:
                sums[entry.fingerprint] = entry
                continue
            known.count += entry.count
            if entry.first_at < known.first_at:  # noqa: PLR1730 - as above
                known.first_at = entry.first_at
            if entry.last_at > known.last_at:  # noqa: PLR1730 - as above
                known.last_at = entry.last_at
        key = (group.hour, group.mark.service, group.mark.severity)
        fold.totals[key] = fold.totals.get(key, 0) + total
    for fingerprint, joined in found.users.items():
        fold.users.setdefault(fingerprint, set()).update(split_hashes(joined))

"""News of producers: who speaks by which id, numbers that arrived, and what reports say."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct, field

from faultwire_consumer.domain.producer.sequence import Lost
from faultwire_shared.producer_report import DroppedItems
from faultwire_shared.text import storable

REASONS_MAX: Final = 20
"""Per report, kept by name."""
OTHERS: Final = "other"


class Speaker(Struct, frozen=True, order=True):
    """A producer's id, and who speaks by it: the first service and the first token that did own it."""

    producer_id: str
    service: str
    token: str = ""
    """By its name, which the next token of the same program has too; empty for none, which owns nothing."""


class Heard(Struct, kw_only=True):
    """The news of one producer in a batch: numbers that arrived, and its own report."""

    sequences: list[int] = field(default_factory=list)
    host: str | None = None
    reported_at: datetime | None = None
    spool_depth: int = 0
    last_sequence: int = 0
    lost: list[Lost] = field(default_factory=list)
    dead: list[int] = field(default_factory=list)
    """Numbers of events that the broker dead-lettered."""
    started_at: datetime | None = None
    sdk: str | None = None
    """Name and version of its client, by its report."""
    via: str | None = None
    """The program that reports in its place; None: it reports itself."""
    unnumbered: int = 0
    lost_counts: Counter[str] = field(default_factory=Counter)
    """Lost events by reason: each report says all of it again, so of several the highest holds."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Items that are no events by kind, likewise."""


def counted(lost: Sequence[Lost]) -> Counter[str]:
    """Count lost events by reason; reasons beyond the first ``REASONS_MAX`` are counted together."""
    by_reason: Counter[str] = Counter()
    for entry in lost:
        name = entry.reason if entry.reason in by_reason or len(by_reason) < REASONS_MAX else OTHERS
        by_reason[name] += entry.count
    return by_reason


def counted_kinds(dropped: Iterable[DroppedItems]) -> Counter[str]:
    """Count items that are no events by kind."""
    by_kind: Counter[str] = Counter()
    for items in dropped:
        by_kind[storable(items.kind)] += items.count
    return by_kind

"""Read events as messages: each with its key, and alike ones together."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from faultwire.publish.transport import Outgoing
from faultwire.queue.record import Record
from faultwire_consumer.gateway.reading import ReadEvent
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, encode_batch
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, Category, ErrorSeverity, Lane
from faultwire_shared.topology import routing_key

_BRACKETS: Final = 2
_CATEGORIES: Final = frozenset(Category)


class _Addressed(Struct, frozen=True):
    service: str
    category: Any = None


_addressed: Final = msgspec.json.Decoder(_Addressed)


def record_of(event: ReadEvent) -> Record:
    """Return an event as it is spooled and published."""
    said = _addressed.decode(event.body)
    category = Category(said.category) if said.category in _CATEGORIES else Category.SYSTEM
    key = routing_key(event.severity, category, said.service)
    return Record(event.id, event.severity.rank, key, event.body)


def lane_of(record: Record) -> Lane:
    """Return the lane that an event goes by."""
    return ErrorSeverity.from_rank(record.rank).lane


def bundles_of(records: Iterable[Record]) -> list[list[Record]]:
    """Sort events into those that may share a message: of one lane and service, and not too much of them."""
    open_ones: dict[tuple[Lane, str], list[Record]] = {}
    sizes: dict[tuple[Lane, str], int] = {}
    bundles: list[list[Record]] = []
    for record in records:
        kind = lane_of(record), record.routing_key.rpartition(".")[2]
        size = sizes.get(kind, BATCH_BYTES) + len(record.body) + 1
        if size > BATCH_BYTES or len(open_ones[kind]) == BATCH_EVENTS:
            open_ones[kind] = []
            bundles.append(open_ones[kind])
            size = _BRACKETS + len(record.body)
        open_ones[kind].append(record)
        sizes[kind] = size
    return bundles


def message_of(bundle: Sequence[Record]) -> Outgoing:
    """Make one message of alike events; its key is that of the most severe."""
    worst = max(bundle, key=lambda record: record.rank)
    if len(bundle) == 1:
        return Outgoing(
            body=worst.body, message_type=EVENT_TYPE, routing_key=worst.routing_key, event_id=worst.event_id
        )
    body = encode_batch([record.body for record in bundle])
    return Outgoing(body=body, message_type=BATCH_TYPE, routing_key=worst.routing_key)

"""The age of what is not stored yet, by the first event in it."""

from datetime import datetime

import msgspec

from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.read.wire_time import storable_time
from faultwire_shared.json_text import UNREADABLE


class _Occurred(msgspec.Struct, frozen=True):
    occurred_at: datetime


_occurred = msgspec.json.Decoder(_Occurred)


def occurred_in(delivery: Delivery, *, taken_at: datetime) -> datetime:
    """Return when a delivery's first event occurred; when it was taken in, where it says nothing of use."""
    if not delivery.events:
        return taken_at
    try:
        moment = _occurred.decode(delivery.events[0]).occurred_at
    except UNREADABLE:
        return taken_at
    return taken_at if moment.tzinfo is None else min(taken_at, storable_time(moment, received_at=taken_at))

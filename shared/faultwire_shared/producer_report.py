"""A producer's regular report about itself: how far it has counted, and what it lost on purpose.

The worker compares it with the numbers of the events that arrived: see ``shared/docs/reference/wire.md``.
"""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from faultwire_shared.event import NAME_CHARACTERS, Name, Sdk

SEQUENCE_MAX: Final = 2**63 - 1
LOST_RANGES: Final = 200
"""Maximum number of ranges in one report."""
DROPPED_KINDS: Final = 50
"""Maximum number of kinds of dropped items in one report."""
VIA_CHARACTERS: Final = 40

Sequence = Annotated[int, Meta(ge=0, le=SEQUENCE_MAX)]


class LostRange(Struct, frozen=True, kw_only=True):
    """``count`` events of the numbers ``from`` to ``to`` that the producer gave up, and the reason."""

    reason: Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS)]
    count: Annotated[int, Meta(ge=1, le=SEQUENCE_MAX)]
    first: Sequence = field(name="from")
    last: Sequence = field(name="to")


class DroppedItems(Struct, frozen=True, kw_only=True):
    """``count`` items of a kind that is not stored, such as sessions: they came, and were no events."""

    kind: Name
    count: Annotated[int, Meta(ge=1, le=SEQUENCE_MAX)]


class ProducerReport(Struct, frozen=True, kw_only=True):
    """``faultwire.producer.v1``; over AMQP under the key ``producer.<service>``."""

    producer_id: Name
    service: Name
    started_at: Annotated[datetime, Meta(tz=True)]
    last_sequence: Sequence
    host: Annotated[str, Meta(max_length=NAME_CHARACTERS)] = ""
    lost: Annotated[list[LostRange], Meta(max_length=LOST_RANGES)] = field(default_factory=list)
    spool_depth: Sequence = 0
    sdk: Sdk | None = None
    via: Annotated[str, Meta(max_length=VIA_CHARACTERS)] = ""
    """The program that reports in the producer's place, as in ``gateway``; empty: it reports itself."""
    unnumbered: Sequence = 0
    """Events of it that came without a number, repeated ones included."""
    dropped: Annotated[list[DroppedItems], Meta(max_length=DROPPED_KINDS)] = field(default_factory=list)

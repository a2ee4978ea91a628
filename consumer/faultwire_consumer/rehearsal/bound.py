"""Bounds of a rehearsal, and how far one is."""

from typing import Final

from msgspec import Struct

EVENTS_MAX: Final = 200_000
"""Events of one rehearsal, the warm-up included; of more the newest are played."""
SECONDS_MAX: Final = 120.0
"""The time of one rehearsal, after which it reports how far it came."""


class Progress(Struct, frozen=True):
    """Progress of a rehearsal."""

    events: int
    total: int

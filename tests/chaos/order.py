"""What a run is asked to be: with the same order, the same faults come at the same times."""

from typing import Final

from msgspec import Struct
from tests.chaos.trouble import TOLD
from tests.chaos.world import World

PER_SECOND: Final = 15.0


class Order(Struct, frozen=True, kw_only=True):
    """Which run it is."""

    seed: int
    world: World
    seconds: float
    per_second: float = PER_SECOND
    """Errors of each process, or thread, that hands over."""
    told: frozenset[str] = TOLD
    """Severities of which somebody is told; what is high takes ten seconds."""

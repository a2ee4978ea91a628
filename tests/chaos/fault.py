"""Faults as data: what can be done to what, how likely, and for how long."""

from typing import Final, Literal

from msgspec import Struct

Family = Literal[
    "client", "worker", "sqlite", "postgresql", "broker", "cluster", "standby", "link", "receiver"
]


class Kind(Struct, frozen=True):
    """One way to break something."""

    name: str
    weight: float = 1.0
    shortest: float = 0.0
    """Seconds that it lasts at least; 0 and 0 is over as soon as it is done."""
    longest: float = 0.0


KINDS: Final[dict[Family, tuple[Kind, ...]]] = {
    "client": (
        Kind("kill", 2),
        Kind("term", 2),
        Kind("stop", 1, 0.5, 3),
        Kind("disk_full", 1, 0.5, 3),
        Kind("no_disk", 0.7, 0.5, 2),
    ),
    "worker": (
        Kind("kill", 3, 0, 2),
        Kind("term", 2, 0, 1),
        Kind("stop", 2, 0.5, 4),
    ),
    "sqlite": (Kind("lock", 1, 0.5, 5), Kind("disk_full", 1, 0.5, 3)),
    "postgresql": (
        Kind("kill", 1, 0, 3),
        Kind("crash", 1, 0, 3),
        Kind("stop", 1, 0.5, 4),
        Kind("end_sessions", 2),
        Kind("lock", 1, 0.5, 4),
        Kind("disk_full", 1, 0.5, 3),
    ),
    "broker": (
        Kind("kill", 1, 0, 3),
        Kind("restart", 1, 0, 2),
        Kind("stop", 1, 0.5, 4),
        Kind("alarm", 1, 0.5, 4),
        Kind("end_connections", 2),
    ),
    "cluster": (
        Kind("kill_node", 2, 1, 5),
        Kind("part_node", 2, 1, 5),
        Kind("restart_each", 1),
        Kind("end_connections", 1),
    ),
    "standby": (Kind("promote", 1), Kind("end_sessions", 2)),
    "link": (
        Kind("cut", 2),
        Kind("refuse", 1, 0.5, 4),
        Kind("silent", 1, 0.5, 4),
        Kind("deaf", 1, 0.5, 4),
        Kind("half_frame", 2, 0.5, 1),
        Kind("slow", 1, 0.5, 3),
        Kind("throttle", 1, 0.5, 3),
    ),
    "receiver": (
        Kind("error", 2, 0.5, 3),
        Kind("hang", 1, 0.5, 3),
        Kind("busy", 1, 0.5, 3),
        Kind("slow", 1, 0.5, 3),
        Kind("cut", 1, 0.5, 3),
    ),
}


class Fault(Struct, frozen=True):
    """One fault of a schedule; times are seconds, the first from the run's start."""

    at: float
    family: Family
    target: str
    kind: str
    seconds: float
    dice: float
    """Between 0 and 1, for what else a fault leaves to chance: how many bytes pass before a cut."""

    @property
    def name(self) -> str:
        """What is done to what kind of thing, as ``worker.kill``."""
        return f"{self.family}.{self.kind}"

    def __str__(self) -> str:
        lasts = f" for {self.seconds:.2f} s" if self.seconds else ""
        return f"{self.at:7.2f} s  {self.target} {self.kind}{lasts} ({self.dice:.3f})"

"""The worlds that chaos can be let loose on: which parts each has, and what can break in it."""

from typing import Final

from msgspec import Struct
from tests.chaos.fault import Family

CLIENTS: Final = ("loop", "threads", "forks", "pair-1", "pair-2")
"""Processes that hand over errors: on asyncio, in threads, in forked children, and two that share a spool."""
STRANGER: Final = "stranger"
"""Who knows the wire contract alone, and is let alone."""
PAIR: Final = "pair"
"""What the names of those two begin with."""
NODE_LINKS: Final = ("link-node-0", "link-node-1", "link-node-2")
"""One before each node of a cluster, for clients and workers alike."""


class World(Struct, frozen=True, kw_only=True):
    """One arrangement of servers."""

    name: str
    database: Family
    broker: Family | None = None
    workers: int = 1
    clients: tuple[str, ...] = CLIENTS

    @property
    def targets(self) -> tuple[tuple[Family, str], ...]:
        """Everything that can be broken, each with its family."""
        workers = [f"worker-{number}" for number in range(1, self.workers + 1)]
        found: list[tuple[Family, str]] = [("client", name) for name in self.clients]
        found += [("worker", name) for name in workers]
        found += [("receiver", "receiver"), (self.database, "database")]
        found += [("link", name) for name in self.links]
        if self.broker is not None:
            found += [(self.broker, "broker")]
        return tuple(found)

    @property
    def links(self) -> tuple[str, ...]:
        """The ways between its parts on which we stand."""
        if self.broker == "cluster":
            return NODE_LINKS
        broker = ("link-broker",) if self.broker else ()
        database = ("link-database",) if self.database == "postgresql" else ()
        return ("link-clients", *broker, *database)


WORLDS: Final = {
    world.name: world
    for world in (
        World(name="sqlite", database="sqlite"),
        World(name="postgresql", database="postgresql", workers=2),
        World(name="broker-sqlite", database="sqlite", broker="broker"),
        World(name="broker", database="postgresql", broker="broker", workers=2),
        World(name="cluster", database="standby", broker="cluster", workers=2),
    )
}

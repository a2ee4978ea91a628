"""What was accepted against what is kept: an auditor of its own, who trusts neither side's counters.

Producers write a ledger, a line for each event (id, final state, seconds since 1970), on the disk
before they go on. The audit joins it with the database, read behind the worker's back, the broker's
queues and the ids that lie in spools.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from tests.tools.store_reader import StoreReader
from tests.tools.waiting import until, until_reached

from faultwire_shared import amqp
from faultwire_shared.amqp import broker_call
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, queue_of

ACCEPTED: Final = frozenset({"confirmed", "spooled"})
_SHOWN: Final = 5


class Entry(Struct, frozen=True):
    """One line of a ledger."""

    event_id: str
    state: str
    at: float = field(default_factory=time.time)

    def __str__(self) -> str:
        return f"{self.event_id} {self.state} {self.at:.3f}"


class Kept(Struct, kw_only=True):
    """Everything that holds events at this moment, read from outside."""

    stored: list[str]
    dead: list[str]
    """Ids of dead letters that wait: what was replayed stands among the stored."""
    spooled: Collection[str] = ()
    queued: int = 0
    """Messages that stand in queues; what a consumer holds is not seen, so nobody may consume meanwhile."""
    counts: dict[str, int] = field(default_factory=dict)
    """``sum(count)`` of events, incidents and hourly."""


class Audit(Struct, kw_only=True):
    """What the join found; empty lists and equal sums are the promise."""

    emitted: int
    by_state: dict[str, int]
    stored: int
    dead: int
    spooled: int
    queued: int
    lost: list[str]
    """Accepted, and nowhere."""
    twice: list[str]
    """In more than one place, or more than once in one."""
    strange: list[str]
    """Kept, and in no ledger."""
    counts: dict[str, int]
    kept: int
    """Emitted, and somewhere: each event once, however many places hold it."""
    given_up: int
    """Told to the producer as not accepted, and indeed nowhere."""
    unwritten: int = 0
    """So many kept events may stand in no ledger: their producer was killed before its next line."""

    @property
    def difference(self) -> int:
        """Emitted, less what is kept and what was given up."""
        return self.emitted - self.kept - self.given_up

    def faults(self) -> list[str]:
        """A line for each broken promise, with the first ids."""
        found = [
            f"{len(ids)} {what}: {', '.join(ids[:_SHOWN])}{', …' if len(ids) > _SHOWN else ''}"
            for what, ids in (
                ("accepted and lost", self.lost),
                ("kept twice", self.twice),
                ("kept and never emitted", self.strange[self.unwritten :]),
            )
            if ids
        ]
        if len(set(self.counts.values())) > 1:
            found.append("the sums of count differ: " + ", ".join(f"{k} {v}" for k, v in self.counts.items()))
        if self.queued:
            found.append(f"{self.queued} messages left in queues")
        if self.difference:
            found.append(f"the accounting is off by {self.difference}")
        return found

    def __str__(self) -> str:
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.by_state.items()))
        lines = [
            f"emitted {self.emitted} ({states})",
            f"stored {self.stored}, dead letters {self.dead}, spooled {self.spooled}",
            f"given up {self.given_up}, messages in queues {self.queued}",
        ]
        return "\n".join([*lines, *(f"FAULT: {fault}" for fault in self.faults())])


def read_ledgers(directory: Path) -> list[Entry]:
    """Every line of every ``ledger-*``; a last line that a kill cut off was never written."""
    entries = []
    for path in directory.glob("ledger-*"):
        for line in path.read_text().split("\n")[:-1]:
            event_id, state, at = line.split(" ")
            entries.append(Entry(event_id, state, float(at)))
    return entries


async def read_kept(
    database_url: str, *, broker_url: str | None = None, spooled: Collection[str] = ()
) -> Kept:
    """Look into the database and the broker's queues."""
    reader = StoreReader(database_url)
    return Kept(
        stored=await reader.event_ids(),
        dead=await reader.dead_letter_ids(),
        spooled=spooled,
        queued=0 if broker_url is None else await ready_in(broker_url),
        counts={
            table: await reader.one(f"SELECT sum(count) FROM {{s}}{table}")
            for table in ("events", "incidents", "hourly")
        },
    )


async def wait_until_stored(
    ledger: Iterable[Entry], *, database_url: str, broker_url: str | None = None, seconds: float = 240
) -> None:
    """Wait until every accepted event is stored and the broker's queues are empty.

    What a killed worker held is taken again one message at a time, minutes on a busy machine: the bound is
    for each step, and for the last look, at every id.
    """
    reader = StoreReader(database_url)
    wanted = {entry.event_id for entry in ledger if entry.state in ACCEPTED}
    await until_reached(len(wanted), reader.stored, "every event is stored", seconds=seconds)

    async def are_stored() -> bool:
        if not wanted <= set(await reader.event_ids()):
            return False
        return broker_url is None or await ready_in(broker_url) == 0

    await until(are_stored, "every event is stored and every queue is empty", seconds=seconds)


async def ready_in(broker_url: str, *names: str) -> int:
    """Messages that stand in these queues (all of faultwire's by default), and are not with a consumer."""
    connection = await amqp.connect(broker_url, "oracle")
    try:
        async with broker_call("count", 20):
            channel = await connection.channel()
            wanted = names or (*(queue_of(lane) for lane in Lane), DEAD)
            queues = [await channel.declare_queue(name, passive=True) for name in wanted]
    finally:
        await amqp.close(connection)
    return sum(queue.declaration_result.message_count or 0 for queue in queues)


def audit(ledger: Iterable[Entry], kept: Kept, *, unwritten: int = 0) -> Audit:
    """Join what was emitted with what is kept."""
    states: dict[str, str] = {}
    for entry in ledger:
        # A producer that was started again may learn more of an event than it knew before.
        states[entry.event_id] = entry.state if states.get(entry.event_id) not in ACCEPTED else "confirmed"
    places = Counter(kept.stored) + Counter(kept.dead)
    # An event may lie in a spool and be stored: its confirm was lost, and the drain finds a duplicate.
    everywhere = set(places) | set(kept.spooled)
    return Audit(
        emitted=len(states),
        by_state=dict(Counter(states.values())),
        stored=len(kept.stored),
        dead=len(kept.dead),
        spooled=len(set(kept.spooled) - set(places)),
        queued=kept.queued,
        lost=sorted(one for one, state in states.items() if state in ACCEPTED and one not in everywhere),
        twice=sorted(one for one, times in places.items() if times > 1),
        strange=sorted(everywhere - set(states)),
        counts=kept.counts,
        kept=len(everywhere & set(states)),
        given_up=sum(one not in everywhere for one, state in states.items() if state not in ACCEPTED),
        unwritten=unwritten,
    )


async def assert_nothing_lost(
    ledger: Iterable[Entry],
    *,
    database_url: str,
    broker_url: str | None = None,
    spooled: Collection[str] = (),
    unwritten: int = 0,
) -> Audit:
    """The promises I1, I2, I4 and the accounting; fails with the whole report."""
    kept = await read_kept(database_url, broker_url=broker_url, spooled=spooled)
    found = audit(ledger, kept, unwritten=unwritten)
    assert not found.faults(), f"\n{found}"
    return found

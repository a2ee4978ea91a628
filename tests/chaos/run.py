"""One run: a schedule inflicted on a stage, and the verdict over what is left."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct
from tests.chaos.fault import Fault
from tests.chaos.findings import Kept
from tests.chaos.harm import inflict
from tests.chaos.order import Order
from tests.chaos.schedule import owner_of, plan
from tests.chaos.settle import close_all, come_to_rest, look
from tests.chaos.stage import START_SECONDS, Stage, set_up
from tests.chaos.verdict import judge
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes
from tests.tools.waiting import until

AFTER_SECONDS: Final = 1.0
"""For which the clients go on after the last fault."""
DISTURBING: Final = frozenset({"worker", "sqlite", "postgresql", "standby", "receiver"})


Sabotage = Callable[[Stage], Awaitable[None]]


class Result(Struct, frozen=True, kw_only=True):
    """How it went."""

    order: Order
    faults: tuple[Fault, ...]
    handed_over: int
    accepted: int
    stored: int
    told: int
    told_again: int
    processes: int
    took_seconds: float
    violations: list[str]

    @property
    def kinds(self) -> int:
        """How many kinds of faults there were."""
        return len({fault.name for fault in self.faults})


async def run(
    order: Order, home: Path, *, nodes: Nodes, servers: Servers, sabotage: Sabotage | None = None
) -> Result:
    """Do it; the schedule is printed first.

    Args:
        order: which run.
        home: an empty directory for everything that it writes.
        nodes: where a broker comes from.
        servers: where PostgreSQL comes from.
        sabotage: what a test does at the end, behind everybody's back, to see it found.
    """
    began = time.monotonic()
    faults = plan(order.seed, order.world, order.seconds)
    print(f"world {order.world.name}, seed {order.seed}, {order.seconds:g} s, {len(faults)} faults:")
    for fault in faults:
        print(f"  {fault}")
    async with set_up(order, home, nodes=nodes, servers=servers) as stage:
        await _let_loose(stage, faults, order.seconds)
        await come_to_rest(stage)
        await asyncio.gather(*(worker.end() for worker in stage.workers.values()))
        if sabotage is not None:
            await sabotage(stage)
        kept = await look(stage)
        return _result(order, faults, stage, kept, time.monotonic() - began)


async def _let_loose(stage: Stage, faults: tuple[Fault, ...], seconds: float) -> None:
    """Once every client is at work the faults come, at their times; then the clients close."""
    clients = list(stage.clients.values())
    keeping = [asyncio.create_task(client.keep()) for client in clients]
    await until(lambda: _are_at_work(stage), "every client has handed over an error", seconds=START_SECONDS)
    loop = asyncio.get_running_loop()
    began = loop.time()
    turns = defaultdict[str, asyncio.Lock](asyncio.Lock)
    async with asyncio.TaskGroup() as group:
        for fault in faults:
            await asyncio.sleep(began + fault.at - loop.time())
            group.create_task(_inflict_in_turn(stage, fault, turns[owner_of(fault.target)]))
        await asyncio.sleep(began + seconds - loop.time())
    for link in stage.links.values():
        link.heal()
    await asyncio.sleep(AFTER_SECONDS)
    await close_all(clients, keeping)


async def _are_at_work(stage: Stage) -> bool:
    at_work = {life.client for life in stage.book.lives.values() if life.answers}
    return at_work >= set(stage.clients)


async def _inflict_in_turn(stage: Stage, fault: Fault, turn: asyncio.Lock) -> None:
    """A server may take longer to come back than the schedule thinks: the next fault waits for that."""
    async with turn:
        await inflict(stage, fault)


def _result(order: Order, faults: tuple[Fault, ...], stage: Stage, kept: Kept, took_seconds: float) -> Result:
    told, book = stage.receiver.told, stage.book
    disturbances = sum(fault.family in DISTURBING or fault.target == "link-database" for fault in faults)
    taken = Counter(one.key for one in told if one.was_taken)
    return Result(
        order=order,
        faults=faults,
        handed_over=book.told,
        accepted=sum(len(life.accepted) for life in book.lives.values()),
        stored=len(kept.events),
        told=len(taken),
        told_again=taken.total() - len(taken),
        processes=len(book.lives),
        took_seconds=took_seconds,
        violations=[*judge(book, told, kept, disturbances=disturbances, due=order.told), *stage.complaints()],
    )

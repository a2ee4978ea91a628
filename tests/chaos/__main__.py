"""Lets chaos loose: ``python -m tests.chaos --seeds 1-100 --minutes 0.5 --world broker``.

Exit code 0: every run kept every promise; 1: one did not; 2: a run could not be brought to its end.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from msgspec import Struct
from tests.chaos.order import PER_SECOND, Order
from tests.chaos.run import Result, run
from tests.chaos.table import add_row
from tests.chaos.world import WORLDS
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes

LIMIT_SECONDS: Final = 600.0
"""What a run may take beside its faults."""


class Options(Struct, frozen=True):
    """The command's words."""

    seeds: range
    minutes: float
    worlds: list[str]
    table: Path | None
    per_second: float


def read_options(words: list[str]) -> Options:
    """Read them; argparse ends the process where they make no sense."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seeds", type=parse_seeds, default=range(1, 2))
    parser.add_argument("--minutes", type=float, default=0.5)
    parser.add_argument("--world", default="all", choices=[*WORLDS, "all"])
    parser.add_argument("--table", type=Path)
    parser.add_argument("--per-second", type=float, default=PER_SECOND)
    found = parser.parse_args(words)
    worlds = [name for name in WORLDS if name != "cluster"] if found.world == "all" else [found.world]
    return Options(found.seeds, found.minutes, worlds, found.table, found.per_second)


def parse_seeds(text: str) -> range:
    """``7`` or ``1-100``."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


async def run_all(options: Options, nodes: Nodes, servers: Servers) -> int:
    """Each seed in its world, in turn; worlds take turns by the seed."""
    worst = 0
    for seed in options.seeds:
        world = WORLDS[options.worlds[seed % len(options.worlds)]]
        order = Order(seed=seed, world=world, seconds=options.minutes * 60, per_second=options.per_second)
        worst = max(worst, await run_one(order, options.table, nodes, servers))
    return worst


async def run_one(order: Order, table: Path | None, nodes: Nodes, servers: Servers) -> int:
    """One run, its verdict, and its row; what a violation left on the disk stays there."""
    home = Path(tempfile.mkdtemp(prefix=f"faultwire-chaos-{order.seed}-"))
    try:
        async with asyncio.timeout(LIMIT_SECONDS + order.seconds):
            result = await run(order, home, nodes=nodes, servers=servers)
    except Exception as error:  # noqa: BLE001 - it is told, and the next seed has its turn
        print(
            f"BROKEN: {error!r}; seed {order.seed}, world {order.world.name}, its files: {home}", flush=True
        )
        return 2
    say_verdict(result, home)
    if not result.violations:
        shutil.rmtree(home, ignore_errors=True)
    if table is not None:
        add_row(table, result)
    return 1 if result.violations else 0


def say_verdict(result: Result, home: Path) -> None:
    """What was promised and kept, or each violation with all that repeats it."""
    print(
        f"{result.handed_over} errors of {result.processes} processes handed over, {result.accepted} events"
        f" seen accepted, {result.stored} stored, {result.told} notifications ({result.told_again} again),"
        f" {result.took_seconds:.0f} s"
    )
    if not result.violations:
        print("every promise was kept\n", flush=True)
        return
    order = result.order
    for violation in result.violations:
        print(f"VIOLATION: {violation}")
    again = f"make chaos SEED={order.seed} MINUTES={order.seconds / 60:g} WORLD={order.world.name}"
    print(f"its files: {home}\nagain: {again}\n", flush=True)


def main() -> int:
    options = read_options(sys.argv[1:])
    nodes, servers = Nodes(), Servers()
    try:
        return asyncio.run(run_all(options, nodes, servers))
    finally:
        nodes.stop()
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())

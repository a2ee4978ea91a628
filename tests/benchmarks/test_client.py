"""The client: what a call costs its host, how long an event is in memory alone, how fast it is published."""

import asyncio
import json
import os
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from tests.benchmarks import client
from tests.benchmarks.report import report
from tests.servers.process import reserve_port, run, temporary_home
from tests.servers.rabbitmq import Nodes
from tests.servers.worker import clean_environment
from tests.tools.harrying import CALLS, SMALL_DISK_BYTES, assert_unhurt, harm_to, harry
from tests.tools.publisher import declare

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "5"))
MILLION: Final = 1_000_000
ROOT: Final = Path(__file__).parents[2]

Result = dict[str, Any]


def away() -> str:
    return f"amqp://127.0.0.1:{reserve_port()}/"


def measure(candidate: str, url: str, *, spool: bool = True) -> Result:
    """Run one candidate in a process and a directory of its own."""
    with temporary_home("client") as home:
        command = [sys.executable, client.__file__, candidate, url, str(home / "spool") if spool else ""]
        result: Result = json.loads(run(command, clean_environment(home) | {"PYTHONPATH": str(ROOT)}))
    return result


def test_p1_publishing_with_confirms(broker_url: str) -> None:
    ratios, of_memory, cpu = [], [], []
    for turn in range(1, ROUNDS + 1):
        singles = measure("singles", broker_url)
        memory = measure("ours", broker_url, spool=False)
        ours = measure("ours", broker_url)
        ratios.append(ours["rate"] / singles["rate"])
        of_memory.append(ours["rate"] / memory["rate"])
        cpu.append(ours["cpu_us"] / singles["cpu_us"])
        print(
            f"\nP1 round {turn}: aio-pika {singles['rate']:,.0f}/s, "
            f"client {ours['rate']:,.0f}/s, without a spool {memory['rate']:,.0f}/s"
        )
    report("P1 client / aio-pika awaiting 1,000 single messages", "at least 8", ratios)
    report("P1 client / the same without a spool", "as near to 1 as can be", of_memory)
    report("P2 CPU an event, client / aio-pika", "at most 0.1", cpu)


@pytest.mark.parametrize("pattern", ["quiet", "bursts"])
@pytest.mark.parametrize("is_up", [True, False], ids=["up", "away"])
def test_c4_the_buffered_window(broker_url: str, pattern: str, *, is_up: bool) -> None:
    rounds = [measure(pattern, broker_url if is_up else away()) for _ in range(ROUNDS)]
    where = f"broker {'up' if is_up else 'away'}, {pattern}"
    p50, p99 = ([each[f"window_{which}_ms"] for each in rounds] for which in ("p50", "p99"))
    noise = statistics.median(each["noise_p99_ms"] for each in rounds)
    print()
    report(f"C4 window p50 in ms, {where}", "none", p50)
    report(f"C4 window p99 in ms, {where}", f"under 50 (the loop's own p99: {noise:.1f})", p99)


def test_c4_await_against_nowait(broker_url: str) -> None:
    ratios = []
    for _ in range(ROUNDS):
        took = measure("durabilities", broker_url)
        ratios.append(took["awaited"] / took["nowait"])
    print()
    report("C4 await handle_error / handle_error_nowait", "at most 2", ratios)


@pytest.mark.parametrize("disk_bytes", [None, SMALL_DISK_BYTES], ids=["disk", "full disk"])
@pytest.mark.parametrize("kind", ["away", "frozen", "blocked"])
def test_the_host_is_not_held_whatever_the_broker_does(
    nodes: Nodes, kind: str, disk_bytes: int | None
) -> None:
    felt = [asyncio.run(harried_once(nodes, kind, disk_bytes=disk_bytes)) for _ in range(ROUNDS)]
    print_felt(felt, f"broker {kind}, {'full disk' if disk_bytes else 'disk'}")


def test_a_million_errors_with_nobody_to_take_them(nodes: Nodes) -> None:
    felt = asyncio.run(harried_once(nodes, "away", calls=MILLION))
    assert_unhurt(felt, MILLION)
    print_felt([felt], "a million errors, broker away, storms not watched")
    print(f"spooled {felt['spooled']:,}, counted as lost {felt['lost']}")


async def harried_once(
    nodes: Nodes, kind: str, *, disk_bytes: int | None = None, calls: int = CALLS
) -> Result:
    with ExitStack() as stack:
        home = stack.enter_context(temporary_home("harried"))
        if kind == "away":
            return await harry(away(), home, disk_bytes=disk_bytes, calls=calls)
        broker = stack.enter_context(nodes.private())
        await declare(broker.url)
        return await harry(broker.url, home, harm_to(broker, kind), disk_bytes=disk_bytes, calls=calls)


def print_felt(felt: list[Result], where: str) -> None:
    noise = statistics.median(each["noise_p99_ms"] for each in felt)
    print()
    for name, key, goal in (
        ("p99 of handle_error in ms", "p99_ms", f"under 5 (as much work without the client: {noise:.2f})"),
        ("loop lag in ms, at most", "lag_ms", "under 100"),
        ("memory grown in MiB, at most", "grown_mib", "under 32"),
        ("closing in s", "close_seconds", "at most 2"),
    ):
        report(f"{name}, {where}", goal, [each[key] for each in felt])

"""A producer that is killed, again and again, at moments that a seed repeats.

Usage: python -m tests.faults.killed_producer URL SPOOL LEDGERS ROUNDS SEED
``ROUNDS`` 0 runs one producer in this process, for whoever kills it.
"""

import asyncio
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Final

from tests.tools.failing import caught

# Imported before the first fork, so that a round is as short as its work.
import faultwire.publish.publisher
import faultwire.publish.transport_http
import faultwire.queue.spool  # noqa: F401
from faultwire import ErrorManager, ErrorResponse

AT_A_TIME: Final = 20
MOST_SECONDS: Final = 0.1


async def produce(url: str, spool: Path, ledger: Path) -> None:
    """Hand over events for ever; each line of the ledger is on disk before the next."""
    with ledger.open("a") as lines:
        async with ErrorManager(
            collapse_storms=False, service="shop", broker_url=url, spool_path=spool
        ) as errors:
            while True:
                responses = await asyncio.gather(*(emit(errors, number) for number in range(AT_A_TIME)))
                for response in responses:
                    lines.write(f"{response.error_id} {response.state.state} {time.time():.3f}\n")
                lines.flush()
                os.fsync(lines.fileno())


async def emit(errors: ErrorManager, number: int) -> ErrorResponse:
    """One event, answered once it is on disk or confirmed."""
    severity = ("low", "medium", "high", "critical")[number % 4]
    return await errors.handle_error(caught(number), severity, durability="spooled")


def kill_again_and_again(url: str, spool: Path, ledgers: Path, rounds: int, chance: random.Random) -> None:
    """A child each round, killed at some moment after its first line; the next one adopts what it left."""
    for number in range(rounds):
        ledger = ledgers / f"ledger-{number}"
        ledger.touch()
        child = os.fork()
        if not child:
            try:
                asyncio.run(produce(url, spool, ledger))
            finally:
                os._exit(1)
        while not ledger.stat().st_size:
            # Its number may be another process's by now: it must not be killed once it has ended.
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "the producer ended by itself"
            time.sleep(0.001)
        time.sleep(chance.uniform(0, MOST_SECONDS))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    url, spool, ledgers, rounds, seed = sys.argv[1:]
    if int(rounds):
        kill_again_and_again(url, Path(spool), Path(ledgers), int(rounds), random.Random(int(seed)))
    else:
        asyncio.run(produce(url, Path(spool), Path(ledgers) / f"ledger-{seed}"))

"""A service whose parent made the manager, and works on while it forks: as gunicorn does with --preload.

Usage: python -m tests.faults.forking URL SPOOL LEDGERS
"""

import asyncio
import multiprocessing
import os
import sys
import threading
import time
from pathlib import Path
from typing import Final

from faultwire import ErrorManager, ErrorResponse

EVENTS: Final = 1_000
CHILDREN: Final = 4


async def emit(errors: ErrorManager, ledgers: Path) -> None:
    """Hand over a process's events and see each confirmed; they stand in a ledger of its own."""
    async with errors:
        responses = []
        for number in range(EVENTS):
            responses.append(errors.handle_error_nowait(ValueError(str(number)), "high"))
            if number % 50 == 0:
                await asyncio.sleep(0)
        await write(responses, ledgers / f"ledger-{os.getpid()}")


async def write(responses: list[ErrorResponse], ledger: Path) -> None:
    """Wait for every state, and write them down."""
    for response in responses:
        while (await response.delivered(60)).state == "spooled":  # noqa: ASYNC110 - it is final for the manager
            await asyncio.sleep(0.005)
    lines = (f"{response.error_id} {response.state.state} {time.time():.3f}\n" for response in responses)
    await asyncio.to_thread(ledger.write_text, "".join(lines))


def main(url: str, spool: Path, ledgers: Path) -> None:
    """Fork in the middle of the parent's own work, its spool's thread included."""
    errors = ErrorManager(collapse_storms=False, service="shop", broker_url=url, spool_path=spool)
    responses = [errors.handle_error_nowait(ValueError("at once"), "high") for _ in range(100)]

    def work() -> None:
        for number in range(EVENTS):
            responses.append(errors.handle_error_nowait(ValueError(str(number)), "high"))
            time.sleep(0.0002)

    working = threading.Thread(target=work)
    working.start()
    children = []
    for _ in range(CHILDREN):
        time.sleep(0.02)
        child = os.fork()
        if not child:
            asyncio.run(emit(errors, ledgers))
            sys.stdout.flush()
            os._exit(0)
        children.append(child)
    other = multiprocessing.get_context("fork").Process(target=lambda: asyncio.run(emit(errors, ledgers)))
    other.start()
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    other.join()
    assert other.exitcode == 0
    working.join()
    asyncio.run(finish(errors, responses, ledgers))


async def finish(errors: ErrorManager, responses: list[ErrorResponse], ledgers: Path) -> None:
    """The parent is unharmed: its own events arrive, and its sums are right."""
    async with errors:
        await write(responses, ledgers / f"ledger-{os.getpid()}")
        stats = errors.stats()
        assert (stats.handled, stats.confirmed, stats.adopted) == (EVENTS + 100, EVENTS + 100, 0), stats


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))

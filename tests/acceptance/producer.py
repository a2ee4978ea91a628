"""A service of its own process that hands over errors and writes down what became of each.

Usage: python -m tests.acceptance.producer BROKER_URL SERVICE EVENTS LEDGER [DURABILITY [PER_SECOND]]

Started again with the same ledger, it goes on where the ledger ends.
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from tests.tools.failing import caught

from faultwire import ErrorManager
from faultwire.client import Durability

AT_A_TIME: Final = 100


async def emit(errors: ErrorManager, number: int, durability: Durability) -> tuple[str, str]:
    """Hand one error over; its id and final state."""
    severity = ("low", "medium", "high", "critical")[number % 4]
    response = await errors.handle_error(caught(number), severity, durability=durability)
    state = await response.delivered(120)
    return response["error_id"], state.state


async def main(
    broker_url: str,
    service: str,
    events: int,
    ledger: Path,
    *,
    durability: Durability = "buffered",
    per_second: float | None = None,
) -> None:
    """Emit the events, some at a time; every line of the ledger is on the disk before the next."""
    at_a_time = AT_A_TIME if per_second is None else max(1, round(per_second / 5))
    with ledger.open("a+") as lines:
        written = whole_lines(ledger)
        async with ErrorManager(collapse_storms=False, service=service, broker_url=broker_url) as errors:
            for first in range(written, events, at_a_time):
                numbers = range(first, min(first + at_a_time, events))
                done = await asyncio.gather(*(emit(errors, number, durability) for number in numbers))
                now = time.time()
                lines.write("".join(f"{event_id} {state} {now:.3f}\n" for event_id, state in done))
                lines.flush()
                os.fsync(lines.fileno())
                if per_second is not None:
                    await asyncio.sleep(at_a_time / per_second)
            await errors.flush(60)  # on a slow machine the two seconds of closing may leave some on the disk


def whole_lines(ledger: Path) -> int:
    """How many lines the ledger has; a last one that a kill cut off is taken away."""
    text = ledger.read_text()
    whole = text[: text.rfind("\n") + 1]
    os.truncate(ledger, len(whole))
    return whole.count("\n")


if __name__ == "__main__":
    broker_url, service, events, ledger = sys.argv[1:5]
    durability: Durability = "spooled" if "spooled" in sys.argv[5:6] else "buffered"
    per_second = float(sys.argv[6]) if len(sys.argv) > 6 else None
    asyncio.run(
        main(broker_url, service, int(events), Path(ledger), durability=durability, per_second=per_second)
    )

"""A service of its own process that hands over errors and writes down what became of each.

Usage: python -m tests.acceptance.producer BROKER_URL SERVICE EVENTS LEDGER
"""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Final

from faultwire import ErrorManager

AT_A_TIME: Final = 100


class StockError(Exception):
    """One of the faults of a service that has several."""


def fail(number: int) -> None:
    """Fail in one of five ways, each with a text of its own."""
    match number % 5:
        case 0:
            raise StockError(f"order {number} wants more than there is")
        case 1:
            raise KeyError(f"sku-{number}")
        case 2:
            raise ConnectionRefusedError(111, "refused")
        case 3:
            raise TimeoutError(f"no answer within {number} ms")
        case _:
            raise ValueError(f"bad amount {number}")


def caught(number: int) -> Exception:
    """The error with its traceback, as an ``except`` has it."""
    try:
        fail(number)
    except Exception as error:  # noqa: BLE001 - whatever failed is what is handed over
        return error
    raise AssertionError("fail() fails")


async def emit(errors: ErrorManager, number: int) -> tuple[str, str]:
    """Hand one error over; its id and final state."""
    severity = ("low", "medium", "high", "critical")[number % 4]
    response = await errors.handle_error(caught(number), severity)
    state = await response.delivered(120)
    return response["error_id"], state.state


async def main(broker_url: str, service: str, events: int, ledger: Path) -> None:
    """Emit the events, a hundred at a time; every line of the ledger is on the disk before the next."""
    with ledger.open("a") as lines:
        async with ErrorManager(service=service, broker_url=broker_url) as errors:
            for first in range(0, events, AT_A_TIME):
                numbers = range(first, min(first + AT_A_TIME, events))
                done = await asyncio.gather(*(emit(errors, number) for number in numbers))
                now = time.time()
                lines.writelines(f"{event_id} {state} {now:.3f}\n" for event_id, state in done)
                lines.flush()
                os.fsync(lines.fileno())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])))

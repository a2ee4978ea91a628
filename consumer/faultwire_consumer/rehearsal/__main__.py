"""The process of one rehearsal: an order on stdin, lines of JSON on stdout, and as little of the machine.

It is a process of its own so that the worker beside it goes on taking events in.
"""

import asyncio
import logging
import os
import sys
import time
import traceback
from contextlib import suppress

import msgspec
import structlog

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.rehearsal.bound import Progress
from faultwire_consumer.rehearsal.run import Script, rehearse
from faultwire_consumer.rehearsal.wire import Line, Order
from faultwire_consumer.store.contract.store import MigrationError, Store, StoreUnavailableError
from faultwire_consumer.store.contract.url import DatabaseUrlError
from faultwire_consumer.store.engine import open_standby, open_to_read

NICENESS = 10
TELL_SECONDS = 0.25
_ORDER_BYTES = 8 * 1024 * 1024
_FAULT_CHARACTERS = 4000


def main() -> None:
    """Read the order, rehearse, and write the report."""
    with suppress(OSError):
        os.nice(NICENESS)
    # What happens on the stage is no news of the worker's.
    logging.disable(logging.CRITICAL)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )
    order = msgspec.json.decode(sys.stdin.buffer.read(_ORDER_BYTES), type=Order)
    try:
        _say(asyncio.run(_answer(order)))
    except Exception:  # noqa: BLE001 - whatever it is, the worker's log is where somebody reads it
        _say(Line(fault=traceback.format_exc()[-_FAULT_CHARACTERS:]))


async def _answer(order: Order) -> Line:
    try:
        policy = parse_policy(order.policy, shipped=shipped_text())
        other = parse_policy(order.against_policy, shipped=shipped_text()) if order.against else None
        script = Script(
            policy=policy,
            since=order.since,
            until=order.until,
            against=(order.against, other) if order.against and other else None,
            events_max=order.events_max,
            seconds_max=order.seconds_max,
        )
        store = await _open(order)
        try:
            return Line(report=await rehearse(store, script, tell=_ProgressWriter()))
        finally:
            await store.close()
    except (PolicyError, StoreUnavailableError, MigrationError, DatabaseUrlError, OSError) as error:
        return Line(failure=str(error))


async def _open(order: Order) -> Store:
    if order.is_replica:
        return open_standby(order.database_url)
    return await open_to_read(order.database_url)


class _ProgressWriter:
    """Writes the progress, a few times a second."""

    def __init__(self) -> None:
        self._told_at = 0.0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            _say(Line(progress=progress))


def _say(line: Line) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

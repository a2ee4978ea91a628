"""What the client's benchmarks run, a process for each candidate.

``python client.py CANDIDATE URL SPOOL_PATH`` prints one line of JSON.
"""

import asyncio
import json
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import aio_pika
from tests.tools.event import bodies
from tests.tools.harried import deep_call

from faultwire import ErrorManager
from faultwire.queue.ticket import FinalState, Ticket
from faultwire_shared.event import Lane
from faultwire_shared.topology import EVENTS

PUBLISHED: Final = 20_000
AT_ONCE: Final = 2_000
SINGLES: Final = 5_000
AWAITED: Final = 1_000
KEY: Final = "event.medium.system.shop"

QUIET_SECONDS: Final = 10.0
QUIET_EACH: Final = 0.01
BURSTS: Final = 20
BURST_EVENTS: Final = 200
BURST_EACH: Final = 0.5

CALLS: Final = 20_000
BLOCK: Final = 200

Result = dict[str, Any]


async def publish_singles(url: str, _: str) -> Result:
    """What one would write with aio-pika: 1,000 publishes awaited together, each with its confirm."""
    connection = await aio_pika.connect(url)
    async with connection:
        exchange = await (await connection.channel()).get_exchange(EVENTS, ensure=False)
        made = list(bodies(SINGLES))
        cpu, started = time.process_time(), time.perf_counter()
        for start in range(0, SINGLES, AWAITED):
            some = made[start : start + AWAITED]
            messages = (aio_pika.Message(body, delivery_mode=2) for body in some)
            await asyncio.gather(*(exchange.publish(message, KEY) for message in messages))
        return _rate(SINGLES, started, cpu)


async def publish_ours(url: str, spool_path: str) -> Result:
    """The client's publisher with its default durability; without a spool where the path is empty."""
    async with ErrorManager(
        collapse_storms=False, service="shop", broker_url=url, spool_path=spool_path
    ) as errors:
        await errors.handle_error(ValueError("warm"), durability="confirmed")
        outlet = errors._parts.outlet
        assert outlet is not None
        tickets = [
            Ticket(event_id=str(number), body=body, lane=Lane.ROUTINE, rank=2, routing_key=KEY)
            for number, body in enumerate(bodies(PUBLISHED))
        ]
        cpu, started = time.process_time(), time.perf_counter()
        for start in range(0, PUBLISHED, AT_ONCE):
            for ticket in tickets[start : start + AT_ONCE]:
                outlet.put(ticket)
            while not all(ticket.decided for ticket in tickets[start : start + AT_ONCE]):  # noqa: ASYNC110 - as any waiter would, and alike for both
                await asyncio.sleep(0.002)
        result = _rate(PUBLISHED, started, cpu)
    assert errors.stats().confirmed == PUBLISHED + 1, errors.stats()
    return result


def _rate(events: int, started: float, cpu: float) -> Result:
    seconds = time.perf_counter() - started
    return {"rate": events / seconds, "cpu_us": (time.process_time() - cpu) / events * 1e6}


async def window_quiet(url: str, spool_path: str) -> Result:
    """100 events a second, one at a time."""
    return await _window(url, spool_path, bursts=int(QUIET_SECONDS / QUIET_EACH), events=1, each=QUIET_EACH)


async def window_bursts(url: str, spool_path: str) -> Result:
    """200 events at once, twice a second."""
    return await _window(url, spool_path, bursts=BURSTS, events=BURST_EVENTS, each=BURST_EACH)


async def _window(url: str, spool_path: str, *, bursts: int, events: int, each: float) -> Result:
    """From the buffer to confirmed or spooled, by the moment at which the state changes."""
    call, took, noise = deep_call(), list[float](), list[float]()
    become = Ticket.become

    def become_timed(ticket: Ticket, state: FinalState) -> None:
        if not ticket.settled:
            took.append(time.monotonic() - ticket.buffered_at)
        become(ticket, state)

    async with ErrorManager(
        collapse_storms=False, service="shop", broker_url=url, spool_path=spool_path
    ) as errors:
        await errors.handle_error(ValueError("warm"), durability="spooled")
        Ticket.become = become_timed  # type: ignore[method-assign, assignment]  # the only place that sees both threads
        due = time.perf_counter()
        for burst in range(bursts):
            for number in range(events):
                try:
                    call(burst * events + number)
                except LookupError as error:
                    errors.handle_error_nowait(error, "high", {"number": number})
            due += each
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            # How late the loop itself is woken on this machine: no window can be shorter.
            noise.append(max(0.0, time.perf_counter() - due))
        while errors.stats().buffered:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        stats = errors.stats()
    assert len(took) == bursts * events
    assert stats.lost == {}
    confirmed = stats.confirmed / stats.handled
    return {**_quantiles("window", took), **_quantiles("noise", noise), "confirmed": confirmed}


def _quantiles(name: str, seconds: list[float]) -> Result:
    seconds = sorted(seconds)
    count = len(seconds)
    return {f"{name}_p50_ms": seconds[count // 2] * 1e3, f"{name}_p99_ms": seconds[count * 99 // 100] * 1e3}


async def durabilities(url: str, spool_path: str) -> Result:
    """``await handle_error`` and ``handle_error_nowait``, in turns, in one process: the middle of each."""
    call = deep_call()
    took: dict[str, list[float]] = {"awaited": [], "nowait": []}
    async with ErrorManager(
        collapse_storms=False, service="shop", broker_url=url, spool_path=spool_path
    ) as errors:
        for start in range(0, CALLS, BLOCK):
            for number in range(start, start + BLOCK):
                kind = "awaited" if start // BLOCK % 2 else "nowait"
                try:
                    call(number)
                except LookupError as error:
                    started = time.perf_counter()
                    if kind == "awaited":
                        await errors.handle_error(error, "high", {"number": number})
                    else:
                        errors.handle_error_nowait(error, "high", {"number": number})
                    took[kind].append(time.perf_counter() - started)
            assert await errors.flush(30)
    assert errors.stats().lost == {}
    return {name: sorted(seconds)[len(seconds) // 2] * 1e6 for name, seconds in took.items()}


CANDIDATES: Final[dict[str, Callable[[str, str], Awaitable[Result]]]] = {
    "singles": publish_singles,
    "ours": publish_ours,
    "quiet": window_quiet,
    "bursts": window_bursts,
    "durabilities": durabilities,
}


async def main(candidate: str, url: str, spool_path: str) -> None:
    result = await CANDIDATES[candidate](url, spool_path)
    await asyncio.to_thread(print, json.dumps(result))


if __name__ == "__main__":
    logging.getLogger("faultwire").setLevel(logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:]))

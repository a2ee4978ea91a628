"""Emits events at a steady rate; a line for each: its id, and when it was handed over (seconds since 1970).

``python emitting.py ours|plain URL EVENTS RATE KINDS SEVERITY [BURST]``. ``ours`` awaits `handle_error` of
an error that was raised twelve frames deep, of so many kinds in turns; ``plain`` does what one would write
with aio-pika: it dumps the event, publishes it and awaits the confirm. For it the URL's fragment is
``EXCHANGE/KEY``. A burst comes last, a second later: so many at once, each of a kind that was never seen.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aio_pika
from tests.tools.event import bodies
from tests.tools.harried import deepened

from faultwire import ErrorManager

FRAMES = 11
REST_SECONDS = 1.0
"""Before a burst."""

Emit = Callable[[int], Awaitable[tuple[str, float]]]


def raiser(kind: int) -> Callable[[int], None]:
    """A call that fails twelve frames deep with an exception of its own type."""
    failure = type(f"Step{kind}Error", (LookupError,), {})

    def fail(order: int) -> None:
        raise failure(f"order {order} has no price")

    call: Callable[[int], None] = fail
    for depth in range(FRAMES // 2):
        call = deepened(call, f"step_{depth}")
    return call


@asynccontextmanager
async def ours(url: str, steady: int, kinds: int, severity: str, *, burst: int) -> AsyncIterator[Emit]:
    raisers: dict[int, Callable[[int], None]] = {}
    async with ErrorManager(service="shop", broker_url=url) as errors:
        await errors.handle_error(ValueError("connects"), "low", durability="confirmed")

        async def emit(number: int) -> tuple[str, float]:
            kind = number % kinds if number < steady else kinds + number - steady
            call = raisers.get(kind) or raisers.setdefault(kind, raiser(kind))
            try:
                call(number)
            except LookupError as error:
                at = time.time()
                response = await errors.handle_error(error, severity, {"number": number})
                return response["error_id"], at
            raise AssertionError("it fails")

        yield emit
        assert await errors.flush(60)


@asynccontextmanager
async def plain(url: str, steady: int, kinds: int, severity: str, *, burst: int) -> AsyncIterator[Emit]:
    url, _, target = url.partition("#")
    exchange_name, _, key = target.partition("/")
    made = [json.loads(body) for body in bodies(steady, fingerprints=kinds, severity=severity)]
    if burst:  # of the shapes behind those that were seen
        every = kinds + burst
        made += [
            json.loads(body)
            for body in bodies(every, start=steady * every, fingerprints=every, severity=severity)
        ][kinds:]
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = channel.default_exchange
        if exchange_name:
            exchange = await channel.get_exchange(exchange_name, ensure=False)

        async def emit(number: int) -> tuple[str, float]:
            event, at = made[number], time.time()
            message = aio_pika.Message(json.dumps(event).encode(), delivery_mode=2)
            await exchange.publish(message, key)
            return event["id"], at

        yield emit


async def main(
    emitter: str, url: str, steady: int, rate: float, *, kinds: int, severity: str, burst: int
) -> None:
    async with (ours if emitter == "ours" else plain)(url, steady, kinds, severity, burst=burst) as emit:
        due = time.perf_counter()
        for number in range(steady):
            event_id, at = await emit(number)
            print(event_id, at, flush=True)
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if burst:
            await asyncio.sleep(REST_SECONDS)
            for event_id, at in await asyncio.gather(*map(emit, range(steady, steady + burst))):
                print(event_id, at, flush=True)


if __name__ == "__main__":
    emitter, url, steady, rate, kinds, severity, *more = sys.argv[1:]
    burst = int(more[0]) if more else 0
    asyncio.run(
        main(emitter, url, int(steady), float(rate), kinds=int(kinds), severity=severity, burst=burst)
    )
